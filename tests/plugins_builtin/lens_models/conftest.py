"""Comparison of a lens model with lenstronomy."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from lenstronomy.LensModel.lens_model import LensModel as Reference

from astrorim.testing import draw_parameters, largest_deviation
from astrorim.testing.checks import report


@pytest.fixture
def compare_with_lenstronomy(record_property):
    """Potential, deflection, convergence and shear to 1e-7 arcsec or relative.

    The shear is lenstronomy's Hessian against ours by automatic differentiation.
    """

    def compare(model, profile, translate, *, hessian_profile=None):
        generator = torch.Generator().manual_seed(11)
        worst = dict.fromkeys(("potential", "deflection", "convergence", "shear"), 0.0)
        for _ in range(25):
            params = draw_parameters(model.parameters, (), generator)
            kwargs = [translate({name: float(value) for name, value in params.items()})]
            x, y = 6 * torch.rand(2, 2000, generator=generator, dtype=torch.float64) - 3
            x.requires_grad_()
            y.requires_grad_()
            potential = model.potential(x, y, params)
            alpha = model.deflection(x, y, params)
            a_xx, a_xy = torch.autograd.grad(
                alpha[0].sum(), (x, y), retain_graph=True, materialize_grads=True
            )
            _, a_yy = torch.autograd.grad(alpha[1].sum(), (x, y), materialize_grads=True)
            position = x.detach().numpy(), y.detach().numpy()

            reference = Reference([profile])
            offset = potential.detach() - torch.as_tensor(
                reference.potential(*position, kwargs)
            )
            f_xx, f_xy, _, f_yy = map(
                torch.as_tensor,
                Reference([hessian_profile or profile]).hessian(
                    *position,
                    [kwargs[0] | {"gamma": 2.0}] if hessian_profile else kwargs,
                ),
            )
            pairs = {
                "potential": [(offset, offset.median().expand_as(offset))],
                "deflection": zip(
                    alpha,
                    map(torch.as_tensor, reference.alpha(*position, kwargs)),
                    strict=True,
                ),
                "convergence": [(model.convergence(x, y, params), (f_xx + f_yy) / 2)],
                "shear": [((a_xx - a_yy) / 2, (f_xx - f_yy) / 2), (a_xy, f_xy)],
            }
            for name, each in pairs.items():
                for ours, theirs in each:
                    deviation = largest_deviation(ours.detach(), theirs)
                    worst[name] = np.fmax(worst[name], deviation)
                    assert np.isfinite(deviation)
        for name, value in worst.items():
            report(record_property, f"{model.name}: {name} - lenstronomy's", value, 1e-7)

    return compare

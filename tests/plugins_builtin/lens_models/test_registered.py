"""Identities that hold for every registered lens model, and for sums of them."""

from __future__ import annotations

import pytest
import torch

from astrorim.plugins import load_plugins
from astrorim.testing import LensModelContract
from astrorim.testing.checks import check_finite

NAMES = [entry.name for entry in load_plugins().lens_models if not entry.argument]
SUMS = ("sie+shear", "sie+shear+nfw", "epl+shear+sis@2+mass-sheet")


class TestRegisteredLensModels(LensModelContract):
    @pytest.fixture(params=[*NAMES, *SUMS])
    def model(self, request):
        return load_plugins().lens_models.resolve(request.param)


@pytest.mark.parametrize("name", NAMES)
def test_a_million_draws_are_finite(name):
    """Values and gradients, half of the draws in float32."""
    model = load_plugins().lens_models.create(name)
    function = LensModelContract.outputs(model)
    for dtype in (torch.float64, torch.float32):
        check_finite(function, model.parameters, 500_000, dtype)


@pytest.mark.parametrize("name", NAMES)
def test_second_derivatives_under_vmap(name):
    """Hessian of the potential by nested transforms, as samplers take it."""
    model = load_plugins().lens_models.create(name)
    params = {
        parameter.name: torch.tensor(0.3 * sum(parameter.prior) + 0.1, dtype=torch.float64)
        for parameter in model.parameters
    }
    position = torch.tensor([[0.7, -0.4], [1.1, 0.3]], dtype=torch.float64)
    hessian = torch.func.vmap(
        torch.func.hessian(lambda p: model.potential(p[0], p[1], params))
    )(position)
    kappa = model.convergence(position[:, 0], position[:, 1], params)
    torch.testing.assert_close(hessian.diagonal(dim1=-2, dim2=-1).sum(-1) / 2, kappa)

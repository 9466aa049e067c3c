"""The mass-sheet transformation: what changes, and what no image can see."""

from __future__ import annotations

import pytest
import torch

from astrorim.lensing.mass_sheet import MassSheetTransformed
from astrorim.plugins import load_plugins

PARAMS = {"theta_E": 1.3, "e1": 0.15, "e2": -0.1, "x0": 0.03, "y0": -0.02}
SCALE = 0.85


@pytest.fixture
def params():
    return {
        name: torch.tensor([[value]], dtype=torch.float64) for name, value in PARAMS.items()
    }


@pytest.fixture
def model():
    return load_plugins().lens_models.resolve("sie")


@pytest.fixture
def places():
    generator = torch.Generator().manual_seed(2)
    return (4 * torch.rand(2, 1, 30, generator=generator, dtype=torch.float64) - 2).unbind()


def test_source_plane_is_scaled(model, places, params):
    changed = MassSheetTransformed(model, SCALE)
    before, after = model.deflection(*places, params), changed.deflection(*places, params)
    for position, one, other in zip(places, before, after, strict=True):
        torch.testing.assert_close(position - other, SCALE * (position - one))


def test_convergence_gains_a_sheet(model, places, params):
    kappa = MassSheetTransformed(model, SCALE).convergence(*places, params)
    expected = SCALE * model.convergence(*places, params) + (1 - SCALE)
    torch.testing.assert_close(kappa, expected)


def test_gradient_of_the_potential_is_the_deflection(model, places, params):
    changed = MassSheetTransformed(model, SCALE)
    x, y = (place.clone().requires_grad_() for place in places)
    gradient = torch.autograd.grad(changed.potential(x, y, params).sum(), (x, y))
    for one, other in zip(gradient, changed.deflection(x, y, params), strict=True):
        torch.testing.assert_close(one, other, atol=1e-10, rtol=1e-10)


def test_critical_curves_stay(model, places, params):
    """The Jacobian is scaled as a whole, so that its zeros stay."""

    def jacobian(lens):
        x, y = (place.clone().requires_grad_() for place in places)
        ax, ay = lens.deflection(x, y, params)
        axx, axy = torch.autograd.grad(ax.sum(), (x, y), retain_graph=True)
        ayx, ayy = torch.autograd.grad(ay.sum(), (x, y))
        return (1 - axx) * (1 - ayy) - axy * ayx

    torch.testing.assert_close(
        jacobian(MassSheetTransformed(model, SCALE)), SCALE**2 * jacobian(model)
    )


def test_one_changes_nothing(model, places, params):
    torch.testing.assert_close(
        MassSheetTransformed(model, 1.0).convergence(*places, params),
        model.convergence(*places, params),
    )


@pytest.mark.parametrize("scale", [0.0, -0.5, float("nan"), float("inf")])
def test_the_factor_must_be_positive(model, scale):
    with pytest.raises(ValueError, match=f"lambda must be a positive number, got {scale}"):
        MassSheetTransformed(model, scale)

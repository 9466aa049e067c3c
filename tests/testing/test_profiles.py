"""The contracts of lens and light models accept what is right and find what is not."""

from __future__ import annotations

from dataclasses import replace

import pytest
import torch

from astrorim.interfaces import LensModel, LightModel
from astrorim.parameters import Parameter
from astrorim.testing import LensModelContract, LightModelContract
from astrorim_plugins.lens_models import SIS
from astrorim_plugins.light_models import MultiGaussian, Sersic


class Paraboloid(LensModel):
    """A third party's lens: constant convergence inside its frame."""

    name = "paraboloid"
    parameters = (Parameter("kappa", r"\kappa", None, (-1.0, 1.0), (0.0, 0.5), "Convergence"),)

    def potential(self, x, y, params):
        return params["kappa"] / 2 * (x**2 + y**2)

    def deflection(self, x, y, params):
        return params["kappa"] * x, params["kappa"] * y

    def convergence(self, x, y, params):
        return params["kappa"] + 0 * x + 0 * y


class TestParaboloid(LensModelContract):
    @pytest.fixture
    def model(self):
        return Paraboloid()


def ignore(name, value):
    """Stand in for record_property."""


class Doubled(SIS):
    def deflection(self, x, y, params):
        alpha_x, alpha_y = super().deflection(x, y, params)
        return 2 * alpha_x, 2 * alpha_y


class Dense(SIS):
    def convergence(self, x, y, params):
        return 1.001 * super().convergence(x, y, params)


class Swirl(SIS):
    def deflection(self, x, y, params):
        alpha_x, alpha_y = super().deflection(x, y, params)
        return alpha_x + 0.1 * y, alpha_y - 0.1 * x


class Unguarded(SIS):
    def potential(self, x, y, params):
        dx, dy = x - params["x0"], y - params["y0"]
        return params["theta_E"] * torch.sqrt(dx**2 + dy**2)


class Detached(SIS):
    def potential(self, x, y, params):
        return super().potential(x, y, {name: v.detach() for name, v in params.items()})


@pytest.mark.parametrize(
    ("model", "check", "message"),
    [
        (Doubled(), "test_gradient_of_potential", "grad psi - alpha: deviation"),
        (Dense(), "test_laplacian_of_potential", "laplacian psi / 2 - kappa: deviation"),
        (Swirl(), "test_curl_of_deflection", "curl alpha: deviation"),
    ],
)
def test_broken_identities_are_found(model, check, message):
    with pytest.raises(AssertionError, match=message):
        getattr(LensModelContract(), check)(model, ignore)


def test_gradient_that_is_not_finite_is_found():
    with pytest.raises(AssertionError, match="gradient by x is not finite at x="):
        LensModelContract().test_finite_everywhere(Unguarded(), torch.float64)


def test_missing_gradient_is_found():
    with pytest.raises(RuntimeError, match="Jacobian mismatch"):
        LensModelContract().test_numerical_gradient(Detached())


class TooBright(Sersic):
    def total_flux(self, params):
        return 1.01 * super().total_flux(params)


class Offset(Sersic):
    def surface_brightness(self, x, y, params):
        return 1.0 + super().surface_brightness(x, y, params)


def test_wrong_flux_is_found():
    with pytest.raises(AssertionError, match="total flux: deviation"):
        LightModelContract().test_total_flux(TooBright(), ignore)


def test_light_that_is_not_linear_is_found():
    with pytest.raises(AssertionError, match="not close"):
        LightModelContract().test_linear_in_amplitudes(Offset())


class Anonymous(Sersic):
    parameters = tuple(replace(p, linear=False) for p in Sersic.parameters)


class Undeclared(MultiGaussian):
    linear_names = ("amplitude_01",)


def test_light_without_linear_parameters_is_found():
    with pytest.raises(AssertionError, match="at least one parameter must be linear"):
        LightModelContract().test_linear_in_amplitudes(Anonymous())


def test_amplitudes_that_are_not_declared_linear_are_found():
    with pytest.raises(AssertionError, match="expected .*'amplitude_02'.*_01',"):
        LightModelContract().test_linear_in_amplitudes(Undeclared())


class Squeezed(MultiGaussian):
    def basis(self, x, y, params):
        return 1.001 * super().basis(x, y, params)


class Short(MultiGaussian):
    def basis(self, x, y, params):
        return super().basis(x, y, params)[:, 1:]


def test_wrong_basis_is_found():
    with pytest.raises(AssertionError, match="not close"):
        LightModelContract().test_basis(Squeezed())
    with pytest.raises(AssertionError, match=r"expected a basis of shape \(3, 18, 7, 8\), got"):
        LightModelContract().test_basis(Short())


def test_contracts_are_for_subclasses_of_the_interfaces():
    assert issubclass(Paraboloid, LensModel)
    assert issubclass(Sersic, LightModel)

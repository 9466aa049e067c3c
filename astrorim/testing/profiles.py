"""Contracts of lens and light models."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor

from astrorim.interfaces import LensModel, LightModel
from astrorim.testing.checks import (
    Record,
    check_declaration,
    check_finite,
    check_numerical_gradient,
    draw_inputs,
    forward_mode_deviation,
    largest_deviation,
    report,
    require,
)

__all__ = ["LensModelContract", "LightModelContract"]


class _ModelContract:
    """What lens and light models have in common."""

    number_of_draws = 20_000
    """Draws of each dtype for the check that everything is finite."""

    @pytest.fixture
    def model(self) -> Any:
        """Instance to check; override it."""
        pytest.fail("give the contract class a fixture 'model' that returns an instance")

    @staticmethod
    def outputs(model: Any) -> Callable[..., tuple[Tensor, ...]]:
        """All functions of the model as one, ``(x, y, params) -> tensors``."""
        raise NotImplementedError

    def test_declaration(self, model: Any) -> None:
        """The name is a string, the parameters are declared once each."""
        check_declaration(model)

    @pytest.mark.parametrize("dtype", [torch.float32, torch.float64], ids=str)
    def test_dtype_and_broadcasting(self, model: Any, dtype: torch.dtype) -> None:
        """Results follow the dtype and broadcast (B, 1, 1) against (H, W)."""
        x, y, params = draw_inputs(model, (3, 4, 5), seed=1)
        params = {name: value.to(dtype) for name, value in params.items()}
        function = self.outputs(model)
        shared = function(x[0].to(dtype), y[0].to(dtype), params)
        batched = function(x[:1].to(dtype), y[:1].to(dtype), params)
        for output, again in zip(shared, batched, strict=True):
            require(output.dtype == dtype, f"expected {dtype}, got {output.dtype}")
            require(output.shape == (3, 4, 5), f"expected (3, 4, 5), got {output.shape}")
            torch.testing.assert_close(output, again)

    @pytest.mark.parametrize("dtype", [torch.float32, torch.float64], ids=str)
    def test_finite_everywhere(self, model: Any, dtype: torch.dtype) -> None:
        """No value and no gradient is infinite or NaN, at special points neither."""
        check_finite(self.outputs(model), model.parameters, self.number_of_draws, dtype)

    def test_forward_mode(self, model: Any, record_property: Record) -> None:
        """Forward-mode derivatives exist and equal the reverse-mode ones."""
        deviation = forward_mode_deviation(
            self.outputs(model), *draw_inputs(model, (4, 8, 8), seed=2)
        )
        report(record_property, f"{model.name}: forward mode", deviation, 1e-9)

    def test_numerical_gradient(self, model: Any) -> None:
        """Gradients agree with finite differences."""
        check_numerical_gradient(self.outputs(model), model)


class LensModelContract(_ModelContract):
    """Checks of `astrorim.interfaces.LensModel`."""

    tolerance = 1e-7
    """Limit of the identities, arcsec or relative."""

    @staticmethod
    def outputs(model: LensModel) -> Callable[..., tuple[Tensor, ...]]:
        """Potential, deflection and convergence as one function."""

        def function(x: Tensor, y: Tensor, params: Mapping[str, Tensor]) -> tuple[Tensor, ...]:
            return (
                model.potential(x, y, params),
                *model.deflection(x, y, params),
                model.convergence(x, y, params),
            )

        return function

    def test_gradient_of_potential(self, model: LensModel, record_property: Record) -> None:
        """The gradient of the potential is the deflection."""
        x, y, params = draw_inputs(model, (20, 30, 30), seed=4)
        x.requires_grad_()
        y.requires_grad_()
        gradient = torch.autograd.grad(model.potential(x, y, params).sum(), (x, y))
        deflection = model.deflection(x, y, params)
        deviation = float(np.max(list(map(largest_deviation, gradient, deflection))))
        report(record_property, f"{model.name}: grad psi - alpha", deviation, self.tolerance)

    def test_laplacian_of_potential(self, model: LensModel, record_property: Record) -> None:
        """Half the Laplacian of the potential is the convergence."""
        x, y, params = draw_inputs(model, (20, 30, 30), seed=5)
        x.requires_grad_()
        y.requires_grad_()
        potential = model.potential(x, y, params).sum()
        a_x, a_y = torch.autograd.grad(potential, (x, y), create_graph=True)
        (a_xx,) = torch.autograd.grad(a_x.sum(), x, retain_graph=True, materialize_grads=True)
        (a_yy,) = torch.autograd.grad(a_y.sum(), y, materialize_grads=True)
        kappa = model.convergence(x, y, params)
        deviation = largest_deviation((a_xx + a_yy) / 2, kappa)
        name = f"{model.name}: laplacian psi / 2 - kappa"
        report(record_property, name, deviation, self.tolerance)

    def test_curl_of_deflection(self, model: LensModel, record_property: Record) -> None:
        """The deflection has no curl, so that the shear is symmetric."""
        x, y, params = draw_inputs(model, (20, 30, 30), seed=6)
        x.requires_grad_()
        y.requires_grad_()
        a_x, a_y = model.deflection(x, y, params)
        (a_xy,) = torch.autograd.grad(a_x.sum(), y, retain_graph=True, materialize_grads=True)
        (a_yx,) = torch.autograd.grad(a_y.sum(), x, materialize_grads=True)
        deviation = largest_deviation(a_xy, a_yx)
        report(record_property, f"{model.name}: curl alpha", deviation, self.tolerance)


class LightModelContract(_ModelContract):
    """Checks of `astrorim.interfaces.LightModel`."""

    @staticmethod
    def outputs(model: LightModel) -> Callable[..., tuple[Tensor, ...]]:
        """Surface brightness as a function with one output."""
        return lambda x, y, params: (model.surface_brightness(x, y, params),)

    def test_linear_in_amplitudes(self, model: LightModel) -> None:
        """Some parameters, the amplitudes, are linear, and the model is so in them."""
        linear = model.linear_names
        declared = tuple(p.name for p in model.parameters if p.name.startswith("amplitude"))
        require(linear, "at least one parameter must be linear, got none")
        require(linear == declared, f"expected {declared} to be linear, got {linear}")
        x, y, params = draw_inputs(model, (3, 8, 8), seed=1)
        brightness = model.surface_brightness(x, y, params)
        for name in linear:
            params[name] = 3 * params[name]
        tripled = model.surface_brightness(x, y, params)
        torch.testing.assert_close(tripled, 3 * brightness)

    def test_basis(self, model: LightModel) -> None:
        """The basis is that of the interface, and adds up to the surface brightness."""
        x, y, params = draw_inputs(model, (3, 7, 8), seed=4)
        basis = model.basis(x, y, params)
        shape = (3, len(model.linear_names), 7, 8)
        require(basis.shape == shape, f"expected a basis of shape {shape}, got {basis.shape}")
        torch.testing.assert_close(basis, LightModel.basis(model, x, y, params))
        amplitudes = torch.stack([params[name] for name in model.linear_names], dim=1)
        total = (amplitudes * basis).sum(dim=1)
        torch.testing.assert_close(total, model.surface_brightness(x, y, params))

    def test_total_flux(self, model: LightModel, record_property: Record) -> None:
        """The total flux is the integral of the surface brightness over the plane."""
        _, _, params = draw_inputs(model, (8, 1, 1), seed=2)
        log_r = torch.linspace(-16, 8, 1201, dtype=torch.float64)[:, None]
        angle = torch.arange(256, dtype=torch.float64) * (2 * math.pi / 256)
        x = params.get("x0", 0) + torch.exp(log_r) * torch.cos(angle)
        y = params.get("y0", 0) + torch.exp(log_r) * torch.sin(angle)
        rings = (model.surface_brightness(x, y, params) * torch.exp(2 * log_r)).mean(dim=-1)
        integral = 2 * math.pi * rings.sum(dim=-1) * float(log_r[1] - log_r[0])
        ratio = integral / model.total_flux(params).reshape(-1)
        deviation = largest_deviation(ratio, torch.ones_like(ratio))
        report(record_property, f"{model.name}: total flux", deviation, 1e-4)

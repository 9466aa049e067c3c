"""Draws of positions and parameters, and the checks that contracts are made of."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np
import torch
from torch import Tensor

from astrorim.interfaces import LensModel, LightModel
from astrorim.parameters import Parameter, ParameterSet

__all__ = [
    "Record",
    "check_declaration",
    "check_finite",
    "check_numerical_gradient",
    "draw_inputs",
    "draw_parameters",
    "draw_special_points",
    "forward_mode_deviation",
    "largest_deviation",
    "report",
    "require",
]

Record = Callable[[str, object], None]


def require(condition: object, message: str) -> None:
    """Fail with ``message`` unless the condition holds.

    Parameters
    ----------
    condition : object
        What must be true.
    message : str
        What is wrong otherwise, with the value that came.

    Raises
    ------
    AssertionError
        If the condition does not hold.
    """
    if not condition:
        raise AssertionError(message)


def largest_deviation(actual: Tensor, expected: Tensor) -> float:
    """Largest deviation, relative where the expected value exceeds one, else absolute.

    Parameters
    ----------
    actual, expected : Tensor, any shape
        Values to compare.

    Returns
    -------
    float
        NaN where either holds one.
    """
    actual, expected = actual.detach(), expected.detach()
    return float(((actual - expected).abs() / expected.abs().clamp_min(1)).max())


def report(record: Record, name: str, deviation: float, limit: float) -> None:
    """Record and print a deviation, and fail where it exceeds its limit.

    Parameters
    ----------
    record : callable
        The fixture ``record_property`` of pytest.
    name : str
        What was compared.
    deviation, limit : float
        Largest deviation found, and allowed.

    Raises
    ------
    AssertionError
        If the deviation exceeds the limit or is NaN.
    """
    record(name, float(deviation))  # numbers of numpy do not travel between processes
    print(f"{name}: largest deviation {deviation:.2e}, limit {limit:.0e}")  # noqa: T201
    require(deviation <= limit, f"{name}: deviation {deviation:.3e} exceeds {limit:.0e}")


def _bounds(parameter: Parameter, *, of_support: bool) -> tuple[float, float]:
    """An interval to draw from: the prior, or the support where it is finite."""
    bounds = []
    for support, prior in zip(parameter.support, parameter.prior, strict=True):
        bounds.append(support if of_support and math.isfinite(support) else prior)
    return bounds[0], bounds[1]


def draw_parameters(
    parameters: Sequence[Parameter],
    shape: tuple[int, ...],
    generator: torch.Generator,
    *,
    of_support: bool = False,
    dtype: torch.dtype = torch.float64,
) -> dict[str, Tensor]:
    """Draw parameter values uniformly.

    Parameters
    ----------
    parameters : sequence of Parameter
        What to draw.
    shape : tuple of int
        Shape of each tensor.
    generator : torch.Generator
        Source of the random numbers.
    of_support : bool, optional
        Whether to draw from the support instead of the prior; an infinite end is
        replaced by the prior's.
    dtype : torch.dtype, optional
        Of the tensors.

    Returns
    -------
    dict of str to Tensor, ``shape``
    """
    params = {}
    for parameter in parameters:
        low, high = _bounds(parameter, of_support=of_support)
        unit = torch.rand(shape, generator=generator, dtype=torch.float64)
        params[parameter.name] = (low + (high - low) * unit).to(dtype)
    return params


def draw_special_points(
    parameters: Sequence[Parameter],
    number: int,
    generator: torch.Generator,
    *,
    dtype: torch.dtype = torch.float64,
) -> tuple[Tensor, Tensor, dict[str, Tensor]]:
    """Draw positions and parameters from the supports, a third of each at special values.

    Special are: the ends of each support, zero and a tiny ellipticity, a slope of 2; the
    centre, positions very close to it, and one scale radius from it.

    Parameters
    ----------
    parameters : sequence of Parameter
        What to draw.
    number : int
        Number N of draws.
    generator : torch.Generator
        Source of the random numbers.
    dtype : torch.dtype, optional
        Of the tensors.

    Returns
    -------
    x, y : Tensor, (N,), arcsec
    params : dict of str to Tensor, (N,)
    """

    def uniform() -> Tensor:
        return torch.rand(number, generator=generator, dtype=torch.float64)

    params = draw_parameters(parameters, (number,), generator, of_support=True)
    for parameter in parameters:
        low, high = _bounds(parameter, of_support=True)
        choice = uniform()
        value = torch.where(choice < 0.03, low, params[parameter.name])
        value = torch.where((choice > 0.03) & (choice < 0.06), high, value)
        params[parameter.name] = value
    if "slope" in params:
        params["slope"] = torch.where(uniform() < 0.3, 2.0, params["slope"])
    if "e1" in params:
        choice = uniform()
        shrink = torch.where(choice < 0.15, 0.0, 1.0)
        shrink = torch.where(choice > 0.85, 10 ** (-16 * uniform()), shrink)
        params |= {name: params[name] * shrink for name in ("e1", "e2")}
    params = {name: value.to(dtype) for name, value in params.items()}

    radius, angle = 5 * torch.sqrt(uniform()), 2 * math.pi * uniform()
    choice = uniform()
    radius = torch.where(choice < 0.1, 0.0, radius)
    radius = torch.where((choice > 0.1) & (choice < 0.2), 10 ** (-12 * uniform()), radius)
    angle = torch.where(uniform() < 0.2, 0.0, angle)
    if "rs" in params:
        radius = torch.where((choice > 0.2) & (choice < 0.3), params["rs"], radius)
    x = (radius * torch.cos(angle)).to(dtype) + params.get("x0", 0)
    y = (radius * torch.sin(angle)).to(dtype) + params.get("y0", 0)
    return x, y, params


def draw_inputs(
    model: LensModel | LightModel, shape: tuple[int, ...], seed: int
) -> tuple[Tensor, Tensor, dict[str, Tensor]]:
    """Draw positions in 6 x 6 arcsec, and parameters from the priors.

    Parameters
    ----------
    model : LensModel or LightModel
        Whose parameters are drawn.
    shape : tuple of int
        Shape of the positions, (B, ...).
    seed : int
        Seed of the random numbers.

    Returns
    -------
    x, y : Tensor, ``shape``, arcsec
    params : dict of str to Tensor, (B, 1, ...)
    """
    generator = torch.Generator().manual_seed(seed)
    params = draw_parameters(model.parameters, (shape[0], *(1 for _ in shape[1:])), generator)
    x, y = (6 * torch.rand(2, *shape, generator=generator, dtype=torch.float64)) - 3
    return x, y, params


def check_declaration(model: Any) -> None:
    """Check that a model has a name and declares each parameter once.

    Parameters
    ----------
    model : object
        Instance of an interface with ``name`` and ``parameters``.
    """
    require(isinstance(model.name, str) and model.name, "name must be a non-empty string")
    ParameterSet(model.parameters)  # raises where a name occurs twice


def check_finite(
    function: Callable[..., Sequence[Tensor]],
    parameters: Sequence[Parameter],
    number: int,
    dtype: torch.dtype,
) -> None:
    """Check that values and gradients are finite at special points and elsewhere.

    Parameters
    ----------
    function : callable
        ``function(x, y, params)`` returns a sequence of tensors.
    parameters : sequence of Parameter
        Parameters to draw, see `draw_special_points`.
    number : int
        Number of draws.
    dtype : torch.dtype
        Of positions and parameters.

    Raises
    ------
    AssertionError
        If a value or a gradient is not finite; the message says where.
    """
    generator = torch.Generator().manual_seed(20260211)
    for start in range(0, number, 20_000):
        size = min(20_000, number - start)
        x, y, params = draw_special_points(parameters, size, generator, dtype=dtype)
        names = ["x", "y", *params]
        inputs = [tensor.clone().requires_grad_() for tensor in (x, y, *params.values())]
        outputs = function(*inputs[:2], dict(zip(names[2:], inputs[2:], strict=True)))
        for i, output in enumerate(outputs):
            _require_finite(output, f"output {i}", names, inputs)
        # One backward pass for all outputs: nothing that is not finite cancels in a sum.
        total = torch.stack([output.sum() for output in outputs]).sum()
        gradients = torch.autograd.grad(total, inputs, materialize_grads=True)
        for name, gradient in zip(names, gradients, strict=True):
            _require_finite(gradient, f"gradient by {name}", names, inputs)


def _require_finite(
    value: Tensor, what: str, names: Sequence[str], inputs: Sequence[Tensor]
) -> None:
    bad = (~torch.isfinite(value)).nonzero()
    if len(bad):
        values = zip(names, inputs, strict=True)
        where = ", ".join(f"{name}={float(v.detach()[bad[0, 0]]):.6g}" for name, v in values)
        require(False, f"{what} is not finite at {where}")


def forward_mode_deviation(
    function: Callable[..., Sequence[Tensor]],
    x: Tensor,
    y: Tensor,
    params: Mapping[str, Tensor],
) -> float:
    """Largest difference between <v, J u> by forward mode and by reverse mode.

    Parameters
    ----------
    function : callable
        ``function(x, y, params)`` returns a sequence of tensors.
    x, y : Tensor, (B, H, W), arcsec
        Positions.
    params : mapping of str to Tensor, (B, 1, 1)
        Parameter values.

    Returns
    -------
    float
        Relative where the products exceed one.
    """
    generator = torch.Generator().manual_seed(7)
    names = list(params)
    primals = (x, y, *params.values())
    tangents = tuple(
        torch.randn(tensor.shape, generator=generator, dtype=tensor.dtype) for tensor in primals
    )

    def outputs(*inputs: Tensor) -> tuple[Tensor, ...]:
        return tuple(function(*inputs[:2], dict(zip(names, inputs[2:], strict=True))))

    derivative: tuple[Tensor, ...] = torch.func.jvp(outputs, primals, tangents)[1]
    leaves = [tensor.clone().requires_grad_() for tensor in primals]
    deviations = []
    for output, forward in zip(outputs(*leaves), derivative, strict=True):
        weight = torch.randn(output.shape, generator=generator, dtype=output.dtype)
        reverse = torch.zeros((), dtype=output.dtype)
        if output.requires_grad:
            gradients = torch.autograd.grad(
                output, leaves, weight, retain_graph=True, materialize_grads=True
            )
            for gradient, tangent in zip(gradients, tangents, strict=True):
                reverse = reverse + (gradient * tangent).sum()
        deviations.append(largest_deviation((weight * forward).sum(), reverse))
    return float(np.max(deviations))


def check_numerical_gradient(
    function: Callable[..., Sequence[Tensor]], model: LensModel | LightModel
) -> None:
    """Check gradients with respect to every input against finite differences.

    Parameters
    ----------
    function : callable
        ``function(x, y, params)`` returns a sequence of tensors.
    model : LensModel or LightModel
        Whose parameters are drawn.
    """
    x, y, params = draw_inputs(model, (6,), seed=3)
    # Unit amplitudes: finite differences of large numbers lose digits.
    for parameter in model.parameters:
        if parameter.linear:
            params[parameter.name] = torch.ones_like(params[parameter.name])
    inputs = [tensor.clone().requires_grad_() for tensor in (x, y, *params.values())]

    def outputs(*tensors: Tensor) -> tuple[Tensor, ...]:
        results = function(*tensors[:2], dict(zip(params, tensors[2:], strict=True)))
        return tuple(result for result in results if result.requires_grad)

    torch.autograd.gradcheck(outputs, inputs, rtol=1e-4, atol=1e-6)

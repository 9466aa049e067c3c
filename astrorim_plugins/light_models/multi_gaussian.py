r"""Multi-Gaussian expansion: concentric Gaussians of fixed widths and free amplitudes.

.. math::
    I(R) = \sum_{k=1}^{K} a_k \exp\!\left(-\frac{R^2}{2 \sigma_k^2}\right), \qquad
    R^2 = q x'^2 + y'^2 / q

(Emsellem, Monnet & Bacon 1994, A&A 285, 723; Cappellari 2002, MNRAS 333, 400, eq. 1). The
widths are logarithmically spaced and held, so that at a given shape and centre the model is
linear, as He et al. (2024, MNRAS 532, 2441) have it for lens galaxies. The radius is the
product average of the axes, as everywhere in AstroRIM.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any, ClassVar

import astropy.units as u
import torch

from astrorim.interfaces import LightModel
from astrorim.lensing.special import bounded_ellipticity, elliptical_coordinates
from astrorim.parameters import Parameter
from astrorim_plugins.shared_parameters import E1, E2, X0, Y0

if TYPE_CHECKING:
    from collections.abc import Mapping

    from torch import Tensor

__all__ = ["MultiGaussian", "gaussian_widths"]

_NUMBER = 18
_SMALLEST, _LARGEST = 0.03, 3.0  # arcsec


def gaussian_widths(number: int, smallest: float, largest: float) -> tuple[float, ...]:
    """Logarithmically spaced widths of Gaussians.

    Parameters
    ----------
    number : int
        How many, 2 to 99.
    smallest, largest : float
        First and last width, arcsec.

    Returns
    -------
    tuple of float
        Standard deviations, arcsec, increasing.

    Raises
    ------
    ValueError
        If the number is not 2 to 99, or the widths are not positive, finite and increasing.
    """
    if number not in range(2, 100):
        raise ValueError(f"number of Gaussians must be an integer 2 to 99, got {number!r}")
    if not 0 < smallest < largest < math.inf:
        raise ValueError(
            f"widths must be 0 < smallest < largest, arcsec, got {smallest!r} and {largest!r}"
        )
    ratio = math.log(largest / smallest) / (number - 1)
    return tuple(smallest * math.exp(k * ratio) for k in range(number))


def _amplitude(number: int) -> Parameter:
    return Parameter(
        name=f"amplitude_{number:02d}",
        symbol=f"I_{{{number}}}",
        unit=u.dimensionless_unscaled / u.arcsec**2,
        support=(0.0, math.inf),
        prior=(0.0, 1e6),
        description=f"Central surface brightness of Gaussian {number}, in the image's unit",
        fits_key=f"AMPLIT{number:02d}",
        linear=True,
    )


class MultiGaussian(LightModel):
    """Multi-Gaussian expansion, all components of one centre, axis ratio and orientation.

    Parameters
    ----------
    number : int, optional
        How many Gaussians, 2 to 99.
    smallest, largest : float, optional
        Widths (standard deviations along the product average of the axes) of the first
        and the last one, arcsec; those between are logarithmically spaced.

    Attributes
    ----------
    widths : tuple of float
        Width of each Gaussian, arcsec.

    Raises
    ------
    ValueError
        As `gaussian_widths` says.
    """

    name: ClassVar[str] = "multi-gaussian"
    parameters: ClassVar[tuple[Parameter, ...]] = (
        *map(_amplitude, range(1, _NUMBER + 1)),
        *(E1, E2, X0, Y0),
    )

    def __init__(
        self, number: int = _NUMBER, smallest: float = _SMALLEST, largest: float = _LARGEST
    ) -> None:
        self.widths = gaussian_widths(number, smallest, largest)
        amplitudes = map(_amplitude, range(1, number + 1))
        self.parameters = (*amplitudes, E1, E2, X0, Y0)  # type: ignore[misc]

    def __repr__(self) -> str:
        return (
            f"MultiGaussian(number={len(self.widths)}, smallest={self.widths[0]:g}, "
            f"largest={self.widths[-1]:g})"
        )

    def basis(self, x: Tensor, y: Tensor, params: Mapping[str, Tensor]) -> Tensor:
        """Gaussians of central brightness one; see `LightModel.basis`.

        Parameters
        ----------
        x, y : Tensor, (B, H, W), arcsec
            Positions.
        params : mapping of str to Tensor, (B, 1, 1)
            Parameter values; the amplitudes do not matter.

        Returns
        -------
        Tensor, (B, K, H, W), flux per arcsec^2
        """
        square = _radius_square(x, y, params).unsqueeze(1)
        factors = square.new_tensor(self._factors()).view(-1, *(1,) * (square.dim() - 2))
        return _floored_exp(square * factors)

    def surface_brightness(self, x: Tensor, y: Tensor, params: Mapping[str, Tensor]) -> Tensor:
        """Sum of the Gaussians, one after the other to save memory.

        Parameters
        ----------
        x, y : Tensor, (B, H, W), arcsec
            Positions.
        params : mapping of str to Tensor, (B, 1, 1)
            Parameter values.

        Returns
        -------
        Tensor, (B, H, W), flux per arcsec^2
        """
        square = _radius_square(x, y, params)
        amplitudes = torch.stack([params[name] for name in self.linear_names])
        return _GaussianSum.apply(square, amplitudes, tuple(self._factors()))

    def total_flux(self, params: Mapping[str, Tensor]) -> Tensor:
        r"""Flux :math:`\sum_k 2 \pi \sigma_k^2 a_k`, Cappellari (2002), eq. 10.

        Parameters
        ----------
        params : mapping of str to Tensor, (B, 1, 1)
            Parameter values.

        Returns
        -------
        Tensor, (B, 1, 1), flux
        """
        fluxes = [
            2 * math.pi * width**2 * params[name]
            for name, width in zip(self.linear_names, self.widths, strict=True)
        ]
        return torch.stack(fluxes).sum(dim=0)

    def _factors(self) -> list[float]:
        """Factors that turn the squared radius into exponents, 1/arcsec^2."""
        return [-0.5 / width**2 for width in self.widths]


def _radius_square(x: Tensor, y: Tensor, params: Mapping[str, Tensor]) -> Tensor:
    """Square of the elliptical radius, arcsec^2."""
    e1, e2, square = bounded_ellipticity(params["e1"], params["e2"])
    X, Y = elliptical_coordinates(x - params["x0"], y - params["y0"], e1, e2)
    return (X * X + Y * Y) / (1 - square)


class _GaussianSum(torch.autograd.Function):
    r"""Sum :math:`\sum_k a_k e^{c_k s}`, whose slope in s is another such sum.

    Differentiated term by term, every parameter's derivative would be a sum over all terms.
    """

    generate_vmap_rule = True

    @staticmethod
    def forward(square: Tensor, amplitudes: Tensor, factors: tuple[float, ...]) -> Tensor:
        """Squares (B, H, W), amplitudes (K, B, 1, 1), K factors c."""
        total = torch.zeros_like(square)
        for amplitude, factor in zip(amplitudes, factors, strict=True):
            total = total + amplitude * _floored_exp(square * factor)
        return total

    @staticmethod
    def setup_context(ctx: Any, inputs: tuple[Any, ...], _output: Tensor) -> None:
        square, amplitudes, ctx.factors = inputs
        ctx.save_for_backward(square, amplitudes)
        ctx.save_for_forward(square, amplitudes)

    @staticmethod
    def backward(ctx: Any, grad: Tensor) -> tuple[Tensor | None, Tensor | None, None]:
        square, amplitudes = ctx.saved_tensors
        by_square = by_amplitudes = None
        if ctx.needs_input_grad[0]:
            by_square = grad * _slope(square, amplitudes, ctx.factors)
        if ctx.needs_input_grad[1]:
            parts = (grad * _floored_exp(square * factor) for factor in ctx.factors)
            shape = amplitudes.shape[1:]
            by_amplitudes = torch.stack([part.sum_to_size(shape) for part in parts])
        return by_square, by_amplitudes, None

    @staticmethod
    def jvp(ctx: Any, d_square: Tensor | None, d_amplitudes: Tensor | None, _: None) -> Tensor:
        square, amplitudes = ctx.saved_tensors
        tangent = torch.zeros_like(square)
        if d_square is not None:
            tangent = d_square * _slope(square, amplitudes, ctx.factors)
        if d_amplitudes is not None:
            tangent = tangent + _GaussianSum.apply(square, d_amplitudes, ctx.factors)
        return tangent


def _slope(square: Tensor, amplitudes: Tensor, factors: tuple[float, ...]) -> Tensor:
    weights = amplitudes.new_tensor(factors).view(-1, *(1,) * (amplitudes.dim() - 1))
    return _GaussianSum.apply(square, amplitudes * weights, factors)


def _floored_exp(exponent: Tensor) -> Tensor:
    """Exponential, not below a thousand times the smallest normal number."""
    lowest = math.log(1e3 * torch.finfo(exponent.dtype).tiny)
    return torch.exp(torch.clamp_min(exponent, lowest))

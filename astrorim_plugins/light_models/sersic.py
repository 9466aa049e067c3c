r"""Elliptical Sersic profile.

.. math::
    I(R) = A \exp\!\left\{-b_n \left[(R/R_e)^{1/n} - 1\right]\right\}, \qquad
    R^2 = q x'^2 + y'^2 / q

(Sersic 1963; Graham & Driver 2005, PASA 22, 118, eq. 1). The radius is the product
average of the axes, as everywhere in AstroRIM, so that half of the light lies inside the
ellipse of area :math:`\pi R_e^2` whatever its axis ratio.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, ClassVar

import astropy.units as u
import torch

from astrorim.interfaces import LightModel
from astrorim.lensing.special import (
    bounded_ellipticity,
    elliptical_coordinates,
    floored_square,
)
from astrorim.parameters import Parameter
from astrorim_plugins.shared_parameters import E1, E2, X0, Y0

if TYPE_CHECKING:
    from collections.abc import Mapping

    from torch import Tensor

__all__ = ["Sersic", "sersic_b", "sersic_brightness", "sersic_total_flux"]


def sersic_b(sersic_index: Tensor) -> Tensor:
    r"""Constant :math:`b_n` that makes :math:`R_e` enclose half of the light.

    Asymptotic series of Ciotti & Bertin (1999, A&A 352, 447), eq. 18, which solves
    :math:`\gamma(2n, b_n) = \Gamma(2n)/2`. Its relative error is 3e-6 at n = 2, 3e-5 at
    1, 4e-4 at 0.5 and 2e-3 at 0.3, the lower end of the support.

    Parameters
    ----------
    sersic_index : Tensor, (B, 1, 1), dimensionless
        Sersic index n.

    Returns
    -------
    Tensor, (B, 1, 1), dimensionless
    """
    u_ = 1 / sersic_index
    series = 131 / 1148175 - u_ * (2194697 / 30690717750)
    series = 4 / 405 + u_ * (46 / 25515 + u_ * series)
    return 2 * sersic_index - 1 / 3 + u_ * series


def sersic_brightness(
    x: Tensor,
    y: Tensor,
    amplitude: Tensor,
    half_light_radius: Tensor,
    sersic_index: Tensor,
    e1: Tensor,
    e2: Tensor,
) -> Tensor:
    """Surface brightness of an elliptical Sersic profile at the origin.

    For n > 1 the slope diverges at the centre; the brightness is held constant within
    `MIN_RADIUS`. Far out it does not fall below the amplitude times a thousand times the
    smallest normal number, 1e-35 in float32: subnormal numbers take ten times as long.

    Parameters
    ----------
    x, y : Tensor, (B, H, W), arcsec
        Positions relative to the centre.
    amplitude : Tensor, (B, 1, 1), flux per arcsec^2
        Surface brightness at the half-light radius.
    half_light_radius : Tensor, (B, 1, 1), arcsec
        Half-light radius, product average of the axes.
    sersic_index : Tensor, (B, 1, 1), dimensionless
        Sersic index.
    e1, e2 : Tensor, (B, 1, 1), dimensionless
        Ellipticity.

    Returns
    -------
    Tensor, (B, H, W), flux per arcsec^2
    """
    e1, e2, square = bounded_ellipticity(e1, e2)
    X, Y = elliptical_coordinates(x, y, e1, e2)
    radius_square = floored_square((X * X + Y * Y) / (1 - square))
    log_radius = torch.log(radius_square) / 2 - torch.log(half_light_radius)
    b = sersic_b(sersic_index)
    exponent = b - b * torch.exp(log_radius / sersic_index)
    lowest = math.log(1e3 * torch.finfo(exponent.dtype).tiny)
    return amplitude * torch.exp(torch.clamp_min(exponent, lowest))


def sersic_total_flux(
    amplitude: Tensor, half_light_radius: Tensor, sersic_index: Tensor
) -> Tensor:
    r"""Flux :math:`2 \pi n A R_e^2 e^{b_n} b_n^{-2n} \Gamma(2n)`.

    Graham & Driver (2005), eq. 2 in the limit of infinite radius. With the product
    average as radius the axis ratio does not appear.

    Parameters
    ----------
    amplitude : Tensor, (B, 1, 1), flux per arcsec^2
        Surface brightness at the half-light radius.
    half_light_radius : Tensor, (B, 1, 1), arcsec
        Half-light radius.
    sersic_index : Tensor, (B, 1, 1), dimensionless
        Sersic index.

    Returns
    -------
    Tensor, (B, 1, 1), flux
    """
    b = sersic_b(sersic_index)
    n2 = 2 * sersic_index
    shape = torch.exp(b - n2 * torch.log(b) + torch.lgamma(n2))
    return math.pi * n2 * amplitude * half_light_radius**2 * shape


class Sersic(LightModel):
    """Elliptical Sersic profile."""

    name: ClassVar[str] = "sersic"
    parameters: ClassVar[tuple[Parameter, ...]] = (
        Parameter(
            name="amplitude",
            symbol=r"I_\mathrm{e}",
            unit=u.dimensionless_unscaled / u.arcsec**2,
            support=(0.0, math.inf),
            prior=(0.0, 1e6),
            description="Surface brightness at the half-light radius, in the image's unit",
            linear=True,
        ),
        Parameter(
            name="half_light_radius",
            symbol=r"R_\mathrm{e}",
            unit=u.arcsec,
            support=(1e-3, 50.0),
            prior=(0.05, 1.5),
            description="Half-light radius, product average of the axes",
        ),
        Parameter(
            name="sersic_index",
            symbol="n",
            unit=u.dimensionless_unscaled,
            support=(0.3, 8.0),
            prior=(0.5, 6.0),
            description="Sersic index",
        ),
        E1,
        E2,
        X0,
        Y0,
    )

    def surface_brightness(self, x: Tensor, y: Tensor, params: Mapping[str, Tensor]) -> Tensor:
        """See `sersic_brightness`."""
        return sersic_brightness(
            x - params["x0"],
            y - params["y0"],
            params["amplitude"],
            params["half_light_radius"],
            params["sersic_index"],
            params["e1"],
            params["e2"],
        )

    def total_flux(self, params: Mapping[str, Tensor]) -> Tensor:
        """See `sersic_total_flux`."""
        return sersic_total_flux(
            params["amplitude"], params["half_light_radius"], params["sersic_index"]
        )

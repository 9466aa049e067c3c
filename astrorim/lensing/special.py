r"""Functions that several mass and light profiles are written in.

An ellipse is given by :math:`\epsilon = e_1 + i e_2 = f e^{2 i \phi}` with
:math:`f = (1 - q)/(1 + q)`. Everything here is polynomial in :math:`e_1` and
:math:`e_2`, so that circles need no special case: with :math:`z = x + i y` about the
centre,

.. math::
    Z = z - \epsilon \bar z, \qquad
    R^2 = q x'^2 + y'^2 / q = \frac{|Z|^2}{1 - |\epsilon|^2},

where :math:`x', y'` are measured along the axes of the ellipse, and the argument of
:math:`Z` is the elliptical angle plus :math:`\phi`.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import torch
from torch.nn import functional

if TYPE_CHECKING:
    from torch import Tensor

__all__ = [
    "MAX_ELLIPTICITY",
    "MIN_RADIUS",
    "bounded_ellipticity",
    "elliptical_coordinates",
    "floored_square",
    "inverse_radius",
]

MIN_RADIUS = 1e-6
"""Radius, arcsec, inside which a profile's centre is guarded.

Slopes and densities of cuspy profiles diverge at the centre. A millionth of an
arcsecond is a ten-thousandth of the finest sub-pixel in use, and its square, 1e-12,
is still far from the smallest float32.
"""

MAX_ELLIPTICITY = 9 / 11
"""Largest modulus of (e1, e2) that is evaluated; the axis ratio is then 0.1."""


def bounded_ellipticity(e1: Tensor, e2: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """Ellipticity whose modulus is at most `MAX_ELLIPTICITY`.

    The supports of e1 and e2 are intervals, so their corners lie outside the unit
    disk, where no ellipse exists. There the modulus is reduced to `MAX_ELLIPTICITY` at
    the same position angle; inside, the values pass unchanged.

    Parameters
    ----------
    e1, e2 : Tensor, (B, 1, 1), dimensionless
        Components of the ellipticity.

    Returns
    -------
    e1, e2 : Tensor, (B, 1, 1), dimensionless
        Bounded components.
    square : Tensor, (B, 1, 1), dimensionless
        Square of their modulus.
    """
    square = e1 * e1 + e2 * e2
    scale = torch.clamp_min(square, MAX_ELLIPTICITY**2).rsqrt() * MAX_ELLIPTICITY
    # Inside the disk the factor is exactly one, not one plus a rounding error.
    scale = torch.where(square > MAX_ELLIPTICITY**2, scale, torch.ones_like(scale))
    return e1 * scale, e2 * scale, square * scale * scale


def elliptical_coordinates(
    x: Tensor, y: Tensor, e1: Tensor, e2: Tensor
) -> tuple[Tensor, Tensor]:
    r"""Components of :math:`Z = z - \epsilon \bar z`.

    Parameters
    ----------
    x, y : Tensor, (B, H, W), arcsec
        Positions relative to the centre of the ellipse.
    e1, e2 : Tensor, (B, 1, 1), dimensionless
        Components of the ellipticity.

    Returns
    -------
    X, Y : Tensor, (B, H, W), arcsec
    """
    return (1 - e1) * x - e2 * y, (1 + e1) * y - e2 * x


def inverse_radius(square: Tensor) -> Tensor:
    """Inverse of a radius, from its square; zero, with zero slope, inside `MIN_RADIUS`.

    A direction at the centre does not exist. Zero is the mean over all directions, and
    the zero slope keeps a pixel that happens to lie on the centre from contributing
    an arbitrarily large gradient.

    Parameters
    ----------
    square : Tensor, (B, H, W), arcsec^2
        Squared radius.

    Returns
    -------
    Tensor, (B, H, W), 1/arcsec
    """
    return functional.threshold(square, MIN_RADIUS**2, math.inf).rsqrt()


def floored_square(square: Tensor) -> Tensor:
    """Squared radius, not below `MIN_RADIUS` squared.

    Parameters
    ----------
    square : Tensor, (B, H, W), arcsec^2
        Squared radius.

    Returns
    -------
    Tensor, (B, H, W), arcsec^2
    """
    return torch.clamp_min(square, MIN_RADIUS**2)

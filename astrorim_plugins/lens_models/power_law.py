r"""Elliptical power law.

:math:`\kappa = \frac{2-t}{2} (\theta_E / R)^t`, :math:`t` = ``slope`` - 1, and (Tessore &
Metcalf 2015, A&A 580, A79, eq. 13, with their :math:`b = \sqrt q\,\theta_E`)

.. math::
    \alpha = (\theta_E / R)^t\; Z\; T(\zeta), \qquad
    T(\zeta) = {}_2F_1(1, \tfrac t2; 2 - \tfrac t2; -\zeta), \qquad
    \zeta = \bar\epsilon\, Z / \bar Z,

in the coordinates of `astrorim.lensing.special`. Their series in :math:`\zeta` (eq. 29)
converges as :math:`|\epsilon|^n`. We expand in :math:`w` instead, with
:math:`\zeta = 4 w / (1 - w)^2`, which maps the plane without its cut onto the unit disk:
at an axis ratio of 0.2, :math:`|\zeta| = 0.67` but :math:`|w| \le 0.27`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar

import astropy.units as u
import torch

from astrorim.interfaces import LensModel
from astrorim.lensing.special import (
    bounded_ellipticity,
    elliptical_coordinates,
    floored_square,
    inverse_radius,
)
from astrorim.parameters import Parameter
from astrorim_plugins.shared_parameters import E1, E2, THETA_E, X0, Y0

if TYPE_CHECKING:
    from collections.abc import Mapping

    from torch import Tensor

__all__ = [
    "PowerLaw",
    "angular_factor",
    "power_law_convergence",
    "power_law_deflection",
    "power_law_potential",
]

NUM_TERMS = 28
"""Terms of the expansion in w.

The remainder is below 1e-10 of the deflection at an axis ratio of 0.1, the smallest that
is evaluated, and below the rounding error of float64 at 0.2.
"""


def angular_factor(zeta_x: Tensor, zeta_y: Tensor, t: Tensor) -> tuple[Tensor, Tensor]:
    r"""Hypergeometric function :math:`T(\zeta) = {}_2F_1(1, t/2; 2 - t/2; -\zeta)`.

    With :math:`b = t/2` and :math:`d = 1 - b`, T satisfies
    :math:`\zeta (1 + \zeta) T' + (d + b \zeta) T = d` (DLMF 15.5.20 with a = 1). Inserting
    :math:`\zeta = 4 w/(1 - w)^2` and :math:`T = \sum g_n w^n` gives

    .. math::
        (n + d)\, g_n = d\,[1, -2, 1]_n - (4b - 2d)\, g_{n-1} + (n - 2 - d)\, g_{n-2}.

    The polynomial has real coefficients and is summed by Clenshaw's recurrence in real
    arithmetic.

    Parameters
    ----------
    zeta_x, zeta_y : Tensor, (B, H, W), dimensionless
        Real and imaginary part of the argument; modulus at most `MAX_ELLIPTICITY`.
    t : Tensor, (B, 1, 1), dimensionless
        Slope of the convergence.

    Returns
    -------
    T_x, T_y : Tensor, (B, H, W), dimensionless
        Real and imaginary part.
    """
    b = t / 2
    d = 1 - b
    coefficients = [torch.ones_like(t)]
    for n in range(1, NUM_TERMS):
        source = d * {1: -2, 2: 1}.get(n, 0)
        value = source - (4 * b - 2 * d) * coefficients[n - 1]
        if n > 1:
            value = value + (n - 2 - d) * coefficients[n - 2]
        coefficients.append(value / (n + d))

    # Square root s of 1 + zeta, whose real part is positive as |zeta| < 1.
    modulus = torch.sqrt((1 + zeta_x) ** 2 + zeta_y**2)
    s_x = torch.sqrt((modulus + 1 + zeta_x) / 2)
    s_y = zeta_y / (2 * s_x)
    # w = (s - 1)/(s + 1) = zeta/(s + 1)^2, the latter without cancellation.
    scale = 1 / (modulus + 1 + 2 * s_x)
    square_x, square_y = ((s_x + 1) ** 2 - s_y**2) * scale, 2 * (s_x + 1) * s_y * scale
    w_x = (zeta_x * square_x + zeta_y * square_y) * scale
    w_y = (zeta_y * square_x - zeta_x * square_y) * scale

    twice, norm = 2 * w_x, w_x**2 + w_y**2
    current, previous = coefficients[-1] + torch.zeros_like(twice), torch.zeros_like(twice)
    for coefficient in reversed(coefficients[1:-1]):
        following = torch.addcmul(coefficient + twice * current, -norm, previous)
        current, previous = following, current
    return coefficients[0] + w_x * current - norm * previous, w_y * current


def power_law_deflection(
    x: Tensor, y: Tensor, theta_E: Tensor, e1: Tensor, e2: Tensor, slope: Tensor
) -> tuple[Tensor, Tensor]:
    r"""Deflection :math:`(\theta_E / R)^t\, Z\, T(\zeta)` of a power law at the origin.

    Within `MIN_RADIUS` of the centre the deflection is zero.

    Parameters
    ----------
    x, y : Tensor, (B, H, W), arcsec
        Positions relative to the centre.
    theta_E : Tensor, (B, 1, 1), arcsec
        Einstein radius.
    e1, e2 : Tensor, (B, 1, 1), dimensionless
        Ellipticity.
    slope : Tensor, (B, 1, 1), dimensionless
        Logarithmic slope of the three-dimensional density; 2 is isothermal.

    Returns
    -------
    alpha_x, alpha_y : Tensor, (B, H, W), arcsec
    """
    e1, e2, square = bounded_ellipticity(e1, e2)
    X, Y = elliptical_coordinates(x, y, e1, e2)
    Z_square = X * X + Y * Y
    inverse = inverse_radius(Z_square)
    cos, sin = X * inverse, Y * inverse
    cos2, sin2 = (cos - sin) * (cos + sin), 2 * cos * sin
    T_x, T_y = angular_factor(e1 * cos2 + e2 * sin2, e1 * sin2 - e2 * cos2, slope - 1)
    # (theta_E/R)^t |Z|, by the logarithm; at the centre cos = sin = 0.
    radius_square = floored_square(Z_square) / (1 - square)
    t_half = (slope - 1) / 2
    strength = torch.exp(t_half * (2 * torch.log(theta_E) - torch.log(radius_square)))
    strength = strength * Z_square * inverse
    return strength * (cos * T_x - sin * T_y), strength * (cos * T_y + sin * T_x)


def power_law_potential(
    x: Tensor, y: Tensor, theta_E: Tensor, e1: Tensor, e2: Tensor, slope: Tensor
) -> Tensor:
    r"""Potential :math:`\theta \cdot \alpha / (2 - t)` of a power law at the origin.

    Tessore & Metcalf (2015), eq. 15.

    Parameters
    ----------
    x, y : Tensor, (B, H, W), arcsec
        Positions relative to the centre.
    theta_E : Tensor, (B, 1, 1), arcsec
        Einstein radius.
    e1, e2 : Tensor, (B, 1, 1), dimensionless
        Ellipticity.
    slope : Tensor, (B, 1, 1), dimensionless
        Logarithmic slope of the three-dimensional density; 2 is isothermal.

    Returns
    -------
    Tensor, (B, H, W), arcsec^2
    """
    alpha_x, alpha_y = power_law_deflection(x, y, theta_E, e1, e2, slope)
    return (x * alpha_x + y * alpha_y) / (3 - slope)


def power_law_convergence(
    x: Tensor, y: Tensor, theta_E: Tensor, e1: Tensor, e2: Tensor, slope: Tensor
) -> Tensor:
    r"""Convergence :math:`\frac{2-t}{2} (\theta_E / R)^t` of a power law at the origin.

    Tessore & Metcalf (2015), eq. 2. It diverges at the centre and is held constant within
    `MIN_RADIUS`.

    Parameters
    ----------
    x, y : Tensor, (B, H, W), arcsec
        Positions relative to the centre.
    theta_E : Tensor, (B, 1, 1), arcsec
        Einstein radius.
    e1, e2 : Tensor, (B, 1, 1), dimensionless
        Ellipticity.
    slope : Tensor, (B, 1, 1), dimensionless
        Logarithmic slope of the three-dimensional density; 2 is isothermal.

    Returns
    -------
    Tensor, (B, H, W), dimensionless
    """
    e1, e2, square = bounded_ellipticity(e1, e2)
    X, Y = elliptical_coordinates(x, y, e1, e2)
    radius_square = floored_square((X * X + Y * Y) / (1 - square))
    t_half = (slope - 1) / 2
    power = torch.exp(t_half * (2 * torch.log(theta_E) - torch.log(radius_square)))
    return (1 - t_half) * power


class PowerLaw(LensModel):
    """Elliptical power law."""

    name: ClassVar[str] = "epl"
    parameters: ClassVar[tuple[Parameter, ...]] = (
        THETA_E,
        E1,
        E2,
        Parameter(
            name="slope",
            symbol=r"\gamma'",
            unit=u.dimensionless_unscaled,
            support=(1.2, 2.8),
            prior=(1.7, 2.3),
            description="Logarithmic slope of the density; 2 is isothermal",
        ),
        X0,
        Y0,
    )

    def potential(self, x: Tensor, y: Tensor, params: Mapping[str, Tensor]) -> Tensor:
        """See `power_law_potential`."""
        return power_law_potential(*_arguments(x, y, params))

    def deflection(
        self, x: Tensor, y: Tensor, params: Mapping[str, Tensor]
    ) -> tuple[Tensor, Tensor]:
        """See `power_law_deflection`."""
        return power_law_deflection(*_arguments(x, y, params))

    def convergence(self, x: Tensor, y: Tensor, params: Mapping[str, Tensor]) -> Tensor:
        """See `power_law_convergence`."""
        return power_law_convergence(*_arguments(x, y, params))


def _arguments(x: Tensor, y: Tensor, params: Mapping[str, Tensor]) -> tuple[Tensor, ...]:
    centred = x - params["x0"], y - params["y0"]
    return *centred, params["theta_E"], params["e1"], params["e2"], params["slope"]

r"""Singular isothermal ellipsoid.

With :math:`u, v` along the major and the minor axis, :math:`q` the axis ratio and
:math:`\psi^2 = q^2 u^2 + v^2`, Kormann, Schneider & Bartelmann (1994, A&A 284, 285,
eq. 27a) give

.. math::
    \alpha_u = \frac{\theta_E \sqrt q}{g} \arctan \frac{g u}{\psi}, \qquad
    \alpha_v = \frac{\theta_E \sqrt q}{g} \operatorname{artanh} \frac{g v}{\psi}, \qquad
    g^2 = 1 - q^2,

where their :math:`f, f'` are our :math:`q, g` and :math:`\theta_E` is the product average
of the axes of the critical curve. The same deflection is a power series that is regular
at the circle (Tessore & Metcalf 2015, A&A 580, A79, eq. 13 with t = 1): with the
coordinates of `astrorim.lensing.special`,

.. math::
    \alpha = \theta_E \sqrt{1 - |\epsilon|^2}\, \frac{Z}{|Z|}
        \left(1 - \frac{\zeta}{3} + \frac{\zeta^2}{5} - \dots\right), \qquad
    \zeta = \bar\epsilon\, \frac{Z}{\bar Z}.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar

import torch

from astrorim.interfaces import LensModel
from astrorim.lensing.special import (
    bounded_ellipticity,
    elliptical_coordinates,
    floored_square,
    inverse_radius,
)
from astrorim_plugins.shared_parameters import E1, E2, THETA_E, X0, Y0

if TYPE_CHECKING:
    from collections.abc import Mapping

    from torch import Tensor

    from astrorim.parameters import Parameter

__all__ = ["SIE", "sie_convergence", "sie_deflection", "sie_potential"]


def sie_deflection(
    x: Tensor, y: Tensor, theta_E: Tensor, e1: Tensor, e2: Tensor
) -> tuple[Tensor, Tensor]:
    r"""Deflection of a singular isothermal ellipsoid at the origin.

    The closed form divides by the ellipticity, so the derivatives with respect to
    (e1, e2) that it gives lose accuracy as :math:`\varepsilon / |e|`, with
    :math:`\varepsilon` the machine precision. Where :math:`|e|^2 < 4 \varepsilon` the
    expression that agrees with the series to first order is used,

    .. math::
        \alpha = \theta_E \sqrt{1 - |\epsilon|^2}\,
            \frac{z - \tfrac23 \epsilon \bar z}{|z - \tfrac13 \epsilon \bar z|},

    so that value and gradient are right everywhere, to 1e-15 and 1e-8 in float64 and to
    1e-7 and 1e-3 in float32 at the switch, far better away from it. Second derivatives
    with respect to (e1, e2) are not to be trusted within :math:`|e| < 10^{-4}`. Both
    expressions are the same operations with other coefficients, which are computed per
    lens, not per pixel. Within `MIN_RADIUS` of the centre the deflection is zero.

    Parameters
    ----------
    x, y : Tensor, (B, H, W), arcsec
        Positions relative to the centre.
    theta_E : Tensor, (B, 1, 1), arcsec
        Einstein radius.
    e1, e2 : Tensor, (B, 1, 1), dimensionless
        Ellipticity; see `bounded_ellipticity` for moduli near one.

    Returns
    -------
    alpha_x, alpha_y : Tensor, (B, H, W), arcsec
    """
    e1, e2, square = bounded_ellipticity(e1, e2)
    epsilon = torch.finfo(square.dtype).eps
    circular = square < 4 * epsilon
    one, zero = torch.ones_like(square), torch.zeros_like(square)

    # Closed form, with a harmless ellipticity where it is not used.
    c1 = torch.where(circular, one / 2, e1)
    c2 = torch.where(circular, zero, e2)
    f = torch.sqrt(c1 * c1 + c2 * c2)
    q = (1 - f) / (1 + f)
    g = 2 * torch.sqrt(f) / (1 + f)
    phi = torch.atan2(c2, c1) / 2
    cos, sin = torch.cos(phi), torch.sin(phi)

    # First-order form: the arctangents of arguments this small return the arguments.
    small = 0.1 * epsilon**0.5 * one
    k_u, k_v = torch.where(circular, small, g / q), torch.where(circular, small, g)
    xx = torch.where(circular, 1 - e1 * (2 / 3), q * cos) * k_u
    xy = torch.where(circular, -e2 * (2 / 3), q * sin) * k_u
    yx = torch.where(circular, -e2 * (2 / 3), -sin) * k_v
    yy = torch.where(circular, 1 + e1 * (2 / 3), cos) * k_v
    amplitude = theta_E * torch.sqrt(1 - square)
    closed = theta_E * torch.sqrt(q) / g
    a_u = torch.where(circular, amplitude / small, closed)
    cos = torch.where(circular, one, cos)
    sin = torch.where(circular, zero, sin)
    e1 = torch.where(circular, e1, zero)
    e2 = torch.where(circular, e2, zero)

    # Per pixel: U = k_u q u, V = k_v v, psi^2 = (q u)^2 + v^2 for the closed form.
    U = torch.addcmul(xx * x, xy, y)
    V = torch.addcmul(yx * x, yy, y)
    mixed = torch.addcmul((1 + e1 * (2 / 3)) / k_u**2 * U, e2 * (4 / 3) / (k_u * k_v), V)
    psi_square = torch.addcmul((1 - e1 * (2 / 3)) / k_v**2 * (V * V), mixed, U)
    inverse_psi = inverse_radius(psi_square)
    # atan2(p, 1) is twice as fast as atan(p).
    p = torch.atan2(U * inverse_psi, torch.ones((), dtype=U.dtype, device=U.device))
    s = torch.atanh(V * inverse_psi)
    cos, sin = a_u * cos, a_u * sin
    return torch.addcmul(cos * p, -sin, s), torch.addcmul(sin * p, cos, s)


def sie_potential(x: Tensor, y: Tensor, theta_E: Tensor, e1: Tensor, e2: Tensor) -> Tensor:
    r"""Potential of a singular isothermal ellipsoid: :math:`\psi = \theta \cdot \alpha`.

    Tessore & Metcalf (2015), eq. 15 with t = 1.

    Parameters
    ----------
    x, y : Tensor, (B, H, W), arcsec
        Positions relative to the centre.
    theta_E : Tensor, (B, 1, 1), arcsec
        Einstein radius.
    e1, e2 : Tensor, (B, 1, 1), dimensionless
        Ellipticity.

    Returns
    -------
    Tensor, (B, H, W), arcsec^2
    """
    alpha_x, alpha_y = sie_deflection(x, y, theta_E, e1, e2)
    return x * alpha_x + y * alpha_y


def sie_convergence(x: Tensor, y: Tensor, theta_E: Tensor, e1: Tensor, e2: Tensor) -> Tensor:
    r"""Convergence of a singular isothermal ellipsoid: :math:`\kappa = \theta_E / (2 R)`.

    Kormann, Schneider & Bartelmann (1994), eq. 20 with no core, in our elliptical radius.
    The convergence diverges at the centre; it is held constant within `MIN_RADIUS`.

    Parameters
    ----------
    x, y : Tensor, (B, H, W), arcsec
        Positions relative to the centre.
    theta_E : Tensor, (B, 1, 1), arcsec
        Einstein radius.
    e1, e2 : Tensor, (B, 1, 1), dimensionless
        Ellipticity.

    Returns
    -------
    Tensor, (B, H, W), dimensionless
    """
    e1, e2, square = bounded_ellipticity(e1, e2)
    X, Y = elliptical_coordinates(x, y, e1, e2)
    radius_square = floored_square((X * X + Y * Y) / (1 - square))
    return theta_E / 2 * radius_square.rsqrt()


class SIE(LensModel):
    """Singular isothermal ellipsoid."""

    name: ClassVar[str] = "sie"
    parameters: ClassVar[tuple[Parameter, ...]] = (THETA_E, E1, E2, X0, Y0)

    def potential(self, x: Tensor, y: Tensor, params: Mapping[str, Tensor]) -> Tensor:
        """See `sie_potential`."""
        return sie_potential(*_arguments(x, y, params))

    def deflection(
        self, x: Tensor, y: Tensor, params: Mapping[str, Tensor]
    ) -> tuple[Tensor, Tensor]:
        """See `sie_deflection`."""
        return sie_deflection(*_arguments(x, y, params))

    def convergence(self, x: Tensor, y: Tensor, params: Mapping[str, Tensor]) -> Tensor:
        """See `sie_convergence`."""
        return sie_convergence(*_arguments(x, y, params))


def _arguments(x: Tensor, y: Tensor, params: Mapping[str, Tensor]) -> tuple[Tensor, ...]:
    centred = x - params["x0"], y - params["y0"]
    return *centred, params["theta_E"], params["e1"], params["e2"]

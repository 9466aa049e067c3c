r"""Spherical NFW halo.

With :math:`x = r/r_s`, :math:`s = x^2` and :math:`\kappa_s = \rho_s r_s / \Sigma_{cr}`
(Bartelmann 1996, A&A 313, 697, eqs. 5-7; Wright & Brainerd 2000, ApJ 534, 34, eqs. 11-13;
Keeton 2001, astro-ph/0102341, eqs. 48-50),

.. math::
    \psi = 2 \kappa_s r_s^2 \left[L^2 - y A(y)^2\right], \qquad
    \alpha = 4 \kappa_s \frac{L + A(y)}{s}\, (x, y), \qquad
    \kappa = 2 \kappa_s \frac{A(y) - 1}{y},

with :math:`L = \ln(x/2)`, :math:`y = 1 - s` and one function for both sides of
:math:`x = 1`, whose power series makes that point an ordinary one:

.. math::
    A(y) = \frac{\operatorname{artanh}\sqrt y}{\sqrt y}
         = \frac{\arctan\sqrt{-y}}{\sqrt{-y}}
         = \sum_n \frac{y^n}{2n + 1}.

:math:`A` is Keeton's :math:`\mathcal F`. The deflection at :math:`r_s` is
:math:`4 \kappa_s r_s (1 + \ln \tfrac12)`, lenstronomy's ``alpha_Rs``.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar

import astropy.units as u
import torch

from astrorim.interfaces import LensModel
from astrorim.lensing.special import floored_square
from astrorim.parameters import Parameter
from astrorim_plugins.shared_parameters import X0, Y0

if TYPE_CHECKING:
    from collections.abc import Mapping

    from torch import Tensor

__all__ = [
    "NFW",
    "nfw_convergence",
    "nfw_deflection",
    "nfw_functions",
    "nfw_potential",
]

# About x = 1, for |1 - s| < 0.05, the series replaces the closed forms; so many terms
# then reach 1e-16.
_NEAR_SCALE_RADIUS = 0.05
_NUM_SCALE_TERMS = 13
_ARTANH = tuple(1 / (2 * n + 1) for n in range(_NUM_SCALE_TERMS + 1))


def _polynomial(variable: Tensor, coefficients: tuple[float, ...]) -> Tensor:
    value = coefficients[-2] + coefficients[-1] * variable
    for coefficient in reversed(coefficients[:-2]):
        value = coefficient + variable * value
    return value


def nfw_functions(s: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    r"""Functions of :math:`s = (r/r_s)^2` that an NFW halo is made of.

    Inside the scale radius :math:`L` and :math:`A` cancel in G. With
    :math:`w = \sqrt{1 - s}` and :math:`t = s / (1 + w) = 1 - w`, the artanh is a difference
    of logarithms, and

    .. math::
        A = \frac{\ln(1 - t/2) - L}{w}, \qquad
        G = \frac{1}{w} \left[\frac{\ln(1 - t/2)}{s} - \frac{L}{1 + w}\right]

    keep their digits down to the centre, in float32 too.

    Parameters
    ----------
    s : Tensor, (B, H, W), dimensionless
        Squared radius in units of the scale radius; positive.

    Returns
    -------
    L, A, G : Tensor, (B, H, W), dimensionless
        :math:`\ln(\sqrt s/2)`, :math:`A(1 - s)` and :math:`(L + A)/s`.
    """
    L = torch.log(s / 4) / 2
    y = 1 - s
    scale = y.abs() < _NEAR_SCALE_RADIUS
    inside = (y > 0) & ~scale
    outside = (y < 0) & ~scale

    # Every branch gets a harmless argument where it is not used, so that its derivatives,
    # which are multiplied by zero there, are finite.
    s_in = torch.where(inside, s, 0.5)
    w = torch.sqrt(1 - s_in)
    log = torch.log1p(s_in / (-2 * (1 + w)))
    root_out = torch.sqrt(torch.where(outside, -y, 0.5))
    A_out = torch.atan(root_out) / root_out
    A_scale = _polynomial(torch.where(scale, y, 0.0), _ARTANH)
    A = torch.where(outside, A_out, torch.where(scale, A_scale, (log - L) / w))
    G_in = (log / s_in - L / (1 + w)) / w
    G = torch.where(inside, G_in, (L + A) / torch.where(inside, 0.5, s))
    return L, A, G


def _scaled_square(x: Tensor, y: Tensor, rs: Tensor) -> Tensor:
    return floored_square(x * x + y * y) / (rs * rs)


def nfw_deflection(x: Tensor, y: Tensor, kappa_s: Tensor, rs: Tensor) -> tuple[Tensor, Tensor]:
    r"""Deflection :math:`4 \kappa_s G\, (x, y)`; zero at the centre.

    The factor G diverges as the logarithm of the radius and is held constant within
    `MIN_RADIUS` of the centre.

    Parameters
    ----------
    x, y : Tensor, (B, H, W), arcsec
        Positions relative to the centre.
    kappa_s : Tensor, (B, 1, 1), dimensionless
        Characteristic convergence.
    rs : Tensor, (B, 1, 1), arcsec
        Scale radius.

    Returns
    -------
    alpha_x, alpha_y : Tensor, (B, H, W), arcsec
    """
    _, _, G = nfw_functions(_scaled_square(x, y, rs))
    strength = 4 * kappa_s * G
    return strength * x, strength * y


def nfw_potential(x: Tensor, y: Tensor, kappa_s: Tensor, rs: Tensor) -> Tensor:
    r"""Potential :math:`2 \kappa_s r_s^2 [L^2 - y A^2]`; zero at the centre.

    Written as :math:`2 \kappa_s r^2 [A^2 + 2 G L - s G^2]`, without the cancellation.

    Parameters
    ----------
    x, y : Tensor, (B, H, W), arcsec
        Positions relative to the centre.
    kappa_s : Tensor, (B, 1, 1), dimensionless
        Characteristic convergence.
    rs : Tensor, (B, 1, 1), arcsec
        Scale radius.

    Returns
    -------
    Tensor, (B, H, W), arcsec^2
    """
    s = _scaled_square(x, y, rs)
    L, A, G = nfw_functions(s)
    return 2 * kappa_s * (x * x + y * y) * (A * A + 2 * G * L - s * G * G)


def nfw_convergence(x: Tensor, y: Tensor, kappa_s: Tensor, rs: Tensor) -> Tensor:
    r"""Convergence :math:`2 \kappa_s F`, :math:`F = (A(y) - 1)/y`.

    It diverges as the logarithm of the radius and is held constant within `MIN_RADIUS`
    of the centre.

    Parameters
    ----------
    x, y : Tensor, (B, H, W), arcsec
        Positions relative to the centre.
    kappa_s : Tensor, (B, 1, 1), dimensionless
        Characteristic convergence.
    rs : Tensor, (B, 1, 1), arcsec
        Scale radius.

    Returns
    -------
    Tensor, (B, H, W), dimensionless
    """
    s = _scaled_square(x, y, rs)
    _, A, _ = nfw_functions(s)
    y_ = 1 - s
    scale = y_.abs() < _NEAR_SCALE_RADIUS
    F_scale = _polynomial(torch.where(scale, y_, 0.0), _ARTANH[1:])
    F = torch.where(scale, F_scale, (A - 1) / torch.where(scale, 0.5, y_))
    return 2 * kappa_s * F


class NFW(LensModel):
    """Spherical NFW halo."""

    name: ClassVar[str] = "nfw"
    parameters: ClassVar[tuple[Parameter, ...]] = (
        Parameter(
            name="kappa_s",
            symbol=r"\kappa_\mathrm{s}",
            unit=u.dimensionless_unscaled,
            support=(0.0, 5.0),
            prior=(0.0, 0.2),
            description="Characteristic convergence of the halo",
        ),
        Parameter(
            name="rs",
            symbol=r"r_\mathrm{s}",
            unit=u.arcsec,
            support=(1e-2, 100.0),
            prior=(2.0, 15.0),
            description="Scale radius of the halo",
        ),
        X0,
        Y0,
    )

    def potential(self, x: Tensor, y: Tensor, params: Mapping[str, Tensor]) -> Tensor:
        """See `nfw_potential`."""
        return nfw_potential(*_arguments(x, y, params))

    def deflection(
        self, x: Tensor, y: Tensor, params: Mapping[str, Tensor]
    ) -> tuple[Tensor, Tensor]:
        """See `nfw_deflection`."""
        return nfw_deflection(*_arguments(x, y, params))

    def convergence(self, x: Tensor, y: Tensor, params: Mapping[str, Tensor]) -> Tensor:
        """See `nfw_convergence`."""
        return nfw_convergence(*_arguments(x, y, params))


def _arguments(x: Tensor, y: Tensor, params: Mapping[str, Tensor]) -> tuple[Tensor, ...]:
    centred = x - params["x0"], y - params["y0"]
    return *centred, params["kappa_s"], params["rs"]

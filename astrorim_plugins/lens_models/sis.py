r"""Singular isothermal sphere.

:math:`\psi = \theta_E r`, :math:`\alpha = \theta_E\, \hat r`,
:math:`\kappa = \theta_E / (2 r)` (Schneider, Kochanek & Wambsganss 2006, part 1,
section 3.1.5). Within `MIN_RADIUS` of the centre the deflection is zero and the
convergence constant.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar

from astrorim.interfaces import LensModel
from astrorim.lensing.special import floored_square, inverse_radius
from astrorim_plugins.shared_parameters import THETA_E, X0, Y0

if TYPE_CHECKING:
    from collections.abc import Mapping

    from torch import Tensor

    from astrorim.parameters import Parameter

__all__ = ["SIS", "sis_convergence", "sis_deflection", "sis_potential"]


def sis_deflection(x: Tensor, y: Tensor, theta_E: Tensor) -> tuple[Tensor, Tensor]:
    r"""Deflection :math:`\theta_E\, (x, y)/r`.

    Parameters
    ----------
    x, y : Tensor, (B, H, W), arcsec
        Positions relative to the centre.
    theta_E : Tensor, (B, 1, 1), arcsec
        Einstein radius.

    Returns
    -------
    alpha_x, alpha_y : Tensor, (B, H, W), arcsec
    """
    strength = theta_E * inverse_radius(x * x + y * y)
    return strength * x, strength * y


def sis_potential(x: Tensor, y: Tensor, theta_E: Tensor) -> Tensor:
    r"""Potential :math:`\theta_E r`.

    Parameters
    ----------
    x, y : Tensor, (B, H, W), arcsec
        Positions relative to the centre.
    theta_E : Tensor, (B, 1, 1), arcsec
        Einstein radius.

    Returns
    -------
    Tensor, (B, H, W), arcsec^2
    """
    square = x * x + y * y
    return theta_E * square * inverse_radius(square)


def sis_convergence(x: Tensor, y: Tensor, theta_E: Tensor) -> Tensor:
    r"""Convergence :math:`\theta_E / (2 r)`.

    Parameters
    ----------
    x, y : Tensor, (B, H, W), arcsec
        Positions relative to the centre.
    theta_E : Tensor, (B, 1, 1), arcsec
        Einstein radius.

    Returns
    -------
    Tensor, (B, H, W), dimensionless
    """
    return theta_E / 2 * floored_square(x * x + y * y).rsqrt()


class SIS(LensModel):
    """Singular isothermal sphere."""

    name: ClassVar[str] = "sis"
    parameters: ClassVar[tuple[Parameter, ...]] = (THETA_E, X0, Y0)

    def potential(self, x: Tensor, y: Tensor, params: Mapping[str, Tensor]) -> Tensor:
        """See `sis_potential`."""
        return sis_potential(*_arguments(x, y, params))

    def deflection(
        self, x: Tensor, y: Tensor, params: Mapping[str, Tensor]
    ) -> tuple[Tensor, Tensor]:
        """See `sis_deflection`."""
        return sis_deflection(*_arguments(x, y, params))

    def convergence(self, x: Tensor, y: Tensor, params: Mapping[str, Tensor]) -> Tensor:
        """See `sis_convergence`."""
        return sis_convergence(*_arguments(x, y, params))


def _arguments(x: Tensor, y: Tensor, params: Mapping[str, Tensor]) -> tuple[Tensor, ...]:
    centred = x - params["x0"], y - params["y0"]
    return *centred, params["theta_E"]

r"""External shear about the frame's origin.

:math:`\psi = \tfrac12 \gamma_1 (x^2 - y^2) + \gamma_2 x y` (Schneider, Kochanek &
Wambsganss 2006, part 1, eq. 51 with the tidal terms only), the sign of lenstronomy's
``SHEAR``.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar

import astropy.units as u
import torch

from astrorim.interfaces import LensModel
from astrorim.parameters import Parameter

if TYPE_CHECKING:
    from collections.abc import Mapping

    from torch import Tensor

__all__ = ["Shear", "shear_deflection", "shear_potential"]


def shear_deflection(
    x: Tensor, y: Tensor, gamma1: Tensor, gamma2: Tensor
) -> tuple[Tensor, Tensor]:
    r"""Deflection :math:`(\gamma_1 x + \gamma_2 y,\; \gamma_2 x - \gamma_1 y)`.

    Parameters
    ----------
    x, y : Tensor, (B, H, W), arcsec
        Positions relative to the frame's origin.
    gamma1, gamma2 : Tensor, (B, 1, 1), dimensionless
        Components of the shear.

    Returns
    -------
    alpha_x, alpha_y : Tensor, (B, H, W), arcsec
    """
    return (
        torch.addcmul(gamma1 * x, gamma2, y),
        torch.addcmul(gamma2 * x, -gamma1, y),
    )


def shear_potential(x: Tensor, y: Tensor, gamma1: Tensor, gamma2: Tensor) -> Tensor:
    r"""Potential :math:`\tfrac12 \gamma_1 (x^2 - y^2) + \gamma_2 x y`.

    Parameters
    ----------
    x, y : Tensor, (B, H, W), arcsec
        Positions relative to the frame's origin.
    gamma1, gamma2 : Tensor, (B, 1, 1), dimensionless
        Components of the shear.

    Returns
    -------
    Tensor, (B, H, W), arcsec^2
    """
    return gamma1 / 2 * (x * x - y * y) + gamma2 * x * y


class Shear(LensModel):
    """External shear about the frame's origin."""

    name: ClassVar[str] = "shear"
    parameters: ClassVar[tuple[Parameter, ...]] = (
        Parameter(
            name="gamma1",
            symbol=r"\gamma_1",
            unit=u.dimensionless_unscaled,
            support=(-0.5, 0.5),
            prior=(-0.1, 0.1),
            description="External shear, gamma cos 2 phi_gamma",
        ),
        Parameter(
            name="gamma2",
            symbol=r"\gamma_2",
            unit=u.dimensionless_unscaled,
            support=(-0.5, 0.5),
            prior=(-0.1, 0.1),
            description="External shear, gamma sin 2 phi_gamma",
        ),
    )

    def potential(self, x: Tensor, y: Tensor, params: Mapping[str, Tensor]) -> Tensor:
        """See `shear_potential`."""
        return shear_potential(x, y, params["gamma1"], params["gamma2"])

    def deflection(
        self, x: Tensor, y: Tensor, params: Mapping[str, Tensor]
    ) -> tuple[Tensor, Tensor]:
        """See `shear_deflection`."""
        return shear_deflection(x, y, params["gamma1"], params["gamma2"])

    def convergence(self, x: Tensor, y: Tensor, params: Mapping[str, Tensor]) -> Tensor:
        """Zero: tides from outside bring no mass into the frame."""
        return 0 * (x * params["gamma1"] + y * params["gamma2"])

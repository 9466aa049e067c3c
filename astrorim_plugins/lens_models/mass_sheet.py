r"""Mass sheet: constant convergence.

:math:`\psi = \tfrac12 \kappa (x^2 + y^2)`, about the frame's origin (Falco, Gorenstein &
Shapiro 1985, ApJ 289, L1), as lenstronomy's ``CONVERGENCE``.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar

import astropy.units as u

from astrorim.interfaces import LensModel
from astrorim.parameters import Parameter

if TYPE_CHECKING:
    from collections.abc import Mapping

    from torch import Tensor

__all__ = ["MassSheet", "sheet_convergence", "sheet_deflection", "sheet_potential"]


def sheet_deflection(x: Tensor, y: Tensor, kappa_sheet: Tensor) -> tuple[Tensor, Tensor]:
    r"""Deflection :math:`\kappa\, (x, y)`.

    Parameters
    ----------
    x, y : Tensor, (B, H, W), arcsec
        Positions relative to the frame's origin.
    kappa_sheet : Tensor, (B, 1, 1), dimensionless
        Convergence of the sheet.

    Returns
    -------
    alpha_x, alpha_y : Tensor, (B, H, W), arcsec
    """
    return kappa_sheet * x, kappa_sheet * y


def sheet_potential(x: Tensor, y: Tensor, kappa_sheet: Tensor) -> Tensor:
    r"""Potential :math:`\tfrac12 \kappa\, (x^2 + y^2)`.

    Parameters
    ----------
    x, y : Tensor, (B, H, W), arcsec
        Positions relative to the frame's origin.
    kappa_sheet : Tensor, (B, 1, 1), dimensionless
        Convergence of the sheet.

    Returns
    -------
    Tensor, (B, H, W), arcsec^2
    """
    return kappa_sheet / 2 * (x * x + y * y)


def sheet_convergence(x: Tensor, y: Tensor, kappa_sheet: Tensor) -> Tensor:
    """Convergence: the same everywhere.

    Parameters
    ----------
    x, y : Tensor, (B, H, W), arcsec
        Positions relative to the frame's origin.
    kappa_sheet : Tensor, (B, 1, 1), dimensionless
        Convergence of the sheet.

    Returns
    -------
    Tensor, (B, H, W), dimensionless
    """
    return kappa_sheet + 0 * (x + y)


class MassSheet(LensModel):
    """Mass sheet about the frame's origin."""

    name: ClassVar[str] = "mass-sheet"
    parameters: ClassVar[tuple[Parameter, ...]] = (
        Parameter(
            name="kappa_sheet",
            symbol=r"\kappa_\mathrm{sheet}",
            unit=u.dimensionless_unscaled,
            support=(-0.9, 0.9),
            prior=(-0.1, 0.1),
            description="Convergence of the mass sheet",
            fits_key="KAPSHEET",
        ),
    )

    def potential(self, x: Tensor, y: Tensor, params: Mapping[str, Tensor]) -> Tensor:
        """See `sheet_potential`."""
        return sheet_potential(x, y, params["kappa_sheet"])

    def deflection(
        self, x: Tensor, y: Tensor, params: Mapping[str, Tensor]
    ) -> tuple[Tensor, Tensor]:
        """See `sheet_deflection`."""
        return sheet_deflection(x, y, params["kappa_sheet"])

    def convergence(self, x: Tensor, y: Tensor, params: Mapping[str, Tensor]) -> Tensor:
        """See `sheet_convergence`."""
        return sheet_convergence(x, y, params["kappa_sheet"])

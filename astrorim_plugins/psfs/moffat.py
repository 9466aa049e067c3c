"""Moffat point spread function."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar

import astropy.units as u
import torch

from astrorim.parameters import Parameter
from astrorim_plugins.psfs.profile import ProfilePSF

if TYPE_CHECKING:
    from collections.abc import Mapping

    from torch import Tensor

__all__ = ["MoffatPSF"]


class MoffatPSF(ProfilePSF):
    r"""Moffat (1969, A&A 3, 455): :math:`(1 + R^2/a^2)^{-\beta}`.

    :math:`a = \mathrm{FWHM} / (2 \sqrt{2^{1/\beta} - 1})`.
    """

    name: ClassVar[str] = "moffat"
    parameters: ClassVar[tuple[Parameter, ...]] = (
        *ProfilePSF.parameters,
        Parameter(
            name="beta",
            symbol=r"\beta",
            unit=u.dimensionless_unscaled,
            support=(1.2, 20.0),
            prior=(2.5, 5.0),
            description="Slope of the wings",
            fits_key="PSFBETA",
        ),
    )

    def intensity(self, radius_square: Tensor, params: Mapping[str, Tensor]) -> Tensor:
        """See `ProfilePSF.intensity`."""
        return (1 + radius_square / _scale_square(params)) ** -params["beta"]

    def encircled(self, radius_square: Tensor, params: Mapping[str, Tensor]) -> Tensor:
        r"""Encircled fraction :math:`1 - (1 + R^2/a^2)^{1 - \beta}`."""
        return 1 - (1 + radius_square / _scale_square(params)) ** (1 - params["beta"])


def _scale_square(params: Mapping[str, Tensor]) -> Tensor:
    return params["fwhm"] ** 2 / (
        4 * torch.expm1(torch.log(torch.full_like(params["beta"], 2.0)) / params["beta"])
    )

"""Gaussian point spread function."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, ClassVar

import torch

from astrorim_plugins.psfs.profile import ProfilePSF

if TYPE_CHECKING:
    from collections.abc import Mapping

    from torch import Tensor

__all__ = ["GaussianPSF"]

_FWHM_PER_SIGMA = 2 * math.sqrt(2 * math.log(2))


class GaussianPSF(ProfilePSF):
    r"""Gaussian: :math:`\exp(-R^2 / 2 \sigma^2)`, FWHM :math:`= 2 \sigma \sqrt{2 \ln 2}`."""

    name: ClassVar[str] = "gaussian"

    def intensity(self, radius_square: Tensor, params: Mapping[str, Tensor]) -> Tensor:
        """See `ProfilePSF.intensity`."""
        sigma = params["fwhm"] / _FWHM_PER_SIGMA
        return torch.exp(-radius_square / (2 * sigma**2))

    def encircled(self, radius_square: Tensor, params: Mapping[str, Tensor]) -> Tensor:
        r"""Encircled fraction :math:`1 - \exp(-R^2 / 2 \sigma^2)`."""
        sigma = params["fwhm"] / _FWHM_PER_SIGMA
        return -torch.expm1(-radius_square / (2 * sigma**2))

"""Airy point spread function."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar

import torch

from astrorim_plugins.psfs.profile import ProfilePSF

if TYPE_CHECKING:
    from collections.abc import Mapping

    from torch import Tensor

__all__ = ["AiryPSF"]

# Where (2 J1(v)/v)^2 falls to one half.
_HALF_MAXIMUM = 1.616339948310703


class AiryPSF(ProfilePSF):
    r"""Airy pattern of a clear circular aperture, scaled to a FWHM.

    :math:`[2 J_1(v)/v]^2` with :math:`v = 3.2327 R / \mathrm{FWHM}`; for a telescope,
    FWHM :math:`= 1.029 \lambda/D` (Born & Wolf, section 8.5.2, eq. 14). The wings fall
    slowly: 99.5 % of the light needs a kernel of 78 FWHM. Not differentiable with
    respect to its parameters, for the lack of a derivative of the Bessel functions;
    PyTorch's are good to 5e-7, which is 1e-8 of the peak in the kernel.
    """

    name: ClassVar[str] = "airy"

    def intensity(self, radius_square: Tensor, params: Mapping[str, Tensor]) -> Tensor:
        """See `ProfilePSF.intensity`."""
        v = _scaled_radius(radius_square, params)
        # 2 J1(v)/v = 1 - v^2/8 + v^4/192: exact to rounding below 1e-3.
        core = v < 1e-3
        safe = torch.where(core, torch.ones_like(v), v)
        amplitude = 2 * torch.special.bessel_j1(safe) / safe
        return torch.where(core, 1 - v**2 / 8, amplitude) ** 2

    def encircled(self, radius_square: Tensor, params: Mapping[str, Tensor]) -> Tensor:
        r"""Encircled fraction :math:`1 - J_0^2(v) - J_1^2(v)` (Born & Wolf, eq. 18)."""
        v = _scaled_radius(radius_square, params)
        return 1 - torch.special.bessel_j0(v) ** 2 - torch.special.bessel_j1(v) ** 2


def _scaled_radius(radius_square: Tensor, params: Mapping[str, Tensor]) -> Tensor:
    return 2 * _HALF_MAXIMUM / params["fwhm"] * torch.sqrt(radius_square)

"""What the analytic point spread functions have in common."""

from __future__ import annotations

import math
from abc import abstractmethod
from typing import TYPE_CHECKING, ClassVar

import astropy.units as u
import torch

from astrorim.interfaces import PSF
from astrorim.parameters import Parameter

if TYPE_CHECKING:
    from collections.abc import Mapping

    from torch import Tensor

__all__ = ["ANGLE", "ELLIPTICITY", "FWHM", "ProfilePSF", "check_kernel_size"]

FWHM = Parameter(
    name="fwhm",
    symbol=r"\mathrm{FWHM}",
    unit=u.arcsec,
    support=(1e-3, 10.0),
    prior=(0.06, 1.2),
    description="Full width at half maximum, product average of the axes",
)
ELLIPTICITY = Parameter(
    name="ellipticity",
    symbol="1 - q",
    unit=u.dimensionless_unscaled,
    support=(0.0, 0.9),
    prior=(0.0, 0.35),
    description="One minus the axis ratio of the isophotes",
    fits_key="PSFELLIP",
)
ANGLE = Parameter(
    name="angle",
    symbol=r"\phi",
    unit=u.rad,
    support=(-2 * math.pi, 2 * math.pi),
    prior=(0.0, math.pi),
    description="Angle of the major axis, counter-clockwise from +x on the image",
    fits_key="PSFANGLE",
    period=math.pi,
)

# Directions over which a square's boundary is averaged in `size_for`; the integrand is
# smooth but for four kinks, so that the mean is good to 1e-4 of the light outside.
_NUM_DIRECTIONS = 720


def check_kernel_size(size: int) -> None:
    """Refuse a kernel size that is not a positive odd integer.

    Parameters
    ----------
    size : int
        Number of elements along a side.

    Raises
    ------
    ValueError
        If ``size`` is not a positive odd integer.
    """
    if int(size) != size or size < 1 or size % 2 == 0:
        raise ValueError(
            f"size must be a positive odd integer, so that the kernel has a middle "
            f"element, got {size!r}; use {max(int(size), 0) + 1} or size_for()"
        )


class ProfilePSF(PSF):
    r"""A point spread function that depends on an elliptical radius alone.

    :math:`R^2 = q x'^2 + y'^2/q`, :math:`q = 1 -` ``ellipticity``, with :math:`x'` along
    the major axis, at ``angle`` counter-clockwise from +x. The area inside an isophote,
    hence the product average of the FWHM, does not depend on the ellipticity.
    """

    parameters: ClassVar[tuple[Parameter, ...]] = (FWHM, ELLIPTICITY, ANGLE)

    @abstractmethod
    def intensity(self, radius_square: Tensor, params: Mapping[str, Tensor]) -> Tensor:
        """Brightness relative to the centre's.

        Parameters
        ----------
        radius_square : Tensor, (B, H, W), arcsec^2
            Squared elliptical radius.
        params : mapping of str to Tensor, (B, 1, 1)
            Parameter values.

        Returns
        -------
        Tensor, (B, H, W), dimensionless
        """

    @abstractmethod
    def encircled(self, radius_square: Tensor, params: Mapping[str, Tensor]) -> Tensor:
        """Fraction of the light inside an elliptical radius.

        Parameters
        ----------
        radius_square : Tensor, (B, H, W), arcsec^2
            Squared elliptical radius.
        params : mapping of str to Tensor, (B, 1, 1)
            Parameter values.

        Returns
        -------
        Tensor, (B, H, W), dimensionless
        """

    def kernel(self, sampling: Tensor, size: int, params: Mapping[str, Tensor]) -> Tensor:
        """Kernel on a square grid, centred on its middle element, summing to one.

        The profile is sampled at the centres of the elements, not averaged over them;
        render on sub-pixels where the sampling is coarser than half of the FWHM.

        Parameters
        ----------
        sampling : Tensor, (B,), arcsec
            Side of a kernel element.
        size : int
            Number of elements along each side; odd.
        params : mapping of str to Tensor, (B,)
            Parameter values.

        Returns
        -------
        Tensor, (B, size, size), dimensionless

        Raises
        ------
        ValueError
            If ``size`` is even.
        """
        check_kernel_size(size)
        sampling, params = _per_lens(sampling, params)
        offset = torch.arange(size, dtype=sampling.dtype, device=sampling.device)
        offset = offset - (size - 1) / 2
        x, y = sampling * offset, sampling * offset[:, None]
        q = 1 - params["ellipticity"]
        cos, sin = torch.cos(params["angle"]), torch.sin(params["angle"])
        major, minor = x * cos + y * sin, y * cos - x * sin
        values = self.intensity(q * major**2 + minor**2 / q, params)
        return values / values.sum(dim=(-2, -1), keepdim=True)

    def size_for(
        self, sampling: Tensor, params: Mapping[str, Tensor], enclosed: float = 0.995
    ) -> int:
        """Smallest odd kernel size that holds the fraction ``enclosed`` of the light.

        The light inside a square is the mean of the encircled fraction over the
        elliptical angle, at the radius where each direction meets the square.

        Parameters
        ----------
        sampling : Tensor, (B,), arcsec
            Side of a kernel element.
        params : mapping of str to Tensor, (B,)
            Parameter values.
        enclosed : float, optional
            Fraction of the light, below one.

        Returns
        -------
        int
            For the broadest PSF of the batch.

        Raises
        ------
        ValueError
            If ``enclosed`` does not lie between zero and one.
        """
        if not 0 < enclosed < 1:
            raise ValueError(f"enclosed must lie between 0 and 1, got {enclosed}")
        sampling, params = _per_lens(sampling.double(), params)
        step = 2 * math.pi / _NUM_DIRECTIONS
        angle = torch.arange(_NUM_DIRECTIONS, dtype=torch.float64, device=sampling.device)
        angle = (angle + 0.5) * step
        root_q = torch.sqrt(1 - params["ellipticity"])
        cos, sin = torch.cos(params["angle"]), torch.sin(params["angle"])
        major, minor = torch.cos(angle) / root_q, torch.sin(angle) * root_q
        reach = torch.maximum(
            (major * cos - minor * sin).abs(), (major * sin + minor * cos).abs()
        )

        def holds(half: int) -> bool:
            radius = (half + 0.5) * sampling / reach
            inside = self.encircled(radius**2, params).mean(dim=-1)
            return bool((inside >= enclosed).all())

        high = 1
        while not holds(high):
            high *= 2
        low = -1
        while high - low > 1:
            middle = (low + high) // 2
            low, high = (low, middle) if holds(middle) else (middle, high)
        return 2 * high + 1


def _per_lens(
    sampling: Tensor, params: Mapping[str, Tensor]
) -> tuple[Tensor, dict[str, Tensor]]:
    """Give the sampling and the parameters two more axes, and one dtype."""
    sampling = sampling.reshape(-1, 1, 1)
    return sampling, {
        name: value.to(sampling).reshape(-1, 1, 1) for name, value in params.items()
    }

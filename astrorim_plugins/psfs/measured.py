"""Point spread function measured as an image."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, ClassVar

import numpy as np
import torch

from astrorim.interfaces import PSF
from astrorim_plugins.psfs.profile import check_kernel_size

if TYPE_CHECKING:
    from collections.abc import Mapping

    from numpy.typing import ArrayLike
    from torch import Tensor

    from astrorim.parameters import Parameter

__all__ = ["MeasuredPSF"]


class MeasuredPSF(PSF):
    """A PSF given as an image, resampled to whatever sampling is asked for.

    At the stamp's own sampling the kernel is the stamp; otherwise it is interpolated at
    the centres of the elements by cubic convolution (Keys 1981, IEEE Trans. ASSP 29,
    1153, eq. 15), with zero beyond the stamp's edge. Sampling coarser than the stamp's
    takes values, not means: render on sub-pixels where the PSF is sharp.

    Parameters
    ----------
    stamp : array_like, (ky, kx)
        Image of the PSF, centred on its middle element; normalised here.
    stamp_sampling : float
        Side of an element of the stamp, arcsec.

    Raises
    ------
    ValueError
        If the stamp is not two-dimensional with odd sides, holds a value that is not
        finite, or its sum or the sampling is not positive.
    """

    name: ClassVar[str] = "measured"
    parameters: ClassVar[tuple[Parameter, ...]] = ()

    def __init__(self, stamp: ArrayLike, stamp_sampling: float) -> None:
        values = np.asarray(stamp, dtype=np.float64)
        if values.ndim != 2 or not all(side % 2 for side in values.shape):
            raise ValueError(
                f"stamp must be two-dimensional with odd sides, so that it has a middle "
                f"element, got shape {values.shape}; crop or resample it first"
            )
        if not np.isfinite(values).all():
            raise ValueError(
                f"stamp must be finite, got {np.count_nonzero(~np.isfinite(values))} values "
                "that are not; replace them first"
            )
        total = values.sum()
        if not total > 0:
            raise ValueError(f"the sum of stamp must be positive, got {total}")
        if not (math.isfinite(stamp_sampling) and stamp_sampling > 0):
            raise ValueError(
                f"stamp_sampling must be positive, in arcsec, got {stamp_sampling}"
            )
        self.stamp = values / total
        self.stamp_sampling = float(stamp_sampling)

    def __repr__(self) -> str:
        return f"MeasuredPSF(shape={self.stamp.shape}, stamp_sampling={self.stamp_sampling})"

    def kernel(
        self,
        sampling: Tensor,
        size: int,
        params: Mapping[str, Tensor],
    ) -> Tensor:
        """Kernel on a square grid, centred on its middle element, summing to one.

        Parameters
        ----------
        sampling : Tensor, (B,), arcsec
            Side of a kernel element.
        size : int
            Number of elements along each side; odd.
        params : mapping of str to Tensor
            Not used.

        Returns
        -------
        Tensor, (B, size, size), dimensionless

        Raises
        ------
        ValueError
            If ``size`` is even.
        """
        check_kernel_size(size)
        # In float64, so that the stamp's own sampling gives exact integers.
        ratio = (sampling.double() / self.stamp_sampling).reshape(-1, 1, 1)
        ratio = torch.where((ratio - 1).abs() < 1e-6, torch.ones_like(ratio), ratio)
        offset = torch.arange(size, dtype=ratio.dtype, device=ratio.device) - (size - 1) / 2
        rows, columns = (
            _cubic_weights(ratio * offset[:, None] + (side - 1) / 2, side)
            for side in self.stamp.shape
        )
        stamp = torch.as_tensor(self.stamp, dtype=ratio.dtype, device=ratio.device)
        values = rows @ stamp @ columns.transpose(-2, -1)
        return (values / values.sum(dim=(-2, -1), keepdim=True)).to(sampling.dtype)

    def size_for(
        self,
        sampling: Tensor,
        params: Mapping[str, Tensor],
        enclosed: float = 0.995,
    ) -> int:
        """Smallest odd kernel size that holds the fraction ``enclosed`` of the stamp.

        Parameters
        ----------
        sampling : Tensor, (B,), arcsec
            Side of a kernel element.
        params : mapping of str to Tensor
            Not used.
        enclosed : float, optional
            Fraction of the stamp's sum, below one.

        Returns
        -------
        int
            For the finest sampling of the batch.

        Raises
        ------
        ValueError
            If ``enclosed`` does not lie between zero and one.
        """
        if not 0 < enclosed < 1:
            raise ValueError(f"enclosed must lie between 0 and 1, got {enclosed}")
        rows, columns = (np.abs(np.arange(n) - (n - 1) // 2) for n in self.stamp.shape)
        distance = np.maximum(rows[:, None], columns)
        inside = np.cumsum(np.bincount(distance.ravel(), weights=self.stamp.ravel()))
        half = int(np.argmax(inside >= enclosed)) + 0.5
        finest = float(sampling.min())
        # The tolerance keeps a rounding error from adding a ring.
        return 2 * max(math.ceil(half * self.stamp_sampling / finest - 0.5 - 1e-6), 0) + 1


def _cubic_weights(position: Tensor, side: int) -> Tensor:
    """Weights of ``side`` samples at positions (B, size, 1): (B, size, side)."""
    samples = torch.arange(side, dtype=position.dtype, device=position.device)
    t = (position - samples).abs()
    near = (1.5 * t - 2.5) * t**2 + 1
    far = ((-0.5 * t + 2.5) * t - 4) * t + 2
    return torch.where(t <= 1, near, torch.where(t < 2, far, torch.zeros_like(t)))

"""Scaling by two percentiles."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from astrorim.interfaces import Normalizer
from astrorim.interfaces.normalizer import LinearScaling
from astrorim_plugins.normalizers._pixels import usable_pixels

__all__ = ["PercentileNormalizer"]


@dataclass(frozen=True)
class PercentileNormalizer(Normalizer):
    r"""Map two percentiles of the image onto 0 and 1; what lies outside stays outside.

    .. math::

        x' = \frac{x - P_\mathrm{lower}}{P_\mathrm{upper} - P_\mathrm{lower}}

    Nothing is clipped: clipping is not linear, and a likelihood of clipped data is wrong.

    Parameters
    ----------
    lower, upper : float, optional
        Percentiles, 0 <= lower < upper <= 100.

    Raises
    ------
    ValueError
        If the percentiles are out of range or out of order.
    """

    name: ClassVar[str] = "percentile"

    lower: float = 1.0
    upper: float = 99.0

    def __post_init__(self) -> None:
        if not 0 <= self.lower < self.upper <= 100:
            raise ValueError(
                "percentiles must satisfy 0 <= lower < upper <= 100, got "
                f"lower={self.lower}, upper={self.upper}"
            )

    def fit(self, data: np.ndarray, mask: np.ndarray | None = None) -> LinearScaling:
        """Find the scaling; masked and non-finite pixels are left out.

        Parameters
        ----------
        data : ndarray, (H, W)
            Image, in its own unit.
        mask : ndarray of bool, (H, W), optional
            True where a pixel is not to be used.

        Returns
        -------
        LinearScaling
            Offset and scale in the image's unit.

        Raises
        ------
        ValueError
            If no pixel is left, the image is constant, or both percentiles are equal.
        """
        values = usable_pixels(data, mask)
        low, high = (float(p) for p in np.percentile(values, [self.lower, self.upper]))
        if low == high:
            raise ValueError(
                f"percentiles {self.lower:g} and {self.upper:g} must differ, got {low:g} for "
                f"both among {values.size} pixels; mask the empty ones, or use the "
                "normalizer 'minmax'"
            )
        return LinearScaling(offset=low, scale=high - low)

"""Scaling by the smallest and the largest value."""

from __future__ import annotations

import numpy as np

from astrorim.interfaces import Normalizer
from astrorim.interfaces.normalizer import LinearScaling
from astrorim_plugins.normalizers._pixels import usable_pixels

__all__ = ["MinMaxNormalizer"]


class MinMaxNormalizer(Normalizer):
    r"""Map the image's range onto the interval from 0 to 1.

    .. math::

        x' = \frac{x - \min x}{\max x - \min x}

    One hot pixel sets the scale: mask it, or use the normalizer ``robust``.
    """

    name = "minmax"

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
            If no pixel is left or the image is constant.
        """
        values = usable_pixels(data, mask)
        low, high = float(values.min()), float(values.max())
        return LinearScaling(offset=low, scale=high - low)

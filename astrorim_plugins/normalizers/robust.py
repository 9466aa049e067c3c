"""Scaling by the median and the median absolute deviation."""

from __future__ import annotations

import numpy as np

from astrorim.interfaces import Normalizer
from astrorim.interfaces.normalizer import LinearScaling
from astrorim_plugins.normalizers._pixels import usable_pixels

__all__ = ["RobustNormalizer"]

_SIGMA_PER_MAD = 1.482602218505602
"""Standard deviation of a Gaussian over its MAD, the inverse of its upper quartile."""


class RobustNormalizer(Normalizer):
    r"""Centre on the median, in units of the standard deviation that the MAD implies.

    .. math::

        x' = \frac{x - \mathrm{med}(x)}{1.4826 \, \mathrm{med}|x - \mathrm{med}(x)|}

    (Rousseeuw & Croux 1993, JASA 88, 1273, equation 1.1). Where most of the frame is blank
    sky, that is the noise. It is not defined where more than half of the pixels are equal.
    """

    name = "robust"

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
            If no pixel is left, the image is constant, or its MAD is zero.
        """
        values = usable_pixels(data, mask)
        median = float(np.median(values))
        scale = _SIGMA_PER_MAD * float(np.median(np.abs(values - median)))
        if scale == 0:
            raise ValueError(
                "the median absolute deviation must be positive, got 0: more than half of "
                f"the {values.size} pixels are {median:g}; mask the empty ones, or use the "
                "normalizer 'minmax'"
            )
        return LinearScaling(offset=median, scale=scale)

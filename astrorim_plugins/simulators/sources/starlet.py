"""Starlet transform, and the denoising of images of galaxies with it.

References
----------
Starck J.-L., Murtagh F., 2006, "Astronomical Image and Data Analysis", 2nd edition,
Springer, chapter 2.
"""

from __future__ import annotations

import math
from functools import lru_cache

import numpy as np
from scipy import ndimage

__all__ = [
    "THRESHOLDS",
    "denoise",
    "max_scales",
    "noise_of_scales",
    "starlet",
    "white_noise_of_scales",
]

THRESHOLDS = ("local", "hard", "soft")
"""Ways in which coefficients are judged against the noise."""

_WINDOW = 1.5
_SPREAD = 0.5
_CAP = 9.0
_B3 = np.array([1.0, 4.0, 6.0, 4.0, 1.0]) / 16
_MAD_TO_SIGMA = 1.482602218505602
_MIN_INDEPENDENT = 60
"""Independent blank coefficients of a scale from which its noise is measured, so that it
is known to about a tenth; wider scales have the noise that white noise would have."""


def starlet(image: np.ndarray, num_scales: int) -> np.ndarray:
    r"""Isotropic undecimated wavelet transform with the cubic B-spline, "a trous".

    :math:`c_{j+1} = h_j * c_j`, :math:`w_{j+1} = c_j - c_{j+1}`, where :math:`h_j` is
    (1, 4, 6, 4, 1)/16 along each axis with :math:`2^j - 1` zeros between its elements
    (Starck & Murtagh 2006, equations 2.13 to 2.15). The planes add up to the image.

    Parameters
    ----------
    image : ndarray, (H, W), any unit
        Pixels; they are mirrored at the edges.
    num_scales : int
        Number J of wavelet scales.

    Returns
    -------
    ndarray, (J + 1, H, W), unit of the image
        Wavelet planes from the finest to the widest, then what is left.
    """
    planes = []
    smooth = np.asarray(image, dtype=np.float64)
    for j in range(num_scales):
        kernel = np.zeros(4 * 2**j + 1)
        kernel[:: 2**j] = _B3
        wider = ndimage.convolve1d(smooth, kernel, axis=0, mode="mirror")
        wider = ndimage.convolve1d(wider, kernel, axis=1, mode="mirror")
        planes.append(smooth - wider)
        smooth = wider
    return np.stack([*planes, smooth])


def max_scales(shape: tuple[int, ...]) -> int:
    """Number of scales whose widest filter still fits an image, at least one.

    Parameters
    ----------
    shape : tuple of int
        Shape of the image.

    Returns
    -------
    int
    """
    return max(1, int(math.log2(max(min(shape) - 1, 8) / 4)))


@lru_cache(maxsize=16)
def white_noise_of_scales(num_scales: int) -> tuple[float, ...]:
    """Standard deviation of each wavelet scale of white noise of unit variance.

    Parameters
    ----------
    num_scales : int
        Number J of scales.

    Returns
    -------
    tuple of float, (J,)
        The norms of the scales' filters: 0.891, 0.200, 0.086, ...
    """
    width = 8 * 2**num_scales + 1
    point = np.zeros((width, width))
    point[width // 2, width // 2] = 1
    planes = starlet(point, num_scales)[:-1]
    return tuple(float(norm) for norm in np.sqrt((planes**2).sum(axis=(1, 2))))


def noise_of_scales(planes: np.ndarray, blank: np.ndarray) -> np.ndarray:
    """Noise of each wavelet scale, from the median absolute deviation on blank pixels.

    Measuring each scale accounts for noise that neighbouring pixels share, as in drizzled
    images. Scales too wide for the blank area take over the noise of the scale before
    them, times the ratio that white noise has.

    Parameters
    ----------
    planes : ndarray, (J, H, W)
        Wavelet planes.
    blank : ndarray, (H, W), bool
        Pixels without light.

    Returns
    -------
    ndarray, (J,), unit of the planes
    """
    white = white_noise_of_scales(len(planes))
    noise = np.zeros(len(planes))
    for j, plane in enumerate(planes):
        independent = np.count_nonzero(blank) / 4**j
        if j == 0 or independent >= _MIN_INDEPENDENT:
            values = plane[blank]
            noise[j] = _MAD_TO_SIGMA * np.median(np.abs(values - np.median(values)))
        else:
            noise[j] = noise[j - 1] * white[j] / white[j - 1]
    return noise


def denoise(
    image: np.ndarray,
    blank: np.ndarray,
    *,
    significance: float = 3.0,
    num_scales: int | None = None,
    threshold: str = "local",
    iterations: int = 3,
) -> np.ndarray:
    r"""Keep what stands out of the noise on some scale.

    Each wavelet coefficient :math:`w`, in units of its scale's noise, is multiplied by

    * ``"hard"``: :math:`1` where :math:`|w| > k`, else 0;
    * ``"soft"``: :math:`[1 - k / |w|]_+`;
    * ``"local"``: :math:`[1 - t/P]_+ / (1 - t/9)` with :math:`t = 1 + k/2`, where P is the
      mean of :math:`\min(w^2, 9)` over a Gaussian window of 1.5 times the scale; or
      :math:`[1 - (k + 2)^2 / w^2]_+` if that is larger and the scale not one of the two
      finest. In noise P is 1 with a deviation of 0.3 to 0.4 on every scale. Groups of
      coefficients that are faint one by one are kept, as in spiral arms, single bad pixels
      are not, and the factor has no edges that would be lensed into arcs.

    What is left after the widest scale is kept as it is, and negative pixels become zero.
    As a wide structure leaks into finer scales, whose factors take part of it away, what
    the result lacks is added, :math:`x \leftarrow [x + W^{-1} g^4 W (y - x)]_+` with the
    factors g of the first pass (after Starck & Murtagh 2006, section 2.4). The power keeps
    to what is certain, so that the noise is not added as well.

    Parameters
    ----------
    image : ndarray, (H, W), any unit
        Pixels with the background subtracted.
    blank : ndarray, (H, W), bool
        Pixels without light, on which the noise is measured.
    significance : float, optional
        Threshold k, in standard deviations of each scale.
    num_scales : int, optional
        Number of scales; as many as fit the image by default.
    threshold : str, optional
        ``"local"``, ``"hard"`` or ``"soft"``.
    iterations : int, optional
        Number of passes.

    Returns
    -------
    ndarray, (H, W), unit of the image
        Not negative.

    Raises
    ------
    ValueError
        If the threshold is none of the three.
    """
    if threshold not in THRESHOLDS:
        raise ValueError(f"threshold must be one of {THRESHOLDS}, got {threshold!r}")
    number = num_scales or max_scales(image.shape)
    planes = starlet(image, number)
    noises = noise_of_scales(planes[:-1], blank)
    gains = np.ones(planes.shape)
    for j, (plane, noise) in enumerate(zip(planes[:-1], noises, strict=True)):
        if noise > 0:
            gains[j] = _gain((plane / noise) ** 2, significance, threshold, 2**j)
    result = np.clip((gains * planes).sum(axis=0), 0, None)
    for _ in range(iterations - 1):
        missing = starlet(image - result, number)
        result = np.clip(result + (gains**4 * missing).sum(axis=0), 0, None)
    return result


def _gain(power: np.ndarray, k: float, threshold: str, scale: int) -> np.ndarray:
    """Factor of each coefficient, given its square in units of the noise."""
    if threshold == "hard":
        return (power > k**2).astype(np.float64)
    floor = np.maximum(power, 1e-12)
    if threshold == "soft":
        return np.clip(1 - k / np.sqrt(floor), 0, None)
    limit = 1 + _SPREAD * k
    mean = ndimage.gaussian_filter(np.minimum(power, _CAP), _WINDOW * scale, mode="mirror")
    gain = np.clip(1 - limit / np.maximum(mean, 1e-12), 0, None) / max(1 - limit / _CAP, 0.1)
    if scale > 2:
        gain = np.maximum(gain, 1 - (k + 2) ** 2 / floor)
    return np.clip(gain, 0, 1)

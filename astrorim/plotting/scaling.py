"""From flux to colour: stretches that show faint arcs beside bright cores."""

from __future__ import annotations

import numpy as np
from astropy.visualization import AsinhStretch, ImageNormalize
from matplotlib import colormaps
from matplotlib.colors import Colormap, Normalize

__all__ = ["asinh_norm", "colour_map", "even_ticks", "symmetric_norm"]

_SOFTENING = 3.0  # in units of the noise: linear below, logarithmic above


def colour_map(name: str) -> Colormap:
    """One of matplotlib's maps, with grey for pixels that hold no data.

    Parameters
    ----------
    name : str
        A name that matplotlib knows.

    Returns
    -------
    `~matplotlib.colors.Colormap`
        A copy.
    """
    return colormaps[name].with_extremes(bad="0.72")


def asinh_norm(data: np.ndarray, noise: float | None = None) -> ImageNormalize:
    """Stretch that is linear within a few times the noise and logarithmic above.

    Parameters
    ----------
    data : ndarray
        What is to be shown; pixels that are not finite are ignored.
    noise : float, optional
        Typical standard deviation, in the unit of ``data``; measured from the median
        absolute deviation of the data where left out.

    Returns
    -------
    `~astropy.visualization.ImageNormalize`
        From two noises below zero to the 99.8th percentile; from 0 to 1 where
        the data hold nothing to show.
    """
    finite = np.asarray(data, dtype=float)
    finite = finite[np.isfinite(finite)]
    if finite.size == 0 or finite.min() == finite.max():
        middle = float(finite[0]) if finite.size else 0.0
        return ImageNormalize(vmin=middle, vmax=middle + 1, clip=False)
    if noise is None or not np.isfinite(noise) or noise <= 0:
        noise = 1.4826 * float(np.median(np.abs(finite - np.median(finite))))
    low = -2 * noise
    high = float(np.percentile(finite, 99.8))
    if high <= low:
        low, high = float(finite.min()), float(finite.max())
    softening = float(np.clip(_SOFTENING * noise / (high - low), 0.003, 0.5))
    return ImageNormalize(vmin=low, vmax=high, stretch=AsinhStretch(softening), clip=False)


def symmetric_norm(data: np.ndarray, *, at_least: float = 3.0) -> Normalize:
    """Linear scale from ``-limit`` to ``limit``.

    Parameters
    ----------
    data : ndarray
        What is to be shown; pixels that are not finite are ignored.
    at_least : float, optional
        Smallest limit; the largest is three times that, so that one bad pixel does not
        hide the rest.

    Returns
    -------
    `~matplotlib.colors.Normalize`
    """
    finite = np.abs(np.asarray(data, dtype=float))
    finite = finite[np.isfinite(finite)]
    reach = float(np.percentile(finite, 99.5)) if finite.size else at_least
    limit = float(np.clip(np.ceil(reach), at_least, 3 * at_least))
    return Normalize(-limit, limit)


def even_ticks(norm: ImageNormalize, number: int = 6) -> np.ndarray:
    """Round values, zero among them, that lie about evenly along a colour bar.

    Parameters
    ----------
    norm : `~astropy.visualization.ImageNormalize`
        The stretch.
    number : int, optional
        About how many.

    Returns
    -------
    ndarray
        Increasing, rounded to one significant digit.
    """
    wanted = np.asarray(norm.inverse(np.linspace(0.03, 0.97, number)), dtype=float)
    rounded = np.array([float(f"{value:.0e}") for value in wanted])
    if norm.vmin < 0 < norm.vmax:
        rounded[np.argmin(np.abs(wanted))] = 0.0
    return np.unique(rounded[(rounded >= norm.vmin) & (rounded <= norm.vmax)])

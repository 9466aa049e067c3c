"""Observations at a glance: each frame with its scale, its compass and its noise."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np
from matplotlib.figure import Figure

from astrorim.plotting.annotations import draw_compass, draw_scale_bar
from astrorim.plotting.scaling import asinh_norm, colour_map

if TYPE_CHECKING:
    from astrorim.observation import LensObservation

__all__ = ["plot_observations"]

_PANEL = 2.4
_FONT = 7.5


def plot_observations(observations: Sequence[LensObservation], *, columns: int = 5) -> Figure:
    """Draw observations, each with an asinh stretch that is linear up to its noise.

    Masked pixels are grey. Titles say name and band, and below them shape and pixel scale, and
    the median noise.

    Parameters
    ----------
    observations : sequence of LensObservation
        Any number, of any size.
    columns : int, optional
        Panels beside each other.

    Returns
    -------
    `~matplotlib.figure.Figure`
        Not known to pyplot.

    Raises
    ------
    ValueError
        If there is no observation.
    """
    if not observations:
        raise ValueError("observations must hold an observation, got none")
    columns = min(columns, len(observations))
    rows = math.ceil(len(observations) / columns)
    figure = Figure(figsize=(_PANEL * columns, (_PANEL + 0.6) * rows), layout="constrained")
    panels = np.atleast_1d(figure.subplots(rows, columns, squeeze=False)).ravel()
    for axes in panels[len(observations) :]:
        axes.set_visible(False)
    for axes, observation in zip(panels, observations, strict=False):
        good = observation.good
        noise = float(np.median(observation.noise[good])) if observation.has_noise else None
        image = np.where(good, observation.data, np.nan)
        axes.set_facecolor("0.6")
        axes.imshow(
            image,
            origin="lower",
            cmap=colour_map("inferno"),
            norm=asinh_norm(image[good], noise),
            interpolation="nearest",
        )
        draw_scale_bar(axes, pixel_scale=observation.grid.pixel_scale)
        if observation.wcs is not None and observation.wcs.has_celestial:
            draw_compass(axes, observation.wcs, observation.shape)
        axes.set_xticks([])
        axes.set_yticks([])
        title = " ".join(filter(None, [observation.name or "", observation.band or ""]))
        ny, nx = observation.shape
        facts = f'{ny} x {nx} at {observation.grid.pixel_scale:.4g}"'
        if noise is not None:
            facts += f"\nnoise {noise:.3g} {observation.unit}"
        axes.set_title(f"{title}\n{facts}", fontsize=_FONT)
    return figure

"""Simulated lenses at a glance: each lensed image with its source beside it."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import numpy as np
from astropy.visualization import ImageNormalize
from matplotlib.figure import Figure
from matplotlib.patheffects import withStroke

from astrorim.interchange.simulated_truth import as_array
from astrorim.plotting.annotations import draw_scale_bar
from astrorim.plotting.scaling import asinh_norm, colour_map

if TYPE_CHECKING:
    from matplotlib.axes import Axes

    from astrorim.interfaces import SimulatedLenses

__all__ = ["plot_contact_sheet"]

_FLUX_MAP = "inferno"
_PANEL = 1.75
_SIDE = 0.35
_FONT = 7.5
_FAINT = 0.004
"""Part of a source's peak up to which its stretch is linear, over three."""


def plot_contact_sheet(
    simulated: SimulatedLenses,
    figure: Figure | None = None,
    *,
    pairs_per_row: int = 3,
    title: str = "",
) -> Figure:
    """Draw pairs of source and lensed image.

    Both have an asinh stretch of their own, linear up to the noise or the source's faint
    parts, and a scale bar; x grows to the right and y upwards, as in the models. The
    source's panel shows the square about the source that holds nearly all its light.
    Titles say the Einstein radius, effective where it is known, and the redshifts.

    Parameters
    ----------
    simulated : SimulatedLenses
        A batch of any number.
    figure : `~matplotlib.figure.Figure`, optional
        Figure to draw into; a new one by default, which pyplot does not know.
    pairs_per_row : int, optional
        Pairs beside each other.
    title : str, optional
        Above everything.

    Returns
    -------
    `~matplotlib.figure.Figure`
    """
    number = len(simulated)
    columns = min(pairs_per_row, number)
    rows = math.ceil(number / columns)
    if figure is None:
        size = (2 * _PANEL * columns + 0.3, (_PANEL + 0.27) * rows + _SIDE)
        figure = Figure(figsize=size, layout="constrained")
    figure.get_layout_engine().set(w_pad=0.02, h_pad=0.03, wspace=0.01, hspace=0.01)  # type: ignore[union-attr]
    folders = np.atleast_1d(figure.subfigures(rows, columns, squeeze=False)).ravel()
    for folder in folders[number:]:
        folder.set_visible(False)
    for i, folder in enumerate(folders[:number]):
        left, right = folder.subplots(1, 2)
        _source(left, simulated, i)
        _lensed(right, simulated, i)
        folder.suptitle(_title(simulated, i), fontsize=_FONT + 0.5)
    if title:
        figure.suptitle(
            f"{title}   (asinh stretch, each panel its own)", fontsize=10, fontweight="bold"
        )
    return figure


def _lensed(axes: Axes, simulated: SimulatedLenses, i: int) -> None:
    image = as_array(simulated.image[i])
    noise = float(np.median(as_array(simulated.noise[i])))
    ny, nx = image.shape
    scale = float(simulated.pixel_scale[i])
    extent = (-nx * scale / 2, nx * scale / 2, -ny * scale / 2, ny * scale / 2)
    _show(axes, image, extent, asinh_norm(image, noise), "image")


def _source(axes: Axes, simulated: SimulatedLenses, i: int) -> None:
    image = as_array(simulated.source_image[i])
    scale = float(simulated.source_pixel_scale[i])
    rows, columns, half = _square_of_light(image)
    x0, y0 = simulated.source_centre[i].tolist()
    n = len(image)
    x = x0 + (columns - (n - 1) / 2) * scale
    y = y0 + (rows - (n - 1) / 2) * scale
    low_row, low_column = rows - half, columns - half
    cut = image[low_row : rows + half + 1, low_column : columns + half + 1]
    reach = (half + 0.5) * scale
    extent = (x - reach, x + reach, y - reach, y + reach)
    peak = float(cut.max())
    norm = asinh_norm(cut, _FAINT * peak if peak > 0 else None)
    norm.vmin = min(0.0, float(cut.min()))
    _show(axes, cut, extent, norm, "source")


def _square_of_light(image: np.ndarray, fraction: float = 0.95) -> tuple[int, int, int]:
    """Row and column of the centre, and half the side less half a pixel, of a square.

    It holds ``fraction`` of the light and the brightest pixel, a margin about them, and
    lies inside the image.
    """
    light = np.clip(image, 0, None).astype(float)
    total = light.sum()
    n = len(image)
    largest = (n - 1) // 2
    if total <= 0:
        return n // 2, n // 2, largest
    axis = np.arange(n)
    row = round(float(light.sum(axis=1) @ axis / total))
    column = round(float(light.sum(axis=0) @ axis / total))
    peak_row, peak_column = np.unravel_index(int(light.argmax()), light.shape)
    half = max(4, abs(int(peak_row) - row), abs(int(peak_column) - column))
    while half < largest:
        rows = slice(max(row - half, 0), row + half + 1)
        columns = slice(max(column - half, 0), column + half + 1)
        if light[rows, columns].sum() >= fraction * total:
            break
        half += 1
    half = min(round(1.3 * half), largest)
    return (
        int(np.clip(row, half, n - 1 - half)),
        int(np.clip(column, half, n - 1 - half)),
        half,
    )


def _show(
    axes: Axes,
    image: np.ndarray,
    extent: tuple[float, float, float, float],
    norm: ImageNormalize,
    label: str,
) -> None:
    axes.imshow(
        image,
        origin="lower",
        extent=extent,
        cmap=colour_map(_FLUX_MAP),
        norm=norm,
        interpolation="nearest",
    )
    draw_scale_bar(axes)
    axes.set_xlim(*extent[:2])
    axes.set_ylim(*extent[2:])
    axes.text(
        0.03, 0.97, label, transform=axes.transAxes, color="white", ha="left", va="top",
        fontsize=_FONT - 1, path_effects=[withStroke(linewidth=2, foreground="black")],
    )  # fmt: skip
    axes.set_xticks([])
    axes.set_yticks([])


def _title(simulated: SimulatedLenses, i: int) -> str:
    metadata = simulated.metadata
    parts = [f"{int(simulated.index[i])}:"]
    radius = metadata.get("effective_einstein_radius", simulated.lens.get("theta_E"))
    if radius is not None and math.isfinite(float(radius[i])):
        parts.append(rf'$\theta_\mathrm{{E}}$ = {float(radius[i]):.2f}"')
    for name, symbol in (("z_lens", "z_l"), ("z_source", "z_s")):
        if name in metadata:
            parts.append(rf"${symbol}$ = {float(metadata[name][i]):.2f}")
    return "  ".join(parts)

"""The figure to look at after a reconstruction."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import astropy.units as u
import numpy as np
from astropy.visualization import ImageNormalize
from matplotlib.figure import Figure

from astrorim.plotting.annotations import (
    draw_compass,
    draw_psf,
    draw_scale_bar,
    psf_fwhm,
)
from astrorim.plotting.scaling import asinh_norm, colour_map, even_ticks, symmetric_norm
from astrorim.plotting.summary import draw_summary

if TYPE_CHECKING:
    from astropy.wcs import WCS
    from matplotlib.axes import Axes

    from astrorim.results import Reconstruction

__all__ = ["plot_reconstruction"]

_FLUX_MAP = "inferno"
_RESIDUAL_MAP = "RdBu_r"


def plot_reconstruction(
    result: Reconstruction,
    figure: Figure | None = None,
    *,
    critical_curve: np.ndarray | None = None,
) -> Figure:
    """Draw observation, prediction, residual and source of a reconstruction.

    Six panels: the observation and the forward image on one asinh scale; the arcs, that
    is the observation without lens light and background; the residual in units of the
    noise; the source on its own axes; the parameters. Masked pixels are grey. Where the
    observation has a WCS, axes and compass are the sky's.

    Parameters
    ----------
    result : Reconstruction
        What to draw.
    figure : `~matplotlib.figure.Figure`, optional
        Figure to draw into; a new one by default, which pyplot does not know.
    critical_curve : ndarray, (P, 2), arcsec, optional
        Positions (x, y) of a curve to draw over the arcs, for example from
        `astrorim.results.apertures.critical_curve`.

    Returns
    -------
    `~matplotlib.figure.Figure`
    """
    if figure is None:
        figure = Figure(figsize=(12.6, 7.9), layout="constrained")
    observation = result.observation
    good = observation.good
    data = np.where(good, observation.data, np.nan)
    noise = float(np.median(observation.noise[good])) if good.any() else None
    wcs = _celestial(observation.wcs)
    unit = _label(result.unit)
    kwargs = {} if wcs is None else {"projection": wcs}
    grid = figure.add_gridspec(2, 3)
    panels = [figure.add_subplot(grid[0, i], **kwargs) for i in range(3)]
    panels.append(figure.add_subplot(grid[1, 0], **kwargs))

    shared = asinh_norm(data, noise)
    flux = colour_map(_FLUX_MAP)
    arcs = data - result.lens_light - result.background
    norms = (shared, shared, asinh_norm(arcs, noise))
    images = (data, result.forward_image, arcs)
    titles = ("Observation", "Forward image", "Observation $-$ lens light")
    for axes, image, norm, title in zip(panels[:3], images, norms, titles, strict=True):
        shown = axes.imshow(
            image, origin="lower", cmap=flux, norm=norm, interpolation="nearest"
        )
        _colour_bar(figure, shown, axes, f"flux [{unit} / pixel]")
        axes.set_title(title, fontsize=11)
    residual = result.normalised_residual
    shown = panels[3].imshow(
        residual,
        origin="lower",
        cmap=colour_map(_RESIDUAL_MAP),
        norm=symmetric_norm(residual),
        interpolation="nearest",
    )
    _colour_bar(figure, shown, panels[3], r"(observation $-$ forward) / $\sigma$")
    panels[3].set_title(
        rf"Residual, $\chi^2_\nu$ = {result.reduced_chi2:.2f}"
        rf" (arcs {result.arc_reduced_chi2:.2f})",
        fontsize=11,
    )
    for index, axes in enumerate(panels):
        _image_axes(axes, result, wcs, labelled=index in {0, 3})
    _mark_observation(panels[0], result, wcs)
    if critical_curve is not None:
        scale, (rows, columns) = observation.grid.pixel_scale, observation.shape
        pixels = np.asarray(critical_curve) / scale + [(columns - 1) / 2, (rows - 1) / 2]
        closed = np.concatenate([pixels, pixels[:1]])
        panels[2].plot(*closed.T, color="white", lw=1, ls="--", label="critical curve")
    _source_panel(figure, figure.add_subplot(grid[1, 1]), result, unit)
    draw_summary(figure.add_subplot(grid[1, 2]), result)
    title = result.name if observation.band is None else f"{result.name}   {observation.band}"
    figure.suptitle(title, fontsize=13, fontweight="bold")
    return figure


def _celestial(wcs: WCS | None) -> WCS | None:
    return wcs.celestial if wcs is not None and wcs.has_celestial else None


def _label(unit: u.UnitBase) -> str:
    """Unit as people write it in a label: ``electron / s``."""
    return unit.to_string("console", fraction="inline")


def _colour_bar(figure: Figure, shown: Any, axes: Axes, label: str) -> None:
    bar = figure.colorbar(shown, ax=axes, fraction=0.046, pad=0.02)
    if isinstance(shown.norm, ImageNormalize):
        ticks = even_ticks(shown.norm)
        bar.set_ticks(ticks, labels=[f"{tick:g}" for tick in ticks])
    bar.set_label(label, fontsize=8)
    bar.ax.tick_params(labelsize=7.5)
    bar.ax.minorticks_off()


def _image_axes(axes: Axes, result: Reconstruction, wcs: WCS | None, *, labelled: bool) -> None:
    """Sky axes where there is a WCS, offsets in arcsec else; labels where wanted."""
    rows, columns = result.observation.shape
    axes.set_xlim(-0.5, columns - 0.5)
    axes.set_ylim(-0.5, rows - 0.5)
    if wcs is not None:
        for coordinate, name in zip(axes.coords, ("RA", "Dec"), strict=True):
            coordinate.set_ticks(number=3)
            coordinate.set_ticklabel(size=7.5, exclude_overlapping=True)
            coordinate.set_ticklabel_visible(labelled)
            coordinate.set_axislabel(name if labelled else "", size=8, minpad=0.4)
            coordinate.set_auto_axislabel(False)
            coordinate.tick_params(color="white", direction="in", length=4)
        return
    grid = result.observation.grid
    reach = 0.5 * min(grid.field_of_view)
    step = 2 ** np.floor(np.log2(reach / 1.5))
    ticks = np.arange(-np.floor(reach / step), np.floor(reach / step) + 1) * step
    axes.set_xticks([grid.to_pixel(t, 0)[0] for t in ticks], [f"{t:g}" for t in ticks])
    axes.set_yticks([grid.to_pixel(0, t)[1] for t in ticks], [f"{t:g}" for t in ticks])
    axes.tick_params(labelsize=7.5, labelbottom=labelled, labelleft=labelled)
    if labelled:
        axes.set_xlabel("x [arcsec]", fontsize=8)
        axes.set_ylabel("y [arcsec]", fontsize=8)


def _mark_observation(axes: Axes, result: Reconstruction, wcs: WCS | None) -> None:
    observation = result.observation
    rows, columns = observation.shape
    draw_scale_bar(
        axes,
        pixel_scale=observation.grid.pixel_scale,
        frame=(-0.5, columns - 0.5, -0.5, rows - 0.5),
    )
    if wcs is not None:
        draw_compass(axes, wcs, observation.shape)
    if observation.psf is not None:
        fwhm = psf_fwhm(observation.psf, observation.psf_supersampling)
        draw_psf(axes, fwhm, observation.shape)


def _source_panel(figure: Figure, axes: Axes, result: Reconstruction, unit: str) -> None:
    shown = axes.imshow(
        result.source,
        origin="lower",
        cmap=colour_map(_FLUX_MAP),
        norm=asinh_norm(result.source),
        extent=result.source_grid.extent,
        interpolation="nearest",
    )
    _colour_bar(figure, shown, axes, f"surface brightness [{unit} / arcsec$^2$]")
    axes.set_title("Source", fontsize=11)
    axes.set_xlabel("x [arcsec]", fontsize=8)
    axes.set_ylabel("y [arcsec]", fontsize=8)
    axes.tick_params(labelsize=7.5)
    draw_scale_bar(axes)

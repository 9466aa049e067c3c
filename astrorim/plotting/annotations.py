"""Marks on images: scale bar, compass, size of the PSF. Positions are in pixels."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from matplotlib.patches import Circle
from matplotlib.patheffects import withStroke
from scipy.ndimage import zoom

if TYPE_CHECKING:
    from astropy.wcs import WCS
    from matplotlib.axes import Axes

__all__ = ["draw_compass", "draw_psf", "draw_scale_bar", "psf_fwhm", "scale_bar_length"]

_OUTLINE = [withStroke(linewidth=2.4, foreground="black", alpha=0.75)]
_FONT = 8


def scale_bar_length(width: float) -> float:
    """A round length, 1, 2 or 5 times a power of ten, of up to 0.3 of the width.

    Parameters
    ----------
    width : float, arcsec
        Width of the frame.

    Returns
    -------
    float, arcsec
    """
    power = 10.0 ** np.floor(np.log10(0.3 * width))
    return float(max(f * power for f in (1, 2, 5) if f * power <= 0.3 * width * (1 + 1e-9)))


def draw_scale_bar(
    axes: Axes,
    *,
    pixel_scale: float = 1.0,
    frame: tuple[float, float, float, float] | None = None,
) -> None:
    """Draw a scale bar in the lower left corner.

    Parameters
    ----------
    axes : `~matplotlib.axes.Axes`
        Where to draw.
    pixel_scale : float, optional
        Arcsec per unit of the axes: 1 where the axes are in arcsec.
    frame : tuple of float, optional
        Left, right, bottom and top in units of the axes; the axes' limits by default.
    """
    left, right, bottom, top = frame or (*axes.get_xlim(), *axes.get_ylim())
    length = scale_bar_length((right - left) * pixel_scale)
    x = left + 0.06 * (right - left)
    y = bottom + 0.06 * (top - bottom)
    reach = length / pixel_scale
    axes.plot([x, x + reach], [y, y], color="white", lw=2, path_effects=_OUTLINE)
    axes.text(
        x + reach / 2,
        y + 0.02 * (top - bottom),
        f'{length:g}"',
        color="white",
        ha="center",
        va="bottom",
        fontsize=_FONT,
        path_effects=_OUTLINE,
    )


def draw_compass(axes: Axes, wcs: WCS, shape: tuple[int, int]) -> None:
    """Draw arrows to the north and to the east in the lower right corner.

    Parameters
    ----------
    axes : `~matplotlib.axes.Axes`
        Where to draw; its units are pixels.
    wcs : `~astropy.wcs.WCS`
        Celestial; directions come from its pixel-scale matrix, flips included.
    shape : tuple of int
        Rows and columns of the image.
    """
    rows, columns = shape
    length = 0.10 * min(shape)
    inverse = np.linalg.inv(wcs.celestial.pixel_scale_matrix)
    arrows = {"N": inverse @ [0.0, 1.0], "E": inverse @ [1.0, 0.0]}
    arrows = {label: length * arrow / np.hypot(*arrow) for label, arrow in arrows.items()}
    # the two arrows and their letters stay inside a box in the corner
    ends = 1.5 * np.array([(0.0, 0.0), *arrows.values()])
    start = np.array(
        [0.95 * columns - 0.5 - ends[:, 0].max(), 0.05 * rows - 0.5 - ends[:, 1].min()]
    )
    for label, arrow in arrows.items():
        axes.annotate(
            "",
            xy=tuple(start + arrow),
            xytext=tuple(start),
            arrowprops={
                "arrowstyle": "-|>", "color": "white", "lw": 1.2, "shrinkA": 0,
                "shrinkB": 0, "path_effects": _OUTLINE,
            },
        )  # fmt: skip
        axes.text(
            *(start + 1.32 * arrow),
            label,
            color="white",
            ha="center",
            va="center",
            fontsize=_FONT,
            path_effects=_OUTLINE,
        )


def psf_fwhm(psf: np.ndarray, supersampling: int = 1) -> float:
    """Full width at half maximum of a PSF stamp, as a circle of the area above half.

    Parameters
    ----------
    psf : ndarray, (K, K)
        The stamp.
    supersampling : int, optional
        Its elements along the side of a detector pixel.

    Returns
    -------
    float
        Detector pixels.
    """
    factor = 10
    fine = zoom(
        np.asarray(psf, dtype=float), factor, order=3, grid_mode=True, mode="grid-constant"
    )
    area = np.count_nonzero(fine > 0.5 * fine.max()) / factor**2
    return float(2 * np.sqrt(area / np.pi) / supersampling)


def draw_psf(axes: Axes, fwhm: float, shape: tuple[int, int]) -> None:
    """Draw a hatched circle of the PSF's size in the upper left corner.

    Parameters
    ----------
    axes : `~matplotlib.axes.Axes`
        Where to draw; its units are pixels.
    fwhm : float
        Diameter, detector pixels.
    shape : tuple of int
        Rows and columns of the image.
    """
    rows, columns = shape
    centre = (0.06 * columns + fwhm / 2, 0.94 * rows - fwhm / 2)
    axes.add_patch(
        Circle(centre, fwhm / 2, facecolor="none", edgecolor="white", hatch="//////", lw=1.0)
    )
    axes.text(
        centre[0] + fwhm / 2 + 0.02 * columns,
        centre[1],
        "PSF",
        color="white",
        ha="left",
        va="center",
        fontsize=_FONT - 1,
        path_effects=_OUTLINE,
    )

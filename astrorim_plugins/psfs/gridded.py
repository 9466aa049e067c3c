"""Point spread function that changes over the field."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar

import numpy as np

from astrorim_plugins.psfs.measured import MeasuredPSF

if TYPE_CHECKING:
    from numpy.typing import ArrayLike

__all__ = ["GriddedPSF"]


class GriddedPSF(MeasuredPSF):
    """The PSF at the lens' place, interpolated between PSFs on a grid over the field.

    Bilinear between the four nearest grid points, by photutils' `GriddedPSFModel`.

    Parameters
    ----------
    stamps : array_like, (N, K, K)
        PSFs at the grid points, K odd, each centred on its middle element.
    positions : array_like, (N, 2), pixel
        Columns and rows (x, y) of the grid points, which form a rectangle.
    position : tuple of float, pixel
        Column and row (x, y) of the lens.
    pixel_scale : float
        Side of a detector pixel, arcsec.
    oversampling : int, optional
        Elements of the stamps along the side of a detector pixel.

    Raises
    ------
    ValueError
        If the stamps are even-sized or not of positive sum, the positions are not one for
        each and do not form a rectangular grid, or the lens lies outside of it.
    """

    name: ClassVar[str] = "gridded"

    def __init__(
        self,
        stamps: ArrayLike,
        positions: ArrayLike,
        position: tuple[float, float],
        pixel_scale: float,
        oversampling: int = 1,
    ) -> None:
        from astropy.nddata import NDData
        from photutils.psf import GriddedPSFModel

        cube = np.asarray(stamps, dtype=float)
        grid = np.asarray(positions, dtype=float)
        if cube.ndim != 3 or not all(side % 2 for side in cube.shape[1:]):
            raise ValueError(
                f"stamps must be a cube (N, K, K) with K odd, got shape {cube.shape}; crop or "
                "resample them first"
            )
        if grid.shape != (cube.shape[0], 2):
            raise ValueError(
                f"positions must be one (x, y) for each of the {cube.shape[0]} stamps, got "
                f"shape {grid.shape}"
            )
        low, high = grid.min(axis=0), grid.max(axis=0)
        if not (np.all(low <= position) and np.all(position <= high)):
            raise ValueError(
                f"position must lie within the grid of x from {low[0]:g} to {high[0]:g} and "
                f"y from {low[1]:g} to {high[1]:g}, got {tuple(position)}"
            )
        sums = cube.sum(axis=(1, 2))
        if not (np.isfinite(cube).all() and np.all(sums > 0)):
            raise ValueError(
                f"each stamp must be finite with a positive sum, got sums from {sums.min()} "
                f"to {sums.max()}"
            )
        unit = cube / sums[:, None, None] * oversampling**2
        meta = {"grid_xypos": [tuple(place) for place in grid], "oversampling": oversampling}
        model = GriddedPSFModel(NDData(unit, meta=meta))
        rows, columns = ((np.arange(n) - n // 2) / oversampling for n in cube.shape[1:])
        x, y = np.meshgrid(columns + position[0], rows + position[1])
        super().__init__(model.evaluate(x, y, 1.0, *position), pixel_scale / oversampling)

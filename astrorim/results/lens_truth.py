"""What is known of a simulated lens: all that a result of it is judged by."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING

import numpy as np

from astrorim.grid import SourceGrid

if TYPE_CHECKING:
    from astrorim.observation import LensObservation

__all__ = ["LensTruth"]

_FINEST_PIXEL = 0.02


@dataclass(frozen=True, eq=False)
class LensTruth:
    """An observation and its truth, in one unit of flux.

    Parameters
    ----------
    observation : LensObservation
        What was handed to the inference.
    source : ndarray, (n, m), flux per arcsec^2
        True source, averaged over pixels.
    source_grid : SourceGrid
        Where they lie, arcsec.
    lens_model : str
        The components that deflect light; those drawn with no mass are left out.
    light_model : str
        Model of the lens galaxy's light.
    lens, light : dict of str to float
        Parameters of ``lens_model`` and ``light_model`` by internal name, declared units.
    lens_light : ndarray, (H, W), flux
        Image of the lens galaxy, PSF applied.
    effective_einstein_radius : float, arcsec
        Mean convergence one inside, of the whole lens.
    magnification : float
        Flux of the arcs in the frame over the source's.
    other_light : ndarray, (H, W), flux, optional
        Of neighbours, stars, a second lens galaxy.
    psf : ndarray, (K, K), optional
        PSF that the image was rendered with, where it is another than the observation's.
    hit : ndarray, (H, W), bool, optional
        Pixels struck by cosmic rays.
    index : int, optional
        Number of the lens in its dataset.
    """

    observation: LensObservation
    source: np.ndarray
    source_grid: SourceGrid
    lens_model: str
    light_model: str
    lens: dict[str, float]
    light: dict[str, float]
    lens_light: np.ndarray
    effective_einstein_radius: float
    magnification: float
    other_light: np.ndarray | None = None
    psf: np.ndarray | None = None
    hit: np.ndarray | None = None
    index: int = 0

    def __post_init__(self) -> None:
        shape = self.observation.data.shape
        for name in ("lens_light", "other_light", "hit"):
            image = getattr(self, name)
            if image is not None and image.shape != shape:
                raise ValueError(
                    f"{name} must have the observation's shape {shape}, got {image.shape}: "
                    "the truth must be that of the same frame"
                )
        if self.source.shape != self.source_grid.shape:
            raise ValueError(
                f"source must have its grid's shape {self.source_grid.shape}, got "
                f"{self.source.shape}"
            )

    @property
    def known(self) -> dict[str, float]:
        """All parameters, those of the light prefixed ``light_``."""
        return self.lens | {f"light_{name}": value for name, value in self.light.items()}

    @cached_property
    def resolvable(self) -> tuple[np.ndarray, SourceGrid]:
        """Source, flux per arcsec^2, on pixels of at least 0.02 arcsec, and their grid.

        Pixels are joined by twos until they are as wide as half a pixel of a space
        telescope: what is smaller no image shows.
        """
        source, grid = np.asarray(self.source, dtype=float), self.source_grid
        scale = grid.pixel_scale
        while scale < _FINEST_PIXEL and not any(side % 2 for side in source.shape):
            rows, columns = source.shape
            source = source.reshape(rows // 2, 2, columns // 2, 2).mean(axis=(1, 3))
            scale *= 2
        return source, SourceGrid(source.shape, scale, grid.x0, grid.y0)

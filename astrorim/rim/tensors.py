"""From observations to the tensors of a batch, in units of each image's noise."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import torch

from astrorim.exceptions import ObservationError
from astrorim.lensing.forward import ImageData

if TYPE_CHECKING:
    from collections.abc import Sequence

    from astrorim.observation import LensObservation

__all__ = ["ObservationBatch", "batch_observations"]


@dataclass(frozen=True)
class ObservationBatch:
    """Observations as one batch.

    Parameters
    ----------
    data : ImageData
        Images in units of ``unit_flux``.
    unit_flux : list of float
        What one flux unit of the tensors is in each observation's own unit: the median
        noise of its good pixels.
    """

    data: ImageData
    unit_flux: list[float]


def _central(array: np.ndarray, size: int | None) -> np.ndarray:
    """Central part of at most ``size`` pixels a side, with the frame's own parity."""
    if size is None:
        return array
    for axis in (0, 1):
        n = array.shape[axis]
        if n > size:
            kept = size - (n - size) % 2
            low = (n - kept) // 2
            array = np.take(array, range(low, low + kept), axis=axis)
    return array


def batch_observations(
    observations: Sequence[LensObservation],
    *,
    size: int | None = None,
    device: str = "cpu",
    dtype: torch.dtype = torch.float32,
) -> ObservationBatch:
    """Stack observations of one shape.

    Parameters
    ----------
    observations : sequence of LensObservation
        Each with noise, PSF and pixel scale; of one shape and PSF sampling.
    size : int, optional
        Use at most this many central pixels a side; all of them by default. The origin
        stays the centre of the frame.
    device : str, optional
        Where the tensors live.
    dtype : torch.dtype, optional
        Their type.

    Returns
    -------
    ObservationBatch

    Raises
    ------
    ObservationError
        If an observation lacks its PSF or noise, or has no good pixel.
    """
    images, noises, goods, psfs, scales, fluxes = [], [], [], [], [], []
    kernel_size = max((o.psf.shape[0] for o in observations if o.psf is not None), default=0)
    for observation in observations:
        if observation.psf is None:
            raise ObservationError(
                f"{observation.name or 'the observation'} has no PSF; pass psf= a FITS file or "
                "an array with an odd side"
            )
        good = _central(observation.good, size)
        if not good.any():
            raise ObservationError(
                f"{observation.name or 'the observation'} has no unmasked pixel near its centre"
            )
        noise = _central(np.asarray(observation.noise, dtype=float), size)
        flux = float(np.median(noise[good]))
        image = _central(np.asarray(observation.data, dtype=float), size)
        images.append(np.where(good, image, 0.0) / flux)
        noises.append(np.where(good, noise, flux) / flux)
        goods.append(good)
        psf = np.asarray(observation.psf, dtype=float)
        psfs.append(np.pad(psf / psf.sum(), (kernel_size - psf.shape[0]) // 2))
        scales.append(observation.grid.pixel_scale)
        fluxes.append(flux)

    def tensor(arrays: list) -> torch.Tensor:
        return torch.as_tensor(np.stack(arrays).astype(np.float64)).to(device, dtype)

    data = ImageData(
        tensor(images),
        tensor(noises),
        tensor(goods),
        tensor(psfs),
        observations[0].psf_supersampling,
        tensor(scales),
    )
    return ObservationBatch(data, fluxes)

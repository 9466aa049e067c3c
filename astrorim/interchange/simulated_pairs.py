"""Simulated lenses as observations, and as pairs of FITS files."""

from __future__ import annotations

import io
from pathlib import Path
from typing import TYPE_CHECKING, Any

import astropy.units as u
import numpy as np
import torch
from astropy.io import fits
from astropy.nddata import StdDevUncertainty
from astropy.wcs import WCS

from astrorim.grid import SourceGrid
from astrorim.interchange.simulated_truth import (
    OBSERVATION_UNITS,
    as_array,
    header_number,
    pair_names,
    truth_header,
)
from astrorim.observation import LensObservation
from astrorim.rim.batches import without_padding

if TYPE_CHECKING:
    from torch import Tensor

    from astrorim.interfaces import SimulatedLenses

__all__ = [
    "BRIGHTNESS",
    "detector_sources",
    "frame_wcs",
    "kernel_of",
    "observation_bytes",
    "to_observation",
    "truth_bytes",
    "truth_images",
]

BAND = "F814W"
"""The band whose zero point the photometry has."""

SKY_POSITION = (150.0, 2.2)
"""Right ascension and declination, deg, that every simulated frame is centred on."""

BRIGHTNESS = u.adu / u.arcsec**2
"""Unit of the sources."""

_DETECTOR_POINTS = 3
_VECTOR = 64


def kernel_of(kernels: Tensor | None, i: int) -> np.ndarray | None:
    """A lens' own kernel, without what pads it to the widest of its batch.

    Parameters
    ----------
    kernels : Tensor, (B, K, K), or None
        Kernels of a batch.
    i : int
        Position of the lens in the batch.

    Returns
    -------
    ndarray, (k, k), or None
        Without the rings of exact zeros around it.
    """
    return None if kernels is None else as_array(without_padding(kernels[i : i + 1])[0])


def to_observation(simulated: SimulatedLenses, i: int) -> LensObservation:
    """One simulated lens as an observation, with its truth in ``meta``.

    Parameters
    ----------
    simulated : SimulatedLenses
        A batch.
    i : int
        Position of the lens in the batch.

    Returns
    -------
    LensObservation
        In adu, with standard deviations, PSF and a WCS: north up, east left. The PSF has
        the lens' own size.
    """
    scale = header_number(simulated.pixel_scale[i])
    metadata = simulated.metadata
    known: dict[str, Any] = {
        name: header_number(metadata[name][i])
        for name in ("z_lens", "z_source")
        if name in metadata
    }
    for name in ("exposure", "gain"):
        if name in metadata:
            known[name] = header_number(metadata[name][i]) * OBSERVATION_UNITS[name]
    return LensObservation(
        as_array(simulated.image[i]),
        unit=u.adu,
        uncertainty=StdDevUncertainty(as_array(simulated.noise[i])),
        wcs=frame_wcs(simulated.image.shape[1:], scale),
        psf=kernel_of(simulated.psf, i),
        psf_supersampling=simulated.psf_supersampling,
        band=BAND,
        name=Path(pair_names(int(simulated.index[i]))[1]).stem,
        meta=truth_header(simulated, i),
        **known,
    )


def frame_wcs(shape: tuple[int, ...], scale: float, centre: tuple[float, ...] = (0, 0)) -> WCS:
    """Tangential WCS of a simulated frame, north up and east left.

    Parameters
    ----------
    shape : tuple of int
        Rows and columns.
    scale : float
        Side of a pixel, arcsec.
    centre : tuple of float, optional
        Position (x, y), arcsec, of the frame's centre from `SKY_POSITION`.

    Returns
    -------
    `~astropy.wcs.WCS`
    """
    ny, nx = shape
    wcs = WCS(naxis=2)
    wcs.wcs.ctype = ["RA---TAN", "DEC--TAN"]
    wcs.wcs.cunit = ["deg", "deg"]
    wcs.wcs.crval = SKY_POSITION
    wcs.wcs.cdelt = [-scale / 3600, scale / 3600]
    wcs.wcs.crpix = [(nx + 1) / 2 - centre[0] / scale, (ny + 1) / 2 - centre[1] / scale]
    wcs.array_shape = (ny, nx)
    return wcs


def truth_images(
    simulated: SimulatedLenses, i: int, on_detector: np.ndarray
) -> dict[str, tuple[np.ndarray, u.UnitBase | None]]:
    """Images on the detector grid, and kernels, of the truth of a lens.

    Parameters
    ----------
    simulated : SimulatedLenses
        A batch.
    i : int
        Position of the lens in the batch.
    on_detector : ndarray, (H, W), adu/arcsec^2
        Its source, as `detector_sources` gives it.

    Returns
    -------
    dict of str to (ndarray, unit or None)
        By the names of FITS extensions. ``OTHERLGT``, ``TRUEPSF``, ``COSMICS`` and
        ``NOISEKER`` only where the lens has light of others, was rendered with another
        PSF, was hit, or has correlated noise. Kernels are odd or even squares without a
        unit.
    """
    noise_free, light = as_array(simulated.noise_free[i]), as_array(simulated.lens_light[i])
    arcs = noise_free - light
    extra: dict[str, tuple[np.ndarray, u.UnitBase | None]] = {}
    if simulated.other_light is not None:
        other = as_array(simulated.other_light[i])
        if other.any():
            arcs = arcs - other
            extra["OTHERLGT"] = (other, u.adu)
    psf, true_psf = kernel_of(simulated.psf, i), kernel_of(simulated.rendering_psf, i)
    if psf is not None and true_psf is not None and not np.array_equal(true_psf, psf):
        extra["TRUEPSF"] = (true_psf, None)
    if simulated.cosmic_rays is not None:
        hits = as_array(simulated.cosmic_rays[i])
        if hits.any():
            extra["COSMICS"] = (hits.astype(np.uint8), None)
    noise_kernel = kernel_of(simulated.noise_kernel, i)
    if noise_kernel is not None and noise_kernel.size > 1:
        extra["NOISEKER"] = (noise_kernel, None)
    return {
        "SOURCEDET": (on_detector, BRIGHTNESS),
        "NOISEFREE": (noise_free, u.adu),
        "LENSLIGHT": (light, u.adu),
        "ARCS": (arcs, u.adu),
    } | extra


def truth_bytes(simulated: SimulatedLenses, i: int, on_detector: np.ndarray) -> bytes:
    """FITS file of the truth of a lens.

    Parameters
    ----------
    simulated : SimulatedLenses
        A batch.
    i : int
        Position of the lens in the batch.
    on_detector : ndarray, (H, W), adu/arcsec^2
        Its source, as `detector_sources` gives it.

    Returns
    -------
    bytes
        The source first, then the extensions that `truth_images` names.
    """
    scale = header_number(simulated.source_pixel_scale[i])
    centre = tuple(simulated.source_centre[i].tolist())
    image = as_array(simulated.source_image[i])
    primary = fits.PrimaryHDU(image, frame_wcs(image.shape, scale, centre).to_header())
    primary.header["BUNIT"] = (
        BRIGHTNESS.to_string("fits"),
        "surface brightness of the source",
    )
    primary.header.update(truth_header(simulated, i))
    for name in ("z_lens", "z_source"):
        if name in simulated.metadata:
            primary.header[name.upper()] = header_number(simulated.metadata[name][i])
    hdus = fits.HDUList([primary])
    shape = tuple(simulated.image.shape[1:])
    frame = frame_wcs(shape, header_number(simulated.pixel_scale[i])).to_header()
    for name, (data, unit) in truth_images(simulated, i, on_detector).items():
        on_sky = data.shape == shape and name not in {"TRUEPSF", "NOISEKER"}
        hdu = fits.ImageHDU(data, frame if on_sky else None, name=name)
        if unit is not None:
            hdu.header["BUNIT"] = unit.to_string("fits")
        if name == "TRUEPSF":
            hdu.header["PSFSUPER"] = (simulated.psf_supersampling, "elements along a pixel")
        hdus.append(hdu)
    return _bytes_of(hdus)


def observation_bytes(simulated: SimulatedLenses, i: int) -> bytes:
    """FITS file of the observation of a lens.

    Parameters
    ----------
    simulated : SimulatedLenses
        A batch.
    i : int
        Position of the lens in the batch.

    Returns
    -------
    bytes
        As `~astrorim.observation.LensObservation` writes it.
    """
    return _bytes_of(to_observation(simulated, i).to_hdu())


def _bytes_of(hdus: fits.HDUList) -> bytes:
    buffer = io.BytesIO()
    hdus.writeto(buffer)
    return buffer.getvalue()


def detector_sources(simulated: SimulatedLenses) -> np.ndarray:
    """Sources averaged over detector pixels.

    Parameters
    ----------
    simulated : SimulatedLenses
        A batch.

    Returns
    -------
    ndarray, (B, H, W), adu/arcsec^2
        The same bits for a lens whatever the batch that it is in.
    """
    image = simulated.image
    k = _DETECTOR_POINTS
    ny, nx = image.shape[1:]
    positions = SourceGrid((ny, nx), 1.0).coordinates(supersampling=k)
    # Every lens has a multiple of the length of the processor's vectors, computed in one
    # thread, so that none of its numbers comes from the scalar ends of loops.
    size = ny * nx * k**2
    padded = np.zeros((2, -(-size // _VECTOR) * _VECTOR))
    padded[:, :size] = [position.ravel() for position in positions]
    x, y = image.new_tensor(padded)
    scale = simulated.pixel_scale[:, None]
    threads = torch.get_num_threads()
    try:
        torch.set_num_threads(1)
        values = simulated.source(x * scale, y * scale)[:, :size]
        blocks = values.unflatten(1, (ny, k, nx, k))
        total = sum(blocks[:, :, a, :, b] for a in range(k) for b in range(k))
        return as_array(total / k**2)  # type: ignore[operator,arg-type]
    finally:
        torch.set_num_threads(threads)

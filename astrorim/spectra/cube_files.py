"""Cubes of integral-field spectrographs, read with their noise, mask and both WCS."""

from __future__ import annotations

import os
import warnings
from typing import TYPE_CHECKING

import numpy as np

from astrorim.exceptions import ObservationError, SpectrumError
from astrorim.quantities import parse_unit

if TYPE_CHECKING:
    from astropy.io import fits
    from specutils import Spectrum

__all__ = ["read_cube"]

_NOISE_NAMES = {
    "STAT": "VarianceUncertainty",
    "VAR": "VarianceUncertainty",
    "VARIANCE": "VarianceUncertainty",
    "ERR": "StdDevUncertainty",
    "ERROR": "StdDevUncertainty",
    "STDDEV": "StdDevUncertainty",
    "SIGMA": "StdDevUncertainty",
    "NOISE": "StdDevUncertainty",
    "IVAR": "InverseVariance",
}
"""Names of HDUs that hold the noise of a cube, and what they mean."""

_MASK_NAMES = ("DQ", "MASK")


def read_cube(
    path: str | os.PathLike[str],
    *,
    hdu: int | str | None = None,
    noise_hdu: int | str | None = None,
    unit: str | None = None,
) -> Spectrum:
    """Read a FITS cube with a celestial and a spectral axis.

    Generic cubes are not recognised by specutils, which is why this reader exists. Noise
    is taken from the HDU called STAT, VAR or VARIANCE (variance), ERR, ERROR, STDDEV,
    SIGMA or NOISE (standard deviation) or IVAR (inverse variance); pixels that DQ or MASK
    marks with any value are masked.

    Parameters
    ----------
    path : str or path-like
        FITS file.
    hdu : int or str, optional
        HDU of the flux; the first with three axes by default.
    noise_hdu : int or str, optional
        HDU of the noise where there are several; its name says what it is.
    unit : str, optional
        Unit of the flux; the header's ``BUNIT`` by default.

    Returns
    -------
    `~specutils.Spectrum`
        Flux (L, H, W): wavelength, row and column.

    Raises
    ------
    SpectrumError
        If there is no cube, no unit, no WCS with a celestial and a spectral axis, or the
        noise has another shape.
    """
    from astropy.io import fits

    if not os.path.isfile(path):  # noqa: PTH113
        raise SpectrumError(f"the cube must be a file, but {os.fspath(path)!r} is none")
    try:
        with fits.open(path, memmap=False) as hdus:
            return _assemble(hdus, hdu, noise_hdu, unit)
    except (OSError, ObservationError, KeyError, IndexError) as error:
        raise SpectrumError(f"{os.fspath(path)!r} cannot be read as a cube: {error}") from error


def _assemble(
    hdus: fits.HDUList, hdu: int | str | None, noise_hdu: int | str | None, unit: str | None
) -> Spectrum:
    import astropy.nddata
    import astropy.units as u
    from astropy.wcs import WCS, FITSFixedWarning
    from specutils import Spectrum

    cubes = [h for h in hdus if h.is_image and h.header.get("NAXIS") == 3]
    if hdu is not None:
        image = hdus[hdu]
    elif cubes:
        image = cubes[0]
    else:
        raise SpectrumError(
            "the file must hold an image with three axes, got "
            f"{[(h.name, h.header.get('NAXIS')) for h in hdus]}; is it a cube?"
        )
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", FITSFixedWarning)
        wcs = WCS(image.header)
    if not (wcs.has_celestial and wcs.has_spectral):
        raise SpectrumError(
            "the cube must have a celestial and a spectral axis in its WCS, got CTYPE "
            f"{list(wcs.wcs.ctype)} in HDU {image.name!r}"
        )
    if wcs.wcs.spec != 2:
        raise SpectrumError(
            f"the spectral axis must be the third of the FITS file, got number "
            f"{wcs.wcs.spec + 1}; reorder the axes"
        )
    flux = np.asarray(image.data, dtype=float)
    mask = ~np.isfinite(flux)
    uncertainty = None
    names = [noise_hdu] if noise_hdu is not None else [n for n in _NOISE_NAMES if n in hdus]
    if names:
        other = hdus[names[0]]
        kind = _NOISE_NAMES.get(other.name.upper(), "StdDevUncertainty")
        _check_shape(other, flux.shape)
        noise = np.asarray(other.data, dtype=float)
        mask |= ~np.isfinite(noise) | (noise <= 0)
        uncertainty = getattr(astropy.nddata, kind)(noise)
    for name in _MASK_NAMES:
        if name in hdus:
            _check_shape(hdus[name], flux.shape)
            mask |= np.asarray(hdus[name].data) != 0
    text = unit if unit is not None else image.header.get("BUNIT")
    return Spectrum(
        flux=flux * u.Unit(parse_unit(text)), wcs=wcs, uncertainty=uncertainty, mask=mask,
        meta={"header": image.header.copy()},
    )  # fmt: skip


def _check_shape(hdu: fits.ImageHDU, shape: tuple[int, ...]) -> None:
    found = None if hdu.data is None else hdu.data.shape
    if found != shape:
        raise SpectrumError(f"HDU {hdu.name!r} must have the cube's shape {shape}, got {found}")

"""A spectrum as the fits need it: vacuum wavelengths, fluxes and noise of usable pixels."""

from __future__ import annotations

import os
import warnings
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

import astropy.units as u
import numpy as np

from astrorim.exceptions import AstroRIMWarning, SpectrumError

if TYPE_CHECKING:
    from specutils import Spectrum

__all__ = ["Medium", "PreparedSpectrum", "prepare_spectrum", "read_spectrum"]

Medium = Literal["vacuum", "air"]
"""What wavelengths are measured in."""

_FEWEST_PIXELS = 100


@dataclass(frozen=True)
class PreparedSpectrum:
    """The usable pixels of a spectrum, in increasing wavelength.

    Parameters
    ----------
    wavelength : ndarray, (N,), angstrom
        In vacuum, as observed.
    flux : ndarray, (N,), ``unit``
        Flux density.
    noise : ndarray, (N,), ``unit``
        Standard deviation.
    pixel_width : ndarray, (N,), dimensionless
        Width of each pixel in the logarithm of the wavelength.
    unit : `~astropy.units.UnitBase`
        Unit of flux and noise.
    noise_measured : bool
        Whether the noise was measured on the spectrum, which did not say it.
    """

    wavelength: np.ndarray
    flux: np.ndarray
    noise: np.ndarray
    pixel_width: np.ndarray
    unit: u.UnitBase
    noise_measured: bool

    @property
    def log_wavelength(self) -> np.ndarray:
        """Natural logarithm of the wavelength in angstrom, (N,)."""
        return np.log(self.wavelength)


def read_spectrum(path: str | os.PathLike[str], *, format: str | None = None) -> Spectrum:  # noqa: A002
    """Read a one-dimensional spectrum from any file that specutils knows.

    Parameters
    ----------
    path : str or path-like
        FITS, ECSV or another file.
    format : str, optional
        Name of the format where it is not recognised; ``Spectrum.read.list_formats()``
        of specutils lists them.

    Returns
    -------
    `~specutils.Spectrum`

    Raises
    ------
    SpectrumError
        If the file cannot be read as one spectrum.
    """
    from specutils import Spectrum

    path = os.fspath(path)
    if not os.path.isfile(path):  # noqa: PTH113
        raise SpectrumError(
            f"the spectrum must be a file, but {path!r} is none; check the path"
        )
    try:
        with warnings.catch_warnings():
            # odd units and headers of others are told by what is missing afterwards
            warnings.simplefilter("ignore")
            spectrum = Spectrum.read(path, format=format)
    except Exception as error:  # readers of many formats raise whatever they like
        what = f"as {format!r}" if format else "in any format that specutils recognises"
        reason = next(iter(str(error).splitlines()), "")
        raise SpectrumError(
            f"{path!r} cannot be read {what} ({type(error).__name__}: {reason}); name its "
            "format= (for example 'tabular-fits' or 'wcs1d-fits'), or write it as an ECSV "
            "table with the columns spectral_axis, flux and uncertainty, with units"
        ) from error
    if not isinstance(spectrum, Spectrum):
        raise SpectrumError(
            f"{path!r} must hold one spectrum, got {len(spectrum)}; read it with specutils "
            "and choose one"
        )
    return spectrum


def prepare_spectrum(spectrum: Spectrum, *, medium: Medium | None = None) -> PreparedSpectrum:
    """Bring a spectrum to vacuum wavelengths and leave out what cannot be used.

    Pixels that are masked, not finite or without positive noise are left out. Without an
    uncertainty, the noise is measured from the scatter of neighbouring pixels (DER_SNR,
    Stoehr et al. 2008, ASP Conf. 394, 505), in windows of 200 pixels.

    Parameters
    ----------
    spectrum : `~specutils.Spectrum`
        One-dimensional.
    medium : {"vacuum", "air"}, optional
        What the wavelengths are measured in. By default what the file's WCS says
        (``AWAV`` is air, ``WAVE`` vacuum), and vacuum with a warning where it says
        nothing; the difference is 8e-5 in redshift.

    Returns
    -------
    PreparedSpectrum

    Raises
    ------
    SpectrumError
        If the spectrum is not one-dimensional, its axis is not one of wavelengths or
        frequencies, or fewer than 100 pixels are usable.
    """
    flux = np.asarray(spectrum.flux.value, dtype=float)
    if flux.ndim != 1:
        raise SpectrumError(
            f"the spectrum must be one-dimensional, got shape {flux.shape}; choose one of "
            "its rows, or sum a cube over an aperture"
        )
    try:
        wavelength = spectrum.spectral_axis.to_value(u.AA, u.spectral())
    except u.UnitConversionError as error:
        raise SpectrumError(
            "the spectral axis must be one of wavelengths or frequencies, got the unit "
            f"{spectrum.spectral_axis.unit}; give it a unit such as angstrom"
        ) from error
    wavelength = _in_vacuum(np.array(wavelength), spectrum, medium)
    noise, measured = _noise_of(spectrum, flux)
    width = np.abs(np.gradient(np.log(wavelength)))
    good = np.isfinite(flux) & np.isfinite(noise) & (noise > 0) & np.isfinite(wavelength)
    if spectrum.mask is not None:
        good &= ~np.asarray(spectrum.mask, dtype=bool)
    if good.sum() < _FEWEST_PIXELS:
        raise SpectrumError(
            f"at least {_FEWEST_PIXELS} pixels must be usable, got {good.sum()} of "
            f"{good.size}; are the mask and the uncertainty right?"
        )
    order = np.argsort(wavelength[good])
    return PreparedSpectrum(
        wavelength=wavelength[good][order],
        flux=flux[good][order],
        noise=noise[good][order],
        pixel_width=width[good][order],
        unit=spectrum.flux.unit,
        noise_measured=measured,
    )


def _in_vacuum(wavelength: np.ndarray, spectrum: Spectrum, medium: str | None) -> np.ndarray:
    if medium not in {None, "air", "vacuum"}:
        raise SpectrumError(f"medium must be 'air' or 'vacuum', got {medium!r}")
    if medium is None:
        types = getattr(getattr(spectrum.wcs, "wcs", None), "ctype", ())
        codes = {str(text)[:4] for text in types}
        if "AWAV" in codes:
            medium = "air"
        elif not codes & {"WAVE", "FREQ", "ENER", "WAVN"}:
            warnings.warn(
                "the spectrum does not say whether its wavelengths are in air or in vacuum; "
                "vacuum is taken, and redshifts change by 8e-5 if they are in air: pass "
                "medium=",
                AstroRIMWarning,
                stacklevel=3,
            )
    if medium != "air":
        return wavelength
    from specutils.utils.wcs_utils import air_to_vac

    return air_to_vac(wavelength * u.AA).to_value(u.AA)


def _noise_of(spectrum: Spectrum, flux: np.ndarray) -> tuple[np.ndarray, bool]:
    from astropy.nddata import StdDevUncertainty

    if spectrum.uncertainty is not None:
        with np.errstate(divide="ignore", invalid="ignore"):
            noise = spectrum.uncertainty.represent_as(StdDevUncertainty).quantity
        unit = spectrum.flux.unit
        value = noise.value if noise.unit == u.dimensionless_unscaled else noise.to_value(unit)
        return np.array(value, dtype=float), False
    good = np.isfinite(flux)
    if spectrum.mask is not None:
        good &= ~np.asarray(spectrum.mask, dtype=bool)
    values = flux[good]
    if values.size < _FEWEST_PIXELS:
        return np.full(flux.shape, np.nan), True
    # the constants make it a standard deviation for white noise (Stoehr et al. 2008)
    second = np.abs(2 * values[2:-2] - values[:-4] - values[4:]) * 1.482602 / np.sqrt(6)
    places = np.flatnonzero(good)[2:-2]
    centres = np.arange(100, max(flux.size - 100, 101), 100)
    medians = [np.median(second[np.abs(places - c) <= 100]) for c in centres]
    return np.interp(np.arange(flux.size), centres, medians), True

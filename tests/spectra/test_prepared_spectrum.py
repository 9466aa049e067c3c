"""Air and vacuum, masks, missing noise, and files that are no spectra."""

from __future__ import annotations

import astropy.units as u
import numpy as np
import pytest
from astropy.nddata import StdDevUncertainty
from astropy.table import QTable
from astropy.wcs import WCS
from specutils import Spectrum

from astrorim.exceptions import AstroRIMWarning, SpectrumError
from astrorim.spectra import prepare_spectrum, read_spectrum


def linear(ctype, number=300):
    wcs = WCS(naxis=1)
    wcs.wcs.ctype = [ctype]
    wcs.wcs.cunit = ["m"]
    wcs.wcs.crval = [5e-7]
    wcs.wcs.cdelt = [1e-10]
    wcs.wcs.crpix = [1]
    wcs.wcs.set()
    flux = np.random.default_rng(0).normal(1, 0.1, number)
    return Spectrum(flux=flux * u.Jy, wcs=wcs)


def test_air_is_recognised_and_brought_to_vacuum():
    air = prepare_spectrum(linear("AWAV")).wavelength
    vacuum = prepare_spectrum(linear("WAVE")).wavelength
    np.testing.assert_allclose(air / vacuum, 1.000278, atol=2e-6)


def test_unknown_medium_is_told(simulated, wavelength):
    spectrum = simulated.as_spectrum(wavelength, np.ones_like(wavelength), wavelength * 0 + 1)
    with pytest.warns(AstroRIMWarning, match="does not say whether its wavelengths"):
        prepare_spectrum(spectrum)
    with pytest.raises(SpectrumError, match="medium must be 'air' or 'vacuum', got 'water'"):
        prepare_spectrum(spectrum, medium="water")


def test_frequencies_are_put_in_order_of_wavelength(wavelength):
    frequency = (wavelength * u.AA).to(u.THz, u.spectral())
    spectrum = Spectrum(
        flux=wavelength * u.Jy,
        spectral_axis=frequency,
        uncertainty=StdDevUncertainty(wavelength),
    )
    prepared = prepare_spectrum(spectrum, medium="vacuum")
    np.testing.assert_allclose(prepared.wavelength, prepared.flux, rtol=1e-10)


def test_masked_and_useless_pixels_are_left_out(simulated, wavelength):
    noise = np.ones_like(wavelength)
    flux = np.ones_like(wavelength)
    noise[3], flux[5] = 0, np.nan
    spectrum = simulated.as_spectrum(wavelength, flux, noise)
    spectrum.mask = wavelength > 9000
    prepared = prepare_spectrum(spectrum, medium="vacuum")
    assert prepared.wavelength.max() <= 9000
    assert not np.isin(wavelength[[3, 5]], prepared.wavelength).any()


def test_missing_noise_is_measured(wavelength, rng):
    scatter = np.where(wavelength < 6000, 1.0, 3.0)
    flux = 100 + np.sin(wavelength / 300) + rng.normal(0, scatter)
    spectrum = Spectrum(flux=flux * u.Jy, spectral_axis=wavelength * u.AA)
    prepared = prepare_spectrum(spectrum, medium="vacuum")
    assert prepared.noise_measured
    assert np.median(prepared.noise[wavelength < 5500]) == pytest.approx(1.0, rel=0.1)
    assert np.median(prepared.noise[wavelength > 6500]) == pytest.approx(3.0, rel=0.1)


def test_what_is_no_spectrum_is_refused(wavelength):
    cube = Spectrum(flux=np.ones((3, 300)) * u.Jy, spectral_axis=np.arange(1.0, 301) * u.AA)
    with pytest.raises(SpectrumError, match=r"one-dimensional, got shape \(3, 300\)"):
        prepare_spectrum(cube)
    short = Spectrum(flux=np.ones(50) * u.Jy, spectral_axis=wavelength[:50] * u.AA)
    with pytest.raises(SpectrumError, match="at least 100 pixels must be usable, got 0 of 50"):
        prepare_spectrum(short, medium="vacuum")


def test_ecsv_is_read(wavelength, tmp_path):
    path = tmp_path / "spectrum.ecsv"
    flux = np.ones_like(wavelength) * u.Jy
    QTable({"spectral_axis": wavelength * u.AA, "flux": flux, "uncertainty": flux}).write(path)
    spectrum = read_spectrum(path)
    np.testing.assert_allclose(spectrum.spectral_axis.to_value(u.AA), wavelength)


def test_files_that_are_no_spectra_are_refused(tmp_path):
    path = tmp_path / "spectrum.fits"
    with pytest.raises(SpectrumError, match="must be a file, but .* is none"):
        read_spectrum(path)
    path.write_bytes(b"nothing")
    with pytest.raises(SpectrumError, match=r"cannot be read in any format .*name its format="):
        read_spectrum(path)

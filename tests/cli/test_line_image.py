"""The command that makes images in a line."""

from __future__ import annotations

import numpy as np
import pytest
from astropy.io import fits
from astropy.wcs import WCS

from astrorim.observation import LensObservation


@pytest.fixture
def cube(tmp_path, rng):
    """A source of 1000 units of flux in the middle pixel, at 6500 angstrom in air."""
    wcs = WCS(naxis=3)
    wcs.wcs.ctype = "RA---TAN", "DEC--TAN", "AWAV"
    wcs.wcs.cunit = "deg", "deg", "Angstrom"
    wcs.wcs.crval = 150.0, 2.0, 6400.0
    wcs.wcs.crpix = 6, 5, 1
    wcs.wcs.cdelt = -0.2 / 3600, 0.2 / 3600, 1.25
    header = wcs.to_header()
    header["BUNIT"] = "10**(-20)*erg/s/cm**2/Angstrom"
    wavelength = 6400 + 1.25 * np.arange(160)
    data = rng.normal(5, 1, (160, 9, 11))
    data[:, 4, 5] += 1000 / 7.52 * np.exp(-0.5 * ((wavelength - 6500) / 3) ** 2)
    path = tmp_path / "cube.fits"
    variance = fits.ImageHDU(np.ones_like(data), name="STAT")
    hdus = [fits.PrimaryHDU(), fits.ImageHDU(data, header, name="DATA"), variance]
    fits.HDUList(hdus).writeto(path)
    return path


def test_writes_an_observation(astrorim, cube, tmp_path):
    output, psf = tmp_path / "line.fits", tmp_path / "psf.fits"
    fits.writeto(psf, np.ones((3, 3)))
    # [O III] 5008.24 in vacuum; 6500 in air is 6501.80 in vacuum
    outcome = astrorim(
        *("line-image", cube, "--line", "[O III]", "--z-source", 6501.80 / 5008.24 - 1),
        *("--half-width", "12 AA", "--psf", psf, "--z-lens", 0.1, "--output", output),
    )
    assert outcome.status == 0, outcome.err
    assert "line      6500.0" in outcome.out
    image = LensObservation.read(output)
    assert image.data[4, 5] == pytest.approx(1000, abs=5 * image.noise[4, 5])
    assert (image.name, image.band, image.z_lens) == ("line", "[O III]", 0.1)
    assert image.psf.shape == (3, 3)
    assert image.pixel_scale.value == pytest.approx(0.2)


@pytest.mark.parametrize(
    "options, complaint",
    [
        (("--line", "[O III]"), "--line '[O III]' needs --z-source"),
        (("--wavelength", "6500"), "--wavelength must have a unit, such as 6500 AA"),
        (("--wavelength", "red"), "--wavelength must be a length or a velocity with its unit"),
        (("--wavelength", "9000 AA"), "must lie inside the cube"),
    ],
)
def test_what_cannot_be_is_one_line(astrorim, cube, tmp_path, options, complaint):
    outcome = astrorim("line-image", cube, *options, "--output", tmp_path / "line.fits")
    assert outcome.status == 1
    assert complaint in outcome.err
    assert not (tmp_path / "line.fits").exists()

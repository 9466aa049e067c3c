"""Images of cubes in a line: flux, noise, WCS, masks, and bands that do not fit."""

from __future__ import annotations

import astropy.units as u
import numpy as np
import pytest
from astropy.io import fits
from astropy.wcs import WCS

from astrorim.exceptions import AstroRIMWarning, SpectrumError
from astrorim.spectra import LineBands, line_image, observed_wavelength, read_cube

CENTRE, SIGMA, STEP = 6500.0, 3.0, 1.25
BANDS = LineBands(CENTRE * u.AA, 12 * u.AA, 5 * u.AA, 40 * u.AA)
UNIT = "1e-20 erg / (s cm2 Angstrom)"


def header(ctype="AWAV", first=6400.0):
    wcs = WCS(naxis=3)
    wcs.wcs.ctype = "RA---TAN", "DEC--TAN", ctype
    wcs.wcs.cunit = "deg", "deg", "Angstrom"
    wcs.wcs.crval = 150.0, 2.0, first
    wcs.wcs.crpix = 12, 10, 1
    turn = np.array([[-0.8, 0.6], [0.6, 0.8]]) * 0.2 / 3600
    wcs.wcs.cd = np.block([[turn, np.zeros((2, 1))], [np.zeros((1, 2)), np.eye(1) * STEP]])
    made = wcs.to_header()
    made["BUNIT"] = UNIT
    return made


@pytest.fixture(scope="module")
def lensed():
    """A ring, (19, 23), as the image in the line would be."""
    y, x = np.indices((19, 23))
    radius = np.hypot(x - 11, y - 9)
    return 500 * np.exp(-0.5 * ((radius - 6) / 1.2) ** 2) * (1 + 0.5 * x / 11)


@pytest.fixture
def write_cube(lensed, tmp_path):
    """A cube with the ring in a line, on a sloping continuum of the lens."""

    def write(rng=None, *, noise=4.0, name="STAT", values=None, **changes):
        wavelength = 6400.0 + STEP * np.arange(160)
        profile = np.exp(-0.5 * ((wavelength - CENTRE) / SIGMA) ** 2)
        profile /= np.sqrt(2 * np.pi) * SIGMA
        y, x = np.indices(lensed.shape)
        lens = 80 / (1 + (np.hypot(x - 11, y - 9) / 2) ** 2)
        slope = 1 + 2e-3 * (wavelength - 6450)
        data = profile[:, None, None] * lensed + slope[:, None, None] * lens
        sigma = np.full(data.shape, noise) * (1 + (lens / 80))
        if rng is not None:
            data = data + rng.normal(0, sigma)
        path = tmp_path / "cube.fits"
        hdus = [fits.PrimaryHDU(), fits.ImageHDU(data, header(**changes), name="DATA")]
        if name is not None:
            hdus.append(fits.ImageHDU(sigma**2 if values is None else values, name=name))
        fits.HDUList(hdus).writeto(path, overwrite=True)
        return path

    return write


def test_line_image_is_the_direct_image(write_cube, lensed):
    """Without noise: all but what the band's edge cuts off, 6e-5 of the line."""
    image = line_image(read_cube(write_cube()), BANDS)
    np.testing.assert_allclose(image.data, lensed, rtol=2e-3, atol=0.5)
    assert image.unit.is_equivalent("erg / (s cm2)")


def test_noise_is_that_of_repeated_observations(write_cube, lensed):
    rng = np.random.default_rng(4)
    images = [line_image(read_cube(write_cube(rng)), BANDS) for _ in range(12)]
    pulls = np.array([(image.data - lensed) / image.noise for image in images])
    assert np.std(pulls) == pytest.approx(1.0, abs=0.03)
    assert np.mean(pulls) == pytest.approx(0.0, abs=0.06)


def test_celestial_wcs_is_the_cube_s(write_cube):
    path = write_cube()
    image = line_image(read_cube(path), BANDS)
    expected = WCS(fits.getheader(path, "DATA")).celestial
    assert image.wcs.naxis == 2
    there = image.wcs.pixel_to_world(3, 15)
    assert there.separation(expected.pixel_to_world(3, 15)).arcsec < 1e-8
    assert image.pixel_scale.value == pytest.approx(0.2)


def test_attributes_and_file(write_cube, tmp_path):
    from astrorim.observation import LensObservation

    psf = np.ones((3, 3))
    image = line_image(
        read_cube(write_cube()), BANDS, psf=psf, z_source=0.8, band="[O II]", name="ring"
    )
    image.write(tmp_path / "line.fits")
    again = LensObservation.read(tmp_path / "line.fits")
    assert (again.z_source, again.band, again.name) == (0.8, "[O II]", "ring")
    np.testing.assert_allclose(again.psf, psf / 9)
    np.testing.assert_allclose(again.noise, image.noise, rtol=1e-6)
    assert again.meta["LINEWAVE"] == CENTRE


def test_a_bad_channel_masks_its_pixel_or_leaves_the_continuum_alone(write_cube, lensed):
    cube = read_cube(write_cube())
    cube.mask = np.zeros(cube.shape, dtype=bool)
    in_line, in_side = 80, 60
    cube.mask[in_line, 4, 5] = True
    cube.mask[in_side, 6, 7] = True
    image = line_image(cube, BANDS)
    assert image.mask[4, 5]
    assert image.mask.sum() == 1
    assert image.data[6, 7] == pytest.approx(lensed[6, 7], rel=2e-3, abs=0.5)


@pytest.mark.parametrize("name, power", [("ERR", 1), ("STAT", 2), ("IVAR", -2), ("NOISE", 1)])
def test_kinds_of_noise(write_cube, name, power):
    values = np.full((160, 19, 23), 3.0**power)
    image = line_image(read_cube(write_cube(name=name, values=values)), BANDS)
    # about 19 channels in the band, and a little of the continuum's
    assert np.median(image.noise) == pytest.approx(3.0 * STEP * np.sqrt(19), rel=0.3)


def test_cube_without_noise_gives_an_image_without(write_cube):
    cube = read_cube(write_cube(name=None))
    with pytest.warns(AstroRIMWarning, match="the cube has no noise"):
        image = line_image(cube, BANDS)
    assert not image.has_noise


def test_frequency_densities_are_integrated_over_frequency(write_cube, lensed):
    from astropy.constants import c

    path = write_cube()
    reference = line_image(read_cube(path), BANDS)
    image = line_image(read_cube(path, unit="mJy"), BANDS)
    assert image.unit.is_equivalent("erg / (s cm2)")
    per_angstrom = (c / (CENTRE * u.AA) ** 2).to_value(u.Hz / u.AA)
    ratio = (image.data / reference.data)[lensed > 100]
    np.testing.assert_allclose(ratio, per_angstrom, rtol=6e-3)


def test_velocities_and_defaults_of_the_bands():
    bands = LineBands(6000 * u.AA, 300 * u.km / u.s)
    assert bands.half_width.to_value(u.AA) == pytest.approx(6.004, abs=1e-3)
    assert bands.side_gap == bands.half_width
    assert bands.side_width == 5 * bands.half_width


def test_observed_wavelength_in_air_and_vacuum():
    vacuum = observed_wavelength("[OIII]", 0.5)
    assert vacuum.value == pytest.approx(5008.24 * 1.5)
    air = observed_wavelength("[OIII]", 0.5, in_air=True)
    assert (vacuum / air).value == pytest.approx(1.000275, abs=2e-6)
    with pytest.raises(SpectrumError, match=r"unknown line 'Lya'; available: \[O II\], "):
        observed_wavelength("Lya", 0.5)


@pytest.mark.parametrize(
    "bands, message",
    [
        (
            LineBands(6405 * u.AA, 12 * u.AA),
            r"must lie inside the cube, which reaches from 6400",
        ),
        (
            LineBands(6500.6 * u.AA, 0.3 * u.AA),
            r"half_width must reach a channel, got 0\.3 Angst",
        ),
        (LineBands(6500 * u.AA, 90 * u.AA), "side bands must hold at least 3 channels, got 0"),
    ],
)
def test_bands_that_do_not_fit_are_refused(write_cube, bands, message):
    with pytest.raises(SpectrumError, match=message):
        line_image(read_cube(write_cube()), bands)


def test_widths_that_are_none_are_refused():
    with pytest.raises(SpectrumError, match=r"half_width must be positive, got -3\.0 Angstrom"):
        LineBands(6500 * u.AA, -3 * u.AA)
    with pytest.raises(SpectrumError, match="side_gap must be a wavelength or a velocity"):
        LineBands(6500 * u.AA, 3 * u.AA, 3 * u.s)


def test_files_that_are_no_cubes_are_refused(tmp_path, write_cube):
    path = tmp_path / "image.fits"
    with pytest.raises(SpectrumError, match="must be a file, but .* is none"):
        read_cube(path)
    fits.writeto(path, np.ones((3, 4)))
    with pytest.raises(SpectrumError, match=r"three axes, got \[\('PRIMARY', 2\)\]"):
        read_cube(path)
    fits.writeto(path, np.ones((3, 4, 5)), overwrite=True)
    with pytest.raises(SpectrumError, match="celestial and a spectral axis in its WCS"):
        read_cube(path)
    with pytest.raises(SpectrumError, match=r"HDU 'STAT' must have the cube's shape \(160"):
        read_cube(write_cube(values=np.ones((3, 4, 5))))

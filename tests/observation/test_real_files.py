"""Every FITS file of the shared real data opens, or is refused for the right reason."""

from __future__ import annotations

import csv
from fnmatch import fnmatch
from pathlib import Path

import astropy.units as u
import numpy as np
import pytest
from astropy.coordinates import SkyCoord
from astropy.io import fits

from astrorim.exceptions import ObservationError
from astrorim.observation import LensObservation, describe

DATA = Path(__file__).parents[2] / ".." / "shared" / "data"
FILES = sorted(str(path.relative_to(DATA)) for path in DATA.rglob("*.fits"))
LENSES = sorted(path.parent.name for path in DATA.glob("slacs/*/image.fits"))

WITHOUT_HEADER = {"unit": "electron/s", "pixel_scale": "0.05 arcsec"}
MEGACAM = {"unit": "adu"}

OPENS = {
    # pattern: (options, pixel scale in arcsec)
    "slacs/*/image.fits": (WITHOUT_HEADER, 0.05),
    "other/jackpot_f814w/data.fits": (WITHOUT_HEADER, 0.05),
    "other/cosmos_web_ring_f277w/data.fits": (
        {"unit": "MJy/sr", "pixel_scale": "60 mas"},
        0.06,
    ),
    "other/euclid_q1/euclid_102018665.fits": ({"unit": "adu", "band": "VIS"}, 0.1),
    "other/euclid_q1/*_vis_cutout.fits": ({"unit": "adu", "pixel_scale": "0.1 arcsec"}, 0.1),
    "other/hst_drizzled_wcs/*.fits": ({}, 0.05),
    "other/hst_cosmic_rays/SDSS*.fits": ({}, 0.05),
    "other/cfht_sw05/?.fits": (MEGACAM, 0.1857),
    "galaxies/*images*.fits": ({"unit": "ct/s", "pixel_scale": "0.03 arcsec", "hdu": 3}, 0.03),
    "third_party_mocks/simple/data.fits": (WITHOUT_HEADER | {"pixel_scale": "0.1 arcsec"}, 0.1),
    "third_party_mocks/source_complex/data.fits": (WITHOUT_HEADER, 0.05),
}

COMPANIONS = {
    # pattern: the argument that the file is for
    "slacs/*/noise.fits": "uncertainty",
    "slacs/*/psf.fits": "psf",
    "other/*/noise_map.fits": "uncertainty",
    "other/*/psf.fits": "psf",
    "other/jackpot_f814w/mask_extra_galaxies.fits": "mask",
    "third_party_mocks/*/noise_map.fits": "uncertainty",
    "third_party_mocks/*/psf.fits": "psf",
}

REFUSED = {
    # pattern: (options, message)
    "slacs/*/image.fits": ({}, "unit of the image is missing"),
    "other/jackpot_f814w/data.fits": ({"unit": "electron/s"}, "no celestial WCS; pass pixel_s"),
    "other/cosmos_web_ring_f277w/data.fits": ({}, "unit of the image is missing"),
    "other/euclid_q1/euclid_102018665.fits": ({"unit": "adu"}, "8 HDUs that may be the image"),
    "other/euclid_q1/*_vis_cutout.fits": ({"unit": "adu"}, "pixel scale is missing"),
    "other/hst_drizzled_wcs/*.fits": ({"pixel_scale": "0.04 arcsec"}, "agree with the WCS"),
    "other/cfht_sw05/?.fits": ({}, "unit of the image is missing"),
    "galaxies/*images*.fits": ({"unit": "ct/s"}, "10 HDUs that may be the image"),
    "galaxies/*catalog*.fits": ({}, "is it a catalogue"),
    "third_party_mocks/*/data.fits": ({"unit": "ct/s"}, r"the header says PIXSCAX = 0\.\d+"),
}

EVEN_PSF = "other/hst_cosmic_rays/tinytim_ACS.fits"


def rule_of(name, rules):
    return next((rule for pattern, rule in rules.items() if fnmatch(name, pattern)), None)


def named(rules):
    return [name for name in FILES if rule_of(name, rules) is not None]


@pytest.mark.parametrize("name", FILES)
def test_every_file_has_its_rule(name):
    assert name == EVEN_PSF or any(rule_of(name, r) for r in (OPENS, COMPANIONS, REFUSED))


@pytest.mark.parametrize("name", named(OPENS))
def test_image_opens_with_the_options_that_it_needs(name, shared_data):
    options, scale = rule_of(name, OPENS)
    observation = LensObservation.read(shared_data / name, **options)
    np.testing.assert_allclose(observation.grid.pixel_scale, scale, rtol=1e-3)
    assert observation.good.mean() > 0.5
    assert observation.data.dtype.isnative


@pytest.mark.parametrize("name", named(REFUSED))
def test_file_is_refused_for_the_right_reason(name, shared_data):
    options, message = rule_of(name, REFUSED)
    with pytest.raises(ObservationError, match=message):
        LensObservation.read(shared_data / name, **options)


@pytest.mark.parametrize("name", named(COMPANIONS))
def test_companion_is_read_beside_its_image(name, shared_data):
    path = shared_data / name
    image = next(path.parent / stem for stem in ("image.fits", "data.fits")
                 if (path.parent / stem).exists())  # fmt: skip
    argument = rule_of(name, COMPANIONS)
    observation = LensObservation.read(image, **WITHOUT_HEADER, **{argument: path})
    if argument == "psf":
        np.testing.assert_allclose(observation.psf.sum(), 1, rtol=1e-6)
        total = fits.getdata(path).sum(dtype=float)
        assert ("PSFSUM" in observation.meta) == (abs(total - 1) > 1e-6)
    elif argument == "uncertainty":
        assert np.isfinite(observation.noise).all()
        assert observation.good.sum() > 1000
    else:
        np.testing.assert_array_equal(observation.mask, fits.getdata(path) != 0)


@pytest.mark.parametrize(
    "name", [n for n in FILES if fnmatch(n, "*/psf.fits") or n == EVEN_PSF]
)
def test_psf_is_refused_as_an_image(name, shared_data):
    with pytest.raises(ObservationError, match=r"(PSF stamp|Tiny Tim).*pass it as psf="):
        LensObservation.read(shared_data / name, **WITHOUT_HEADER)


def test_even_psf_is_refused_and_its_advice_works(shared_data):
    image = shared_data / "slacs" / "J0029-0055" / "image.fits"
    with pytest.raises(ObservationError, match=r"pass the array psf\[1:74, 1:74\]"):
        LensObservation.read(image, psf=shared_data / EVEN_PSF, **WITHOUT_HEADER)
    psf = fits.getdata(shared_data / EVEN_PSF)[1:74, 1:74]
    assert LensObservation.read(image, psf=psf, **WITHOUT_HEADER).psf.shape == (73, 73)


@pytest.mark.parametrize("name", FILES)
def test_every_file_is_described(name, shared_data):
    summary = describe(shared_data / name)
    try:
        LensObservation.read(shared_data / name)
    except ObservationError:
        assert not summary.readable
    else:
        assert summary.readable
    assert str(summary).startswith(str(shared_data / name))


@pytest.mark.parametrize("band", ["VIS", "NIR_Y", "NIR_J", "NIR_H", "DECAM_g", "DES_R"])
def test_euclid_bands(band, shared_data):
    path = shared_data / "other" / "euclid_q1" / "euclid_102018665.fits"
    observation = LensObservation.read(path, band=band, unit="adu")
    assert observation.has_noise
    assert observation.psf.shape[0] % 2 == 1
    assert observation.band == band
    assert observation.orientation.mirrored is False
    if band == "VIS":  # noise of 1e16 flags
        assert observation.mask.sum() == 51


@pytest.mark.parametrize("name", LENSES)
def test_slacs_lens_with_noise_and_psf(name, shared_data):
    folder = shared_data / "slacs" / name
    with (shared_data / "slacs" / "published.csv").open(encoding="utf-8") as stream:
        row = next(row for row in csv.DictReader(stream) if row["name"] == name)
    observation = LensObservation.read(
        folder / "image.fits",
        uncertainty=folder / "noise.fits",
        psf=folder / "psf.fits",
        z_lens=float(row["z_lens"]),
        z_source=float(row["z_src"]),
        name=name,
        **WITHOUT_HEADER,
    )
    flagged = fits.getdata(folder / "noise.fits") > 1e6
    np.testing.assert_array_equal(observation.mask, flagged)
    assert observation.noise[observation.good].max() < 1
    assert observation.psf.shape == (15, 15)


def test_rotated_hst_image_finds_the_published_lens(shared_data):
    path = shared_data / "other" / "hst_drizzled_wcs" / "SDSSJ0956+5100.fits"
    observation = LensObservation.read(path)
    lens = SkyCoord("09h56m29.78s +51d00m06.4s")
    column, row = observation.wcs.world_to_pixel(lens)
    assert observation.unit == u.electron / u.s
    centre = (np.array(observation.shape) - 1) / 2
    np.testing.assert_allclose([row, column], centre, atol=1 / 0.05)
    np.testing.assert_allclose(
        np.degrees(observation.orientation.north), 153.6, atol=0.1
    )  # ORIENTAT, the angle of +y east of north, is -63.6 there
    np.testing.assert_allclose(observation.meta["ORIENTAT"], -63.6, atol=0.1)

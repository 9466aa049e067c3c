"""Files of every layout are read whole, or refused with a message that helps."""

from __future__ import annotations

import gzip

import astropy.units as u
import numpy as np
import pytest
from astropy.io import fits
from astropy.nddata import InverseVariance, StdDevUncertainty, VarianceUncertainty

from astrorim.exceptions import AstroRIMWarning, ObservationError
from astrorim.observation import LensObservation, read_fits

GIVEN = {"unit": "electron/s", "pixel_scale": "0.05 arcsec"}


@pytest.fixture
def image(rng):
    return rng.normal(1, 0.2, (30, 32)).astype("f4")


@pytest.fixture
def header(make_wcs):
    return make_wcs(shape=(30, 32)).to_header()


def plus(header, cards):
    """A copy of a header with more cards."""
    result = header.copy()
    result.update(cards)
    return result


def test_separate_files(write_image, image, make_psf):
    noise = np.full(image.shape, 0.2)
    paths = {
        "uncertainty": write_image(noise, name="noise.fits"),
        "psf": write_image(make_psf() * 2, name="psf.fits"),
        "mask": write_image((image > 1.3).astype("u1"), name="mask.fits"),
    }
    observation = LensObservation.read(
        write_image(image, name="J1234+5678.fits"), **paths, **GIVEN,
        z_lens=0.2803, z_source=0.9818, band="F814W",
    )  # fmt: skip
    assert type(observation) is LensObservation
    assert observation.name == "J1234+5678"
    assert observation.unit == u.electron / u.s
    assert observation.grid.pixel_scale == 0.05
    assert (observation.z_lens, observation.z_source) == (0.2803, 0.9818)
    assert observation.band == "F814W"
    np.testing.assert_array_equal(observation.data, image)
    np.testing.assert_array_equal(observation.mask, image > 1.3)
    np.testing.assert_allclose(observation.noise, noise, rtol=1e-7)
    np.testing.assert_allclose(observation.psf, make_psf(), rtol=1e-12)
    np.testing.assert_allclose(observation.meta["PSFSUM"], 2, rtol=1e-12)


def test_arrays_in_place_of_files(write_image, image, make_psf):
    observation = LensObservation.read(
        write_image(image),
        uncertainty=np.full(image.shape, 12.0) * u.electron / u.min,
        psf=make_psf(),
        mask=image > 1.3,
        **GIVEN,
    )
    np.testing.assert_allclose(observation.noise, 0.2, rtol=1e-14)


def test_hst_single_exposure(write_image, image, header):
    quality = np.zeros(image.shape, dtype="i2")
    quality[2, 3], quality[4, 5] = 4096, 64
    primary = fits.Header(
        {"TELESCOP": "HST", "EXPTIME": 522.0, "CCDGAIN": 2.0, "FILTER1": "F814W",
         "FILTER2": "CLEAR2S"}
    )  # fmt: skip
    path = write_image(
        (None, primary, None),
        (image, plus(header, {"BUNIT": "ELECTRONS"}), "SCI"),
        (image * 0 + 0.2, None, "ERR"),
        (quality, None, "DQ"),
    )
    observation = LensObservation.read(path)
    assert observation.unit == u.electron
    assert observation.band == "F814W"
    assert observation.exposure == 522 * u.s
    assert observation.gain == 2 * u.electron / u.adu
    assert observation.mask.sum() == 2
    assert LensObservation.read(path, ignore_flags=64).mask.sum() == 1
    np.testing.assert_allclose(observation.noise, 0.2, rtol=1e-7)


def test_drizzle_weight_is_never_an_uncertainty(write_image, image, header):
    weight = np.full(image.shape, 500.0)
    weight[:3] = 0
    path = write_image(
        None,
        (image, plus(header, {"BUNIT": "ELECTRONS/S"}), "SCI"),
        (weight, None, "WHT"),
        (weight.astype("i4"), None, "CTX"),
    )
    observation = LensObservation.read(path)
    assert not observation.has_noise
    assert observation.mask[:3].all()
    assert observation.mask.sum() == 96


def test_drizzle_weight_as_noise_file_is_refused_unless_declared(write_image, image, header):
    path = write_image(None, (np.full(image.shape, 25.0), None, "WHT"), name="weight.fits")
    science = write_image(image)
    with pytest.raises(ObservationError, match="a weight and not an uncertainty"):
        LensObservation.read(science, uncertainty=(path, "WHT"), **GIVEN)
    observation = LensObservation.read(
        science, uncertainty=path, uncertainty_type="ivar", **GIVEN
    )
    np.testing.assert_allclose(observation.noise, 0.2, rtol=1e-6)


def test_jwst_masks_what_is_not_to_be_used(write_image, image, header):
    quality = np.zeros(image.shape, dtype="u4")
    quality[2, 3], quality[4, 5] = 1, 4
    path = write_image(
        (None, fits.Header({"TELESCOP": "JWST", "FILTER": "F277W", "EFFEXPTM": 859.0}), None),
        (image, plus(header, {"BUNIT": "MJy/sr"}), "SCI"),
        (image * 0 + 0.2, None, "ERR"),
        (quality, None, "DQ"),
        (image * 0 + 0.04, None, "VAR_POISSON"),
        (image * 0 + 1, None, "AREA"),
    )
    observation = LensObservation.read(path)
    assert observation.unit == u.MJy / u.sr
    assert observation.band == "F277W"
    assert observation.exposure == 859 * u.s
    assert np.argwhere(observation.mask).tolist() == [[2, 3]]


def test_rubin_layout_keeps_detected_pixels(write_image, image, header):
    planes = np.zeros(image.shape, dtype="i4")
    planes[10:20, 10:20] = 1 << 5
    planes[0, 0] = 1
    flags = fits.Header({"MP_BAD": 0, "HIERARCH MP_DETECTED": 5})
    path = write_image(
        None,
        (image, header, "IMAGE"),
        (planes, flags, "MASK"),
        (np.full(image.shape, 0.04), None, "VARIANCE"),
    )
    observation = LensObservation.read(path, unit="nJy")
    assert type(observation.uncertainty) is VarianceUncertainty
    np.testing.assert_allclose(observation.noise, 0.2, rtol=1e-7)
    assert np.argwhere(observation.mask).tolist() == [[0, 0]]


@pytest.fixture
def bands(write_image, image, header, make_psf):
    parts = [None]
    for number, name in enumerate(("VIS", "NIR_Y"), 1):
        parts += [
            (image * number, plus(header, {"FILTER": name}), f"{name}_BGSUB"),
            (make_psf(5 + 2 * number), None, f"{name}_PSF"),
            (image * 0 + 0.1 * number, None, f"{name}_RMS"),
        ]
    return write_image(*parts)


@pytest.mark.parametrize("choice", [{"band": "NIR_Y"}, {"hdu": "NIR_Y_BGSUB"}, {"hdu": 4}])
def test_bands_by_extension_name(choice, bands, image):
    observation = LensObservation.read(bands, unit="adu", **choice)
    assert observation.band == "NIR_Y"
    assert observation.psf.shape == (9, 9)
    np.testing.assert_array_equal(observation.data, 2 * image)
    np.testing.assert_allclose(observation.noise, 0.2, rtol=1e-6)


@pytest.mark.parametrize("choice", [{}, {"band": "NIR_H"}])
def test_several_bands_ask_for_a_choice(choice, bands):
    with pytest.raises(ObservationError, match=r"pass hdu= or band= .*'VIS_BGSUB' .*\[NIR_Y\]"):
        LensObservation.read(bands, unit="adu", **choice)


def test_unknown_hdu_lists_those_that_exist(bands):
    with pytest.raises(
        ObservationError, match="no HDU 'H' in this file; choose from 1: 'VIS_B"
    ):
        LensObservation.read(bands, unit="adu", hdu="H")


def test_psf_file_of_several_bands(bands, write_image, image):
    path = write_image(image, name="plain.fits")
    for choice in ({"psf": bands, "band": "VIS"}, {"psf": (bands, "VIS_PSF")}):
        assert LensObservation.read(path, **choice, **GIVEN).psf.shape == (7, 7)
    with pytest.raises(ObservationError, match=r"2 HDUs that may be the psf; pass psf=\(path"):
        LensObservation.read(path, psf=bands, **GIVEN)


@pytest.mark.parametrize(
    ("name", "value", "cls"),
    [("VARIANCE", 0.04, VarianceUncertainty), ("IVAR", 25.0, InverseVariance),
     ("RMS", 0.2, StdDevUncertainty)],
)  # fmt: skip
def test_kind_of_noise_from_the_extension(name, value, cls, write_image, image):
    noise = write_image(None, (np.full(image.shape, value), None, name), name="noise.fits")
    observation = LensObservation.read(write_image(image), uncertainty=noise, **GIVEN)
    assert type(observation.uncertainty) is cls
    np.testing.assert_allclose(observation.noise, 0.2, rtol=1e-7)


def test_noise_flags_become_masked_pixels(write_image, image):
    noise = np.full(image.shape, 0.2)
    noise[1, 1], noise[2, 2] = 1e8, np.inf
    observation = LensObservation.read(write_image(image), uncertainty=noise, **GIVEN)
    assert np.argwhere(observation.mask).tolist() == [[1, 1], [2, 2]]
    assert np.isfinite(observation.noise).all()
    assert observation.noise[1, 1] == 1e8


def test_inverse_variance_of_zero_is_a_masked_pixel(write_image, image):
    weight = np.full(image.shape, 25.0)
    weight[1, 1] = 0
    observation = LensObservation.read(
        write_image(image), uncertainty=weight, uncertainty_type="ivar", **GIVEN
    )
    assert np.argwhere(observation.mask).tolist() == [[1, 1]]
    assert np.isfinite(observation.noise).all()


def test_nan_pixels_are_masked(write_image, image):
    image[3, 4] = np.nan
    noise = np.full(image.shape, 0.2)
    noise[3, 4] = np.nan
    observation = LensObservation.read(write_image(image), uncertainty=noise, **GIVEN)
    assert np.argwhere(observation.mask).tolist() == [[3, 4]]


def test_unit_argument_overrides_the_header(write_image, image):
    path = write_image((image, fits.Header({"BUNIT": "ADU"}), None))
    assert LensObservation.read(path, pixel_scale="0.1 arcsec").unit == u.adu
    assert LensObservation.read(path, **GIVEN).unit == u.electron / u.s


def test_unit_argument_overrides_the_noise_files_header_too(write_image, image):
    bunit = fits.Header({"BUNIT": "nJy"})
    path = write_image((image, bunit, None))
    noise = write_image((image * 0 + 0.2, bunit, None), name="noise.fits")
    observation = LensObservation.read(path, uncertainty=noise, **GIVEN)
    np.testing.assert_allclose(observation.noise, 0.2, rtol=1e-6)


def test_two_chips_ask_for_a_choice(write_image, image, header):
    header = plus(header, {"BUNIT": "ELECTRONS"})
    path = write_image(
        None, (image, header, "SCI"), (image * 2, header, "SCI"), (image * 0, None, "D2IMARR")
    )
    with fits.open(path, mode="update") as hdul:
        hdul[2].ver = 2
    with pytest.raises(
        ObservationError, match=r"choose from 1: 'SCI' .*; 2: 'SCI,2' \(30, 32\)$"
    ):
        LensObservation.read(path)
    observation = LensObservation.read(path, hdu=("SCI", 2))
    np.testing.assert_array_equal(observation.data, 2 * image)


def test_header_without_its_wcs_is_kept(write_image, image, header):
    path = write_image((image, plus(header, {"OBSERVER": "Zwicky", "GAIN": 1.6}), None))
    observation = LensObservation.read(path, unit="adu")
    assert observation.meta["OBSERVER"] == "Zwicky"
    assert not {"CRVAL1", "CTYPE1", "PC1_1", "CDELT1"} & set(observation.meta)
    assert observation.gain == 1.6 * u.electron / u.adu


def test_degenerate_axes_are_dropped(write_image, image):
    assert LensObservation.read(write_image(image[None, None]), **GIVEN).shape == (30, 32)


def test_a_plane_of_a_cube(write_image, image):
    path = write_image(np.stack([image, 2 * image]))
    with pytest.raises(ObservationError, match="pass plane=, an integer from 0 to 1"):
        LensObservation.read(path, **GIVEN)
    with pytest.raises(ObservationError, match="plane must lie between 0 and 1"):
        LensObservation.read(path, plane=2, **GIVEN)
    np.testing.assert_array_equal(LensObservation.read(path, plane=1, **GIVEN).data, 2 * image)


def test_compressed_image_and_file_object(tmp_path, image):
    path = tmp_path / "packed.fits"
    image = (image * 1000).astype("i4")
    hdus = fits.HDUList([fits.PrimaryHDU(), fits.CompImageHDU(image)])
    hdus.writeto(path)
    np.testing.assert_array_equal(LensObservation.read(path, **GIVEN).data, image)
    with path.open("rb") as stream:
        np.testing.assert_array_equal(LensObservation.read(stream, **GIVEN).data, image)


REFUSED = {
    "no unit": (lambda d: d, {"pixel_scale": "1 arcsec"}, r"unit of the image is missing"),
    "no scale": (lambda d: d, {"unit": "adu"}, r'pixel_scale=, for example pixel_scale="0\.05'),
    "bare scale": (lambda d: d, GIVEN | {"pixel_scale": 0.05}, r"carry a unit, got 0\.05"),
    "negative scale": (lambda d: d, GIVEN | {"pixel_scale": "-1 arcsec"}, "positive, finite"),
    "log unit": (lambda d: d, GIVEN | {"unit": "mag"}, "logarithmic"),
    "unknown unit": (lambda d: d, GIVEN | {"unit": "bananas"}, "'bananas' is not a unit"),
    "all NaN": (lambda d: d * np.nan, GIVEN, "got 0 finite"),
    "constant": (lambda d: d * 0, GIVEN, "must not be constant, got 0"),
    "spectrum": (lambda d: d[0], GIVEN, r"must be two-dimensional, got shape \(32,\)"),
    "picture": (lambda d: (d * 90).astype("u1"), GIVEN, "allow_nonlinear=True"),
    "swapped": (lambda d: d, GIVEN | {"z_lens": 1, "z_source": 0.3}, "were the two swapped"),
    "all masked": (lambda d: d, GIVEN | {"mask": np.ones((30, 32))}, "960 masked of 960"),
    "noise 0": (lambda d: d, GIVEN | {"uncertainty": np.zeros((30, 32))}, "960 zero of 960"),
    "noise -1": (lambda d: d, GIVEN | {"uncertainty": -np.ones((30, 32))}, "960 negative"),
    "noise shape": (lambda d: d, GIVEN | {"uncertainty": np.ones((3, 3))}, r"got \(3, 3\)"),
    "noise kind": (
        lambda d: d,
        GIVEN | {"uncertainty": np.ones((30, 32)), "uncertainty_type": "sigma"},
        "must be 'std', 'variance' or 'ivar', got 'sigma'",
    ),
    "noise unit": (
        lambda d: d, GIVEN | {"uncertainty": np.ones((30, 32)) * u.Jy}, "convertible to"
    ),
    "mask shape": (lambda d: d, GIVEN | {"mask": np.zeros((3, 3))}, r"got \(3, 3\)"),
    "even psf": (lambda d: d, GIVEN | {"psf": np.ones((6, 6))}, "odd number of rows"),
    "large psf": (lambda d: d, GIVEN | {"psf": np.ones((33, 33))}, "larger than the image"),
    "NaN psf": (lambda d: d, GIVEN | {"psf": np.full((3, 3), np.nan)}, "psf must be finite"),
    "negative psf": (lambda d: d, GIVEN | {"psf": -np.ones((3, 3))}, "positive sum"),
}  # fmt: skip


@pytest.mark.parametrize(("change", "options", "message"), REFUSED.values(), ids=REFUSED)
def test_refused_with_the_remedy(change, options, message, write_image, image):
    with pytest.raises(ObservationError, match=message):
        LensObservation.read(write_image(change(image)), **options)


def test_a_picture_is_read_when_asked(write_image, image):
    path = write_image((image * 90).astype("u1"))
    assert LensObservation.read(path, allow_nonlinear=True, **GIVEN).shape == (30, 32)


def test_pixel_scale_hint_is_quoted_and_not_believed(write_image, image):
    path = write_image((image, fits.Header({"PIXSCALE": 0.07}), None))
    with pytest.raises(ObservationError, match=r"the header says PIXSCALE = 0\.07"):
        LensObservation.read(path, unit="adu")


def test_pixel_scale_against_the_wcs(write_image, image, header):
    path = write_image((image, header, None))
    with pytest.raises(ObservationError, match="must agree with the WCS within 1%"):
        LensObservation.read(path, unit="adu", pixel_scale="0.06 arcsec")


def test_pixels_that_are_not_square(write_image, image, header):
    header["CDELT1"] = 1.3
    with pytest.raises(ObservationError, match="pixels must be square"):
        LensObservation.read(write_image((image, header, None)), unit="adu")


def test_broken_wcs_asks_for_the_pixel_scale(write_image, image, header):
    header["CTYPE1"] = "RA---XXX"
    path = write_image((image, header, None))
    with pytest.raises(ObservationError, match="pass pixel_scale= to read the image without"):
        LensObservation.read(path, unit="adu")
    with pytest.warns(AstroRIMWarning, match="has no sky frame"):
        observation = LensObservation.read(path, **GIVEN)
    assert observation.wcs is None


def test_catalogue_holds_no_image(tmp_path):
    path = tmp_path / "table.fits"
    column = fits.Column(name="x", format="E", array=np.arange(3.0))
    fits.BinTableHDU.from_columns([column]).writeto(path)
    with pytest.raises(ObservationError, match="is it a catalogue"):
        LensObservation.read(path, **GIVEN)


def test_missing_file(tmp_path):
    with pytest.raises(ObservationError, match=r"image\.fits' does not exist; check the path"):
        LensObservation.read(tmp_path / "image.fits", **GIVEN)
    with pytest.raises(ObservationError, match="is a directory"):
        LensObservation.read(tmp_path, **GIVEN)


def test_missing_companion(write_image, image, tmp_path):
    with pytest.raises(ObservationError, match="there is no file '.*psf"):
        LensObservation.read(write_image(image), psf=tmp_path / "psf.fits", **GIVEN)


@pytest.mark.parametrize("name", ["image.fits", "image.png", "image.fits.gz"])
def test_not_a_fits_file(name, tmp_path):
    path = tmp_path / name
    path.write_bytes(b"\x89PNG\r\n\x1a\n" + bytes(5000))
    with pytest.raises(ObservationError, match="must be a file in one of the formats"):
        LensObservation.read(path, **GIVEN)
    with pytest.raises(ObservationError, match="is not a FITS file that can be read"):
        read_fits(path, **GIVEN)


@pytest.mark.parametrize("kept", [0, 1000, 2880, 4000, 5000])
def test_truncated_file(kept, write_image, image, tmp_path):
    path = tmp_path / "cut.fits"
    path.write_bytes(write_image(image).read_bytes()[:kept])
    message = "truncated|END card|one of the formats"
    with pytest.raises(ObservationError, match=message):
        LensObservation.read(path, **GIVEN)


def test_truncated_gzip(write_image, image, tmp_path):
    path = tmp_path / "cut.fits.gz"
    path.write_bytes(gzip.compress(write_image(image).read_bytes())[:1500])
    with pytest.raises(ObservationError, match=r"cut\.fits\.gz'"):
        LensObservation.read(path, **GIVEN)


def test_truncated_companion(write_image, image, make_psf, tmp_path):
    psf = tmp_path / "psf_cut.fits"
    psf.write_bytes(write_image(make_psf(21), name="psf.fits").read_bytes()[:4000])
    with pytest.raises(ObservationError, match="psf_cut.*truncated"):
        LensObservation.read(write_image(image), psf=psf, **GIVEN)


def test_paths_inside_headers_are_not_followed(write_image, image, tmp_path):
    named = tmp_path / "named.fits"
    header = fits.Header({"PSFFILE": str(named), "RMSFILE": str(named), "D2IMFILE": str(named)})
    observation = LensObservation.read(write_image((image, header, None)), **GIVEN)
    assert observation.psf is None
    assert not observation.has_noise


def test_writing_warns_of_what_fits_cannot_keep(make_observation, tmp_path):
    from astropy.wcs import DistortionLookupTable

    observation = make_observation()
    observation.wcs.cpdis1 = DistortionLookupTable(
        np.zeros((3, 3), "f4"), (1, 1), (1, 1), (20, 20)
    )
    with pytest.warns(AstroRIMWarning, match="write ASDF to keep it"):
        observation.write(tmp_path / "lens.fits")

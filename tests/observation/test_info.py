"""A file is described without being opened by hand, and what is missing is named."""

from __future__ import annotations

import asdf
import astropy.units as u
import numpy as np
import pytest
from astropy.io import fits

from astrorim.exceptions import ObservationError
from astrorim.observation import LensObservation, describe


def test_our_own_file_lacks_nothing(make_observation, tmp_path):
    make_observation().write(tmp_path / "lens.fits")
    summary = describe(tmp_path / "lens.fits")
    assert summary.readable
    assert summary.missing == {}
    assert summary.problems == ()
    assert (summary.kind, summary.layout) == ("FITS", "AstroRIM or CCDData")
    assert summary.shape == (40, 44)
    assert summary.unit == "electron / s"
    np.testing.assert_allclose(summary.pixel_scale.to_value("arcsec/pix"), 0.05, rtol=1e-9)
    assert summary.orientation.startswith("north 30.0 deg clockwise of up")
    assert summary.noise.startswith("StdDevUncertainty, median 0.")
    assert summary.psf == "7 x 7"
    assert (summary.band, summary.z_lens, summary.z_source) == ("F814W", 0.2, 1.1)
    assert summary.exposure == 2000 * u.s
    np.testing.assert_allclose(summary.masked_fraction, 1 / 1760, rtol=1e-9)


def test_a_bare_image_lacks_all_but_its_pixels(write_image, rng):
    path = write_image(rng.normal(size=(20, 30)))
    summary = describe(path)
    assert not summary.readable
    assert summary.shape == (20, 30)
    assert summary.unit is None
    assert summary.pixel_scale is None
    assert set(summary.missing) == {
        "unit", "pixel scale", "noise", "psf", "band", "z_lens", "z_source"
    }  # fmt: skip
    assert "--pixel-scale" in summary.missing["pixel scale"]
    text = str(summary)
    assert "20 x 30 (ny, nx)" in text
    assert "missing      unit: pass --unit" in text


def test_a_hint_of_the_pixel_scale_is_shown(write_image, rng):
    path = write_image((rng.normal(size=(9, 9)), fits.Header({"PIXSCALE": 0.07}), None))
    assert describe(path).missing["pixel scale"].endswith("the header says PIXSCALE = 0.07")


def test_weights_are_called_what_they_are(write_image, rng, make_wcs):
    image = rng.normal(size=(9, 9))
    header = make_wcs(shape=(9, 9)).to_header()
    header["BUNIT"] = "ELECTRONS/S"
    summary = describe(write_image(None, (image, header, "SCI"), (image * 0 + 1, None, "WHT")))
    assert summary.readable
    assert summary.noise is None
    assert "2: 'WHT' (9, 9), weight (not an uncertainty)" in summary.contents


@pytest.mark.parametrize(
    ("data", "header", "message"),
    [
        (np.ones((9, 9)), {}, "must not be constant"),
        (np.arange(9.0), {}, "must be two-dimensional"),
        (np.eye(9), {"BUNIT": "mag"}, "logarithmic"),
        (np.eye(9), {"BUNIT": "bananas"}, "'bananas' is not a unit"),
        (np.eye(9).astype("u1"), {}, "allow_nonlinear=True"),
    ],
)
def test_problems_are_told_not_raised(data, header, message, write_image):
    summary = describe(write_image((data, fits.Header(header), None)))
    assert not summary.readable
    assert any(message in problem for problem in summary.problems)
    assert "problem" in str(summary)


def test_several_images_ask_for_a_choice(write_image):
    path = write_image(None, (np.eye(9), None, "A"), (np.eye(7), None, "B"))
    summary = describe(path)
    assert "image" in summary.missing
    assert not summary.readable
    assert describe(path, hdu="B").shape == (7, 7)


def test_asdf_file(make_observation, tmp_path):
    observation = make_observation()
    observation.write(tmp_path / "lens.asdf")
    summary = describe(tmp_path / "lens.asdf")
    assert (summary.kind, summary.layout, summary.hdu) == (
        "ASDF",
        "LensObservation",
        "observation",
    )
    assert summary.readable
    assert summary.shape == observation.shape
    assert summary.missing == {}


def test_asdf_file_of_something_else(tmp_path):
    asdf.AsdfFile({"table": [1, 2]}).write_to(tmp_path / "other.asdf")
    summary = describe(tmp_path / "other.asdf")
    assert not summary.readable
    assert summary.contents == ("table: list",)


@pytest.mark.parametrize("content", [None, b"hello", b"#ASDF 1.0.0\n%YAML 1.1\n--- {"])
def test_what_is_neither_is_refused(content, tmp_path):
    path = tmp_path / "file.dat"
    if content is not None:
        path.write_bytes(content)
    with pytest.raises(ObservationError, match=r"file\.dat'"):
        describe(path)


def test_the_summary_agrees_with_the_reader(make_observation, tmp_path):
    make_observation(sky=False).write(tmp_path / "lens.fits")
    assert describe(tmp_path / "lens.fits").readable
    assert LensObservation.read(tmp_path / "lens.fits").shape == (40, 44)

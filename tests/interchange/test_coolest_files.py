from __future__ import annotations

import json
import math
import runpy
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
from astropy.io import fits
from astropy.wcs import WCS

from astrorim.interchange.coolest_files import read_coolest, write_coolest
from astrorim.interchange.lenstronomy_profiles import lens_to_lenstronomy

EXAMPLES = SimpleNamespace(**runpy.run_path(str(Path(__file__).with_name("lens_examples.py"))))


def changed(path, change):
    document = json.loads(path.read_text(encoding="utf-8"))
    change(document["lensing_entities"])
    path.write_text(json.dumps(document), encoding="utf-8")
    return path


@pytest.fixture
def path(tmp_path):
    return write_coolest(EXAMPLES.make_example(), tmp_path / "lens.json")


@pytest.mark.parametrize("lens_model", ["sie+shear", "epl+mass-sheet"])
def test_lens_comes_back_with_its_numbers(lens_model, tmp_path):
    result = EXAMPLES.make_example(lens_model)
    found = read_coolest(write_coolest(result, tmp_path / "lens.json"))
    assert found.lens_model == lens_model
    assert found.lens == pytest.approx(result.lens, rel=1e-10, abs=1e-10)
    assert found.light == pytest.approx(result.light, rel=1e-10, abs=1e-10)


def test_round_lens_comes_back_as_an_ellipse_without_ellipticity(tmp_path):
    found = read_coolest(write_coolest(EXAMPLES.make_example("sis"), tmp_path / "lens.json"))
    assert found.lens_model == "sie"
    expected = EXAMPLES.LENSES["sis"] | {"e1": 0, "e2": 0}
    assert found.lens == pytest.approx(expected, rel=1e-10, abs=1e-10)


@pytest.mark.parametrize("phi, angle", [(0, 90), (30, -60), (90, 0), (120, 30)])
def test_position_angles_are_from_y_towards_negative_x(phi, angle, tmp_path):
    result = EXAMPLES.make_example()
    result.lens |= {"e1": 0.2 * math.cos(math.radians(2 * phi))}
    result.lens |= {"e2": 0.2 * math.sin(math.radians(2 * phi))}
    document = json.loads(write_coolest(result, tmp_path / "a.json").read_text("utf-8"))
    parameters = document["lensing_entities"][0]["mass_model"][0]["parameters"]
    assert parameters["phi"]["point_estimate"]["value"] == pytest.approx(angle, abs=1e-10)
    assert parameters["q"]["point_estimate"]["value"] == pytest.approx(0.8 / 1.2, rel=1e-12)


def test_posterior_of_an_angle_surrounds_its_value(path):
    document = json.loads(path.read_text(encoding="utf-8"))
    shear = document["lensing_entities"][1]["mass_model"][0]["parameters"]["phi_ext"]
    statistics = shear["posterior_stats"]
    value = shear["point_estimate"]["value"]
    assert statistics["percentile_16th"] < value < statistics["percentile_84th"]


def test_images_are_written_beside_the_file(path):
    result = EXAMPLES.make_example()
    names = {p.name for p in path.parent.glob("*.fits")}
    assert names == {f"lens_{n}.fits" for n in ("image", "noise", "psf", "source")}
    source = fits.getdata(path.with_name("lens_source.fits"))
    np.testing.assert_array_equal(source, result.source)


def test_origin_is_the_sky_position_of_the_centre(tmp_path):
    result = EXAMPLES.make_example()
    wcs = WCS(naxis=2)
    wcs.wcs.ctype, wcs.wcs.crval = ("RA---TAN", "DEC--TAN"), (150.0, 2.0)
    wcs.wcs.crpix = 24.5, 24.5
    wcs.wcs.cd = np.array([[-1, 0], [0, 1]]) * EXAMPLES.SCALE / 3600
    result.observation.wcs = wcs
    document = json.loads(write_coolest(result, tmp_path / "a.json").read_text("utf-8"))
    expected = {"ra": "10h00m00.000000s", "dec": "+02d00m00.000000s"}
    assert document["coordinates_origin"] == expected


def test_files_are_not_replaced_unasked(path):
    result = EXAMPLES.make_example()
    with pytest.raises(FileExistsError, match="already holds lens.json, lens_image.fits"):
        write_coolest(result, path)
    assert write_coolest(result, path, overwrite=True) == path


def test_lens_that_coolest_has_not_is_refused(tmp_path):
    result = EXAMPLES.make_example("sie+shear+nfw")
    with pytest.raises(ValueError, match="no counterpart of 'nfw' of 'sie.shear.nfw'"):
        write_coolest(result, tmp_path / "lens.json")
    result.observation.psf = None
    with pytest.raises(ValueError, match="must have a PSF, got None"):
        write_coolest(result, tmp_path / "lens.json")


def set_point(name, value):
    def change(entities):
        entities[0]["mass_model"][0]["parameters"][name]["point_estimate"]["value"] = value

    return change


@pytest.mark.parametrize(
    "change, message",
    [
        (set_point("q", None), "'SIE' needs a point estimate of 'q', got none"),
        (set_point("q", 0), r"q of 'SIE' must lie in \(0, 1\], got 0"),
        (set_point("theta_E", math.nan), "theta_E of 'SIE' must be finite, got nan"),
        (lambda e: e[0]["mass_model"][0].update(type="NIE"), "'NIE' is not one of ours"),
        (lambda e: e[1].update(redshift=0.7), r"must have one redshift, got \[0.3, 0.7\]"),
        (lambda e: e[0]["light_model"][0].update(type="Uniform"), "one Sersic .* got Uniform"),
    ],
)
def test_what_is_not_ours_is_refused(change, message, path):
    with pytest.raises(ValueError, match=message):
        read_coolest(changed(path, change))


def test_value_that_is_no_number_is_refused(path):
    with pytest.raises(TypeError, match="q of 'SIE' must be a number, got '1'"):
        read_coolest(changed(path, set_point("q", "1")))


@pytest.mark.parametrize("text, message", [("{", "is not JSON"), ("[]", "COOLEST template")])
def test_other_files_are_refused(text, message, tmp_path):
    path = tmp_path / "lens.json"
    path.write_text(text, encoding="utf-8")
    with pytest.raises(ValueError, match=message):
        read_coolest(path)


@pytest.mark.parametrize("lens_model", ["sie+shear", "epl+mass-sheet"])
def test_package_of_the_standard_and_lenstronomy_read_the_file(lens_model, tmp_path):
    pytest.importorskip("coolest")
    from lenstronomy.LensModel.lens_model import LensModel
    from lenstronomy.Util.coolest_interface import create_lenstronomy_from_coolest

    result = EXAMPLES.make_example(lens_model)
    written = write_coolest(result, tmp_path / "lens.json")
    document = json.loads(written.read_text(encoding="utf-8"))
    del document["lensing_entities"][2]["light_model"][:]  # pixels, which it cannot read
    written.write_text(json.dumps(document), encoding="utf-8")
    read = create_lenstronomy_from_coolest(
        str(written.with_suffix("")), check_external_files=False
    )
    theirs = LensModel(read["kwargs_model"]["lens_model_list"])
    ours = LensModel(lens_to_lenstronomy(lens_model, result.lens)[0])
    x, y = np.array([0.3, -0.8, 1.2]), np.array([0.9, 0.4, -0.2])
    # its x follows right ascension, to the left
    found = theirs.alpha(-x, y, read["kwargs_result"]["kwargs_lens"])
    expected = ours.alpha(x, y, lens_to_lenstronomy(lens_model, result.lens)[1])
    np.testing.assert_allclose(-found[0], expected[0], rtol=0, atol=1e-9)
    np.testing.assert_allclose(found[1], expected[1], rtol=0, atol=1e-9)

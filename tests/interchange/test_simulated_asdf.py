from __future__ import annotations

import subprocess
import sys

import asdf
import astropy.units as u
import numpy as np
import pytest

from astrorim.interchange.simulated_lenses import write_asdf
from astrorim.interchange.simulated_pairs import to_observation
from astrorim.observation import LensObservation


@pytest.fixture(scope="module")
def written(rich, tmp_path_factory):
    directory = tmp_path_factory.mktemp("asdf")
    write_asdf(rich, directory)
    return directory


@pytest.fixture
def tree(written):
    with asdf.open(written / "lens_00005.asdf", lazy_load=False, memmap=False) as file:
        yield file.tree


def test_the_observation_comes_back(rich, written):
    observation = LensObservation.read(written / "lens_00005.asdf")
    expected = to_observation(rich, 1)
    np.testing.assert_array_equal(observation.data, expected.data)
    np.testing.assert_array_equal(observation.noise, expected.noise)
    np.testing.assert_array_equal(observation.psf, expected.psf)
    assert observation.pixel_scale.value == pytest.approx(0.04, rel=1e-9)
    assert observation.meta["EFFECTS"] == "psf-mismatch,cosmic-rays"
    assert observation.meta["LENSMOD"] == rich.lens_model


def test_the_truth_has_images_with_units(rich, tree):
    truth = tree["truth"]
    images = truth["images"]
    assert truth["index"] == 5
    assert truth["dataset"]["seed"] == 9
    assert truth["effects"] == ["psf-mismatch", "cosmic-rays"]
    np.testing.assert_array_equal(images["noise_free"].value, rich.noise_free[1])
    np.testing.assert_array_equal(images["other_light"].value, rich.other_light[1])
    np.testing.assert_array_equal(images["cosmic_rays"], rich.cosmic_rays[1])
    assert images["arcs"].unit == u.adu
    assert images["source_on_detector"].unit == u.adu / u.arcsec**2
    assert images["noise_kernel"].shape == (3, 3)
    assert images["rendering_psf"].sum() == pytest.approx(1, rel=1e-5)
    brightness = truth["source"]["surface_brightness"]
    np.testing.assert_array_equal(brightness.value, rich.source_image[1])
    assert brightness.unit == u.adu / u.arcsec**2
    assert truth["source"]["wcs"].array_shape == brightness.shape


def test_the_truth_has_what_was_drawn_with_units(rich, tree):
    parameters, metadata = tree["truth"]["parameters"], tree["truth"]["metadata"]
    assert parameters["theta_E_second"].unit == u.arcsec
    assert parameters["theta_E_second"].value == pytest.approx(
        float(rich.lens["theta_E_second"][1]), rel=1e-6
    )
    assert "theta_E_sub4" not in parameters
    assert metadata["source_magnitude"].unit == u.mag
    assert metadata["z_lens"] == pytest.approx(float(rich.metadata["z_lens"][1]), rel=1e-6)


def test_bytes_are_the_same_in_another_process(written):
    """The list of asdf's extensions comes from a set, whose order differs by process."""
    code = (
        "import sys; sys.path.insert(0, sys.argv[1]); from conftest import enrich, simulate; "
        "from astrorim.interchange.simulated_asdf import asdf_bytes; "
        "from astrorim.interchange.simulated_pairs import detector_sources; "
        "rich = enrich(simulate(3, start=4)); "
        "sys.stdout.buffer.write(asdf_bytes(rich, 1, detector_sources(rich)[1]))"
    )
    folder = __file__.rpartition("/")[0]
    for _ in range(2):
        done = subprocess.run(
            [sys.executable, "-c", code, folder], capture_output=True, check=True
        )
        assert done.stdout == (written / "lens_00005.asdf").read_bytes()

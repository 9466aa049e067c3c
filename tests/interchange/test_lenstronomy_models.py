from __future__ import annotations

import dataclasses
import runpy
import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest

from astrorim.interchange.lenstronomy_models import (
    data_to_lenstronomy,
    from_lenstronomy,
    to_lenstronomy,
)

EXAMPLES = SimpleNamespace(**runpy.run_path(str(Path(__file__).with_name("lens_examples.py"))))
INNER = (slice(EXAMPLES.MARGIN, -EXAMPLES.MARGIN),) * 2

# lenstronomy convolves with a function that numpy has deprecated
pytestmark = pytest.mark.filterwarnings("ignore:`axes` should not be `None`")


def largest_error(result):
    image = to_lenstronomy(result).image()
    return np.abs(image - result.forward_image)[INNER].max() / result.forward_image.max()


@pytest.mark.parametrize("lens_model", EXAMPLES.LENSES)
def test_lenstronomy_renders_the_image_of_the_forward_model(lens_model):
    assert largest_error(EXAMPLES.make_example(lens_model)) < 1e-4


@pytest.mark.parametrize("psf_supersampling", [2, 4])
def test_lenstronomy_convolves_with_a_psf_finer_than_the_pixels(psf_supersampling):
    result = EXAMPLES.make_example(
        psf_supersampling=psf_supersampling, supersampling=psf_supersampling
    )
    numerics = to_lenstronomy(result).kwargs_numerics
    assert numerics["supersampling_convolution"]
    assert numerics["supersampling_factor"] == psf_supersampling
    assert largest_error(result) < 1e-4


def test_another_position_angle_is_seen_in_the_image():
    result = EXAMPLES.make_example()
    turned = dataclasses.replace(result, lens=result.lens | {"e2": -result.lens["e2"]})
    assert largest_error(turned) > 1e-2


@pytest.mark.parametrize("lens_model", EXAMPLES.LENSES)
def test_model_comes_back_with_its_numbers(lens_model):
    result = EXAMPLES.make_example(lens_model)
    theirs = to_lenstronomy(result)
    found = from_lenstronomy(theirs.kwargs_model, theirs.kwargs_result, lens_model=lens_model)
    assert found.lens_model == lens_model
    assert found.light_model == "sersic"
    assert found.lens == pytest.approx(result.lens, rel=1e-10, abs=1e-10)
    assert found.light == pytest.approx(result.light, rel=1e-10, abs=1e-10)
    assert found.background * EXAMPLES.SCALE**2 == pytest.approx(result.background, rel=1e-10)


def test_model_without_lens_light_is_read():
    found = from_lenstronomy({"lens_model_list": ["SIS"]}, {"kwargs_lens": [{"theta_E": 1.0}]})
    assert found == ("sis", {"theta_E": 1.0, "x0": 0.0, "y0": 0.0}, None, {}, 0.0)


def test_model_without_its_parameters_is_refused():
    with pytest.raises(ValueError, match="kwargs_result must hold 'kwargs_lens'; it holds: a"):
        from_lenstronomy({"lens_model_list": ["SIS"]}, {"a": 1})
    with pytest.raises(ValueError, match="got 1 profiles and 0 sets"):
        from_lenstronomy(
            {"lens_model_list": ["SIS"], "lens_light_model_list": ["SERSIC"]},
            {"kwargs_lens": [{"theta_E": 1.0}]},
        )


def test_masked_pixels_are_finite_and_masked():
    observation = EXAMPLES.make_example().observation
    data, _, _, mask = data_to_lenstronomy(observation)
    assert np.isnan(observation.data).any()
    assert np.isfinite(data["image_data"]).all()
    np.testing.assert_array_equal(mask, observation.good)
    np.testing.assert_array_equal(data["image_data"][mask == 1], observation.data[mask == 1])


def test_origin_is_the_centre_of_the_array():
    from lenstronomy.Data.imaging_data import ImageData

    observation = EXAMPLES.make_example().observation
    data, _, _, _ = data_to_lenstronomy(observation)
    x, y = ImageData(**data).pixel_coordinates
    ours_x, ours_y = observation.grid.coordinates()
    np.testing.assert_allclose(x, ours_x, rtol=0, atol=1e-12)
    np.testing.assert_allclose(y, ours_y, rtol=0, atol=1e-12)


def test_oblong_observation_is_refused():
    observation = EXAMPLES.make_example(shape=(48, 50)).observation
    with pytest.raises(ValueError, match=r"square .* got \(48, 50\)"):
        data_to_lenstronomy(observation)


def test_observation_without_psf_is_refused():
    observation = EXAMPLES.make_example().observation
    observation.psf = None
    with pytest.raises(ValueError, match="must have a PSF, got None"):
        data_to_lenstronomy(observation)


@pytest.mark.parametrize("supersampling", [0, 1.5, True])
def test_odd_numbers_of_sub_pixels_are_refused(supersampling):
    observation = EXAMPLES.make_example().observation
    with pytest.raises(ValueError, match=f"positive integer, got {supersampling}"):
        data_to_lenstronomy(observation, supersampling=supersampling)


def test_observation_without_good_pixels_is_refused():
    observation = EXAMPLES.make_example().observation
    observation.mask = np.ones(observation.shape, bool)
    with pytest.raises(ValueError, match="must have a good pixel, got none"):
        data_to_lenstronomy(observation)


def test_lenstronomy_is_not_imported_before_it_is_needed():
    code = (
        "import sys; import astrorim.interchange; "
        "assert not any(m.split('.')[0] == 'lenstronomy' for m in sys.modules)"
    )
    subprocess.run([sys.executable, "-c", code], check=True)

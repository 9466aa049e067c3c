"""The blank sky's noise is measured without being told about the lens."""

from __future__ import annotations

import numpy as np
import pytest

from astrorim.exceptions import ObservationError
from astrorim.observation import measure_sky_noise, with_measured_noise


@pytest.fixture
def sky(rng):
    """Noise of standard deviation 0.03 on a pedestal, with a lens in the middle."""
    image = 0.5 + rng.normal(0, 0.03, (200, 200))
    y, x = np.indices(image.shape) - 99.5
    return image + 50 * np.exp(-np.hypot(x, y) / 8)


def test_gaussian_sky_is_measured(sky):
    """20 000 pixels give the median deviation to 1 % (standard error 0.8 %)."""
    np.testing.assert_allclose(measure_sky_noise(sky), 0.03, rtol=0.02)


def test_neighbours_and_bad_pixels_do_not_matter(sky):
    sky[:30, :30] += 3
    sky[-5:, :] = np.nan
    mask = np.zeros(sky.shape, dtype=bool)
    sky[:, :4], mask[:, :4] = 1e8, True
    np.testing.assert_allclose(measure_sky_noise(sky, mask), 0.03, rtol=0.03)


def test_noise_scales_with_the_image(sky):
    np.testing.assert_allclose(
        measure_sky_noise(1e-3 * sky + 7), 1e-3 * measure_sky_noise(sky), rtol=1e-6
    )


@pytest.mark.parametrize("clip", [2.0, 3.0, 5.0])
def test_clipping_does_not_bias(sky, clip):
    np.testing.assert_allclose(measure_sky_noise(sky, clip=clip), 0.03, rtol=0.025)


@pytest.mark.parametrize("image", [np.ones((40, 40)), np.full((40, 40), np.nan), np.eye(4)])
def test_too_little_sky_is_refused(image):
    with pytest.raises(ObservationError, match="pass a noise map with uncertainty="):
        measure_sky_noise(image)


@pytest.mark.parametrize(
    ("options", "message"),
    [({"outer_fraction": 1}, r"outer_fraction must lie in \[0, 1\), got 1"),
     ({"clip": 0}, "clip must be positive, got 0")],
)  # fmt: skip
def test_options_are_checked(options, message, sky):
    with pytest.raises(ValueError, match=message):
        measure_sky_noise(sky, **options)


def test_an_observation_gets_a_noise_map(make_observation):
    observation = make_observation(uncertainty=None)
    result = with_measured_noise(observation)
    assert not observation.has_noise
    assert "NOISEMAP" not in observation.meta
    assert np.ptp(result.noise) == 0
    np.testing.assert_allclose(result.noise[0, 0], 0.2, rtol=0.1)  # 850 pixels
    assert result.meta["NOISEMAP"] == "blank sky"
    assert result.band == observation.band


def test_real_sky_agrees_with_the_noise_map(shared_data):
    """The maps of this survey are 1.5 times the scatter, for their correlated noise."""
    from astrorim.observation import LensObservation

    folder = shared_data / "slacs" / "J0252+0039"
    observation = LensObservation.read(
        folder / "image.fits", uncertainty=folder / "noise.fits", unit="electron/s",
        pixel_scale="0.05 arcsec",
    )  # fmt: skip
    ratio = np.median(observation.noise[observation.good]) / measure_sky_noise(
        observation.data, observation.mask
    )
    assert 1.2 < ratio < 1.8

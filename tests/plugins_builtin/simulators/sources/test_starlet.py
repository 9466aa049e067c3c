from __future__ import annotations

import numpy as np
import pytest
from scipy import ndimage

from astrorim_plugins.simulators.sources.starlet import (
    THRESHOLDS,
    denoise,
    max_scales,
    noise_of_scales,
    starlet,
    white_noise_of_scales,
)


def test_the_planes_add_up_to_the_image(rng):
    image = rng.normal(size=(40, 51))
    np.testing.assert_allclose(starlet(image, 3).sum(axis=0), image, atol=1e-13)


def test_a_constant_is_in_the_last_plane_alone():
    planes = starlet(np.full((33, 33), 2.5), 3)
    np.testing.assert_allclose(planes[:-1], 0, atol=1e-14)
    np.testing.assert_allclose(planes[-1], 2.5, atol=1e-14)


def test_white_noise_has_the_published_deviations():
    """Starck & Murtagh 2006, table 2.1: 0.891, 0.201, 0.086, 0.042."""
    published = [0.891, 0.201, 0.086, 0.042]
    np.testing.assert_allclose(white_noise_of_scales(4), published, atol=1e-3)


def test_noise_of_scales_follows_correlated_noise(rng):
    """Smoothed noise has less power in the finest scale than white noise would."""
    noise = ndimage.gaussian_filter(rng.normal(size=(400, 400)), 0.8, mode="wrap")
    planes = starlet(noise, 3)[:-1]
    measured = noise_of_scales(planes, np.ones(noise.shape, dtype=bool))
    np.testing.assert_allclose(measured, planes.std(axis=(1, 2)), rtol=0.03)
    assert measured[0] < 0.7 * white_noise_of_scales(3)[0] * noise.std()


def test_scales_too_wide_for_the_blank_area_follow_white_noise(rng):
    planes = starlet(rng.normal(size=(65, 65)), 4)[:-1]
    blank = np.zeros((65, 65), dtype=bool)
    blank[:10, :10] = True
    white = white_noise_of_scales(4)
    measured = noise_of_scales(planes, blank)
    np.testing.assert_allclose(measured / measured[0], np.array(white) / white[0])


@pytest.mark.parametrize("threshold", THRESHOLDS)
def test_denoising_brings_an_image_closer_to_the_truth(threshold, rng):
    y, x = np.mgrid[-32:33, -32:33]
    truth = 10 * np.exp(-(x**2 + 2 * y**2) / 200)
    noisy = truth + rng.normal(size=truth.shape)
    cleaned = denoise(noisy, np.hypot(x, y) > 28, threshold=threshold)
    assert np.std(cleaned - truth) < 0.3
    assert cleaned.min() >= 0


def test_an_image_without_noise_stays_as_it_is():
    y, x = np.mgrid[-32:33, -32:33]
    truth = np.where(np.hypot(x, y) < 25, 5.0 + x % 3, 0.0)
    cleaned = denoise(truth, np.hypot(x, y) > 44)
    np.testing.assert_allclose(cleaned, truth, atol=1e-12)


def test_a_single_bad_pixel_is_not_light(rng):
    image = rng.normal(size=(65, 65))
    image[32, 32] = 9.0
    cleaned = denoise(image, np.ones(image.shape, dtype=bool))
    assert cleaned[32, 32] < 1.0


def test_wide_images_have_more_scales():
    assert [max_scales((n, n)) for n in (16, 33, 65, 257)] == [1, 3, 4, 6]


def test_unknown_thresholds_are_refused():
    with pytest.raises(ValueError, match=r"threshold must be one of .*'firm'"):
        denoise(np.zeros((20, 20)), np.ones((20, 20), dtype=bool), threshold="firm")

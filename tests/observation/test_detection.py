"""Objects around a lens are found, in white and in correlated noise."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.ndimage import gaussian_filter

from astrorim.exceptions import ObservationError
from astrorim.observation import LensObservation
from astrorim.observation.detection import (
    central_distance,
    detect_objects,
    psf_width,
    usable_pixels,
)

SHAPE = (110, 100)


def frame(image, **options):
    return LensObservation(
        image,
        unit="electron/s",
        pixel_scale="0.1 arcsec",
        **{"uncertainty": np.full(SHAPE, 1.0), **options},
    )


def spot(row, column, height, width=2.0):
    y, x = np.indices(SHAPE)
    return height * np.exp(-((y - row) ** 2 + (x - column) ** 2) / (2 * width**2))


def test_two_spots_are_found_and_nothing_else(rng):
    found = detect_objects(frame(rng.normal(size=SHAPE) + spot(20, 30, 8) + spot(90, 70, 8)))
    assert set(np.unique(found.segments)) - {0} == {
        found.segments[20, 30],
        found.segments[90, 70],
    }
    assert found.segments[20, 30] != found.segments[90, 70]


def test_correlated_noise_is_no_object(rng):
    noise = gaussian_filter(rng.normal(size=SHAPE), 1.2)
    found = detect_objects(frame(noise / noise.std()))
    assert (found.segments > 0).sum() < 30


def test_blends_are_split(rng):
    image = rng.normal(size=SHAPE) + spot(20, 30, 40, 3) + spot(20, 42, 40, 3)
    found = detect_objects(frame(image))
    assert 0 != found.segments[20, 30] != found.segments[20, 42] != 0


def test_flagged_pixels_are_not_looked_at(rng):
    noise = np.ones(SHAPE)
    noise[10:30, 20:40] = 1e8
    observation = frame(rng.normal(size=SHAPE) + spot(20, 30, 50), uncertainty=noise)
    assert not usable_pixels(observation)[10:30, 20:40].any()
    assert usable_pixels(observation).sum() == noise.size - 400
    assert not detect_objects(observation).segments[10:30, 20:40].any()


@pytest.mark.parametrize("supersampling", [1, 3])
def test_width_of_a_gaussian_psf(supersampling, make_psf):
    psf = make_psf(size=61, width=1.5 * supersampling)
    observation = frame(np.eye(*SHAPE), psf=psf, psf_supersampling=supersampling)
    np.testing.assert_allclose(psf_width(observation), 2.3548 * 1.5, rtol=1e-3)


def test_unknown_psf_counts_as_three_pixels():
    assert psf_width(frame(np.eye(*SHAPE))) == 3


def test_distance_is_from_the_frames_centre_in_arcsec():
    distance = central_distance(frame(np.eye(*SHAPE)))
    np.testing.assert_allclose(distance[0, 0], 0.1 * np.hypot(54.5, 49.5), rtol=1e-12)


def test_image_without_scatter_is_refused():
    with pytest.raises(ObservationError, match="does not scatter at all"):
        detect_objects(frame(np.zeros(SHAPE)))

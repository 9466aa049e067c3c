from __future__ import annotations

import numpy as np
import pytest

from astrorim.exceptions import ObservationError
from astrorim.observation import LensObservation
from astrorim.plugins import load_plugins
from astrorim.preparation import Preparation, prepare
from astrorim.preparation.centring import core_is_saturated, find_lens, offset_arcsec

SHAPE = (101, 101)
CENTRE = (46.0, 53.5)


def blob(column, row, width, peak):
    y, x = np.indices(SHAPE)
    return peak * np.exp(-((x - column) ** 2 + (y - row) ** 2) / (2 * width**2))


def ring(radius=16.0, peak=1.0):
    y, x = np.indices(SHAPE)
    distance = np.hypot(x - CENTRE[0], y - CENTRE[1])
    knot = blob(CENTRE[0] + radius, CENTRE[1], 2.0, 2 * peak)
    return peak * np.exp(-((distance - radius) ** 2) / 8) + knot


@pytest.fixture
def observe(rng):
    def make(image):
        data = image + rng.normal(0, 0.05, SHAPE)
        return LensObservation(data, unit="electron/s", pixel_scale="0.05 arcsec")

    return make


def test_ring_without_lens_light_has_its_centre(observe):
    place = find_lens(observe(ring()))
    assert place.by == "ring"
    np.testing.assert_allclose(place.centre, CENTRE, atol=1.5)


@pytest.mark.parametrize("peak", [0.7, 1.5, 8.0])
def test_lens_inside_a_brighter_ring_is_found_by_its_light(observe, peak):
    column, row = CENTRE[0] + 1.3, CENTRE[1] - 0.8
    place = find_lens(observe(ring() + blob(column, row, 3.0, peak)))
    assert place.by == "light"
    np.testing.assert_allclose(place.centre, (column, row), atol=0.4)


def test_a_galaxy_beside_another_is_no_ring(observe):
    image = blob(52, 49, 3.0, 2.0) + blob(75, 60, 3.0, 2.0)
    place = find_lens(observe(image))
    assert place.by == "light"
    np.testing.assert_allclose(place.centre, (52, 49), atol=0.2)


def test_neighbours_at_the_edge_do_not_matter(observe):
    image = blob(50, 50, 3.0, 2.0) + ring() * 0.3
    for place in ((95, 95), (5, 93), (93, 8), (50, 97)):
        image += blob(*place, 3.0, 6.0)
    np.testing.assert_allclose(find_lens(observe(image)).centre, (50, 50), atol=0.2)


@pytest.mark.parametrize("lens_light", [True, False])
def test_simulated_lenses_are_found(lens_light):
    """Most of them; the brightest peak alone is an arc in half, and in all without light."""
    number, rng = 20, np.random.default_rng(4)
    lenses = (
        load_plugins()
        .simulators.create("foundation")
        .simulate(number, seed=10**9 + 7, shape=(100, 100), supersampling=1)
    )
    missed = 0
    for i in range(number):
        down, left = rng.integers(0, 10, 2)
        image = lenses.image[i] if lens_light else lenses.image[i] - lenses.lens_light[i]
        scale = float(lenses.pixel_scale[i])
        place = find_lens(
            LensObservation(
                image.numpy()[down : down + 90, left : left + 90],
                unit="adu",
                pixel_scale=f"{scale} arcsec",
            )
        )
        x = float(lenses.lens["x0"][i]) - (place.centre[0] + left - 49.5) * scale
        y = float(lenses.lens["y0"][i]) - (place.centre[1] + down - 49.5) * scale
        missed += np.hypot(x, y) > 0.3
    assert missed <= number // 5


def test_preparation_says_that_no_light_is_seen(observe):
    prepared = prepare(observe(ring()))
    assert any("no light of the lens is seen inside the ring" in a for a in prepared.advice)
    prepared = prepare(observe(ring()), Preparation(centre="frame"))
    assert not any("no light of the lens" in advice for advice in prepared.advice)


def test_nothing_usable_near_the_centre_is_refused(observe):
    observation = observe(ring())
    observation.mask = np.ones(SHAPE, bool)
    with pytest.raises(ObservationError, match="cannot be found within 25 pixels of"):
        find_lens(observation)


def test_a_place_can_be_named(observe):
    observation = observe(blob(30, 30, 3.0, 2.0) + blob(60, 55, 3.0, 2.0))
    found = find_lens(observation, near=(31.0, 28.0)).centre
    np.testing.assert_allclose(found, (30, 30), atol=0.2)


def test_offset_is_from_the_frames_centre(observe):
    x, y = offset_arcsec(observe(ring()), (52.0, 49.0))
    np.testing.assert_allclose((x, y), (0.1, -0.05), atol=1e-12)


def test_saturated_core_is_seen_by_its_level_or_by_equal_pixels(observe):
    observation = observe(blob(50, 50, 3.0, 5.0))
    assert not core_is_saturated(observation, (50, 50))
    observation.meta["SATURATE"] = 4.0
    assert core_is_saturated(observation, (50, 50))
    clipped = observe(ring())
    clipped.data[48:50, 48:50] = 9.0
    assert core_is_saturated(clipped, (49, 49))

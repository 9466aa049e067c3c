"""PSFs from simulated fields of stars whose PSF is known."""

from __future__ import annotations

import numpy as np
import pytest
from astropy.nddata import StdDevUncertainty
from photutils.psf import MoffatPSF

from astrorim.exceptions import ObservationError
from astrorim.observation import LensObservation
from astrorim.observation.star_psf import psf_from_stars, width_of

SIDE = 240


def moffat(x, y, flux=1.0, x_0=0.0, y_0=0.0, alpha=2.5):
    return MoffatPSF(flux=flux, x_0=x_0, y_0=y_0, alpha=alpha, beta=3.0)(x, y)


def star_field(places, *, fluxes=20000.0, noise=1.0, seed=5):
    y, x = np.indices((SIDE, SIDE))
    image = np.random.default_rng(seed).normal(10, noise, (SIDE, SIDE))
    for (x_0, y_0), flux in zip(places, np.broadcast_to(fluxes, len(places)), strict=True):
        image += moffat(x, y, flux, x_0, y_0)
    return image


def observed(image, **options):
    return LensObservation(image, unit="adu", pixel_scale="0.1 arcsec", **options)


def grid_places(step=40, seed=1):
    """Isolated stars at random fractions of a pixel."""
    rng = np.random.default_rng(seed)
    centres = np.arange(step // 2, SIDE, step)
    x, y = np.meshgrid(centres, centres)
    places = np.column_stack([x.ravel(), y.ravel()])
    return places + rng.uniform(-0.5, 0.5, places.shape)


@pytest.mark.parametrize("supersampling", [1, 2, 3])
def test_psf_is_that_of_the_stars(supersampling):
    """Width to 2 %, encircled light to 0.5 %, centroid to 0.01 pixel."""
    found = psf_from_stars(observed(star_field(grid_places())), supersampling=supersampling)
    stamp = found.stamp
    side = stamp.shape[0]
    assert side % 2 == 1
    assert stamp.sum() == pytest.approx(1)
    axis = (np.arange(side) - side // 2) / supersampling
    x, y = np.meshgrid(axis, axis)
    truth = moffat(x, y)
    truth /= truth.sum()
    radius = np.hypot(x, y)
    core = radius < 5
    for offset in (x, y):
        assert abs((stamp * offset)[core].sum()) < 0.01
    for inside in (2, 4, 7):
        light = stamp[radius < inside].sum() - truth[radius < inside].sum()
        assert abs(light) < 5e-3
    true_width = 2 * 2.5 * np.sqrt(2 ** (1 / 3) - 1)
    assert found.fwhm.to_value("arcsec") == pytest.approx(0.1 * true_width, rel=0.02)
    assert len(found.stars) == 36
    assert np.abs(stamp - truth).max() < 0.03 * truth.max()


def test_saturated_crowded_masked_and_extended_detections_are_left_out():
    places = grid_places()
    image = star_field(places, fluxes=np.r_[9e5, np.full(35, 2e4)])
    saturation = 20000.0
    image = np.minimum(image, saturation)
    y, x = np.indices(image.shape)
    image += moffat(x, y, 5000, places[8, 0] + 8, places[8, 1])
    image += moffat(x, y, 60000, *places[14], alpha=6.0)
    mask = np.zeros(image.shape, dtype=bool)
    mask[int(places[21, 1]), int(places[21, 0])] = True
    found = psf_from_stars(observed(image, mask=mask), saturation=saturation)
    assert found.rejected["saturated"] == 1
    assert found.rejected["crowded"] >= 1
    assert found.rejected["masked"] == 1
    assert found.rejected["not point-like"] == 1
    for bad in (0, 8, 14, 21):
        distance = np.hypot(
            found.stars["x"] - places[bad, 0], found.stars["y"] - places[bad, 1]
        )
        assert distance.min() > 5
    assert found.fwhm.value == pytest.approx(0.255, rel=0.03)


def test_too_few_stars_are_counted_by_reason():
    places = np.array([[60.2, 60.4], [66.1, 60.3], [120.3, 150.2], [3.0, 100.0]])
    with pytest.raises(
        ObservationError,
        match=r"at least 3 stars must be usable, got 1 of \d detections \(.*1 at the edge",
    ):
        psf_from_stars(observed(star_field(places)))


def test_empty_field_is_refused(rng):
    with pytest.raises(ObservationError, match="must hold stars, found none above 50 standard"):
        psf_from_stars(observed(rng.normal(0, 1, (60, 60))))


def test_noise_of_the_observation_is_heeded():
    image = star_field(grid_places())
    noise = StdDevUncertainty(np.ones_like(image))
    found = psf_from_stars(observed(image, uncertainty=noise))
    assert found.fwhm.value == pytest.approx(0.255, rel=0.03)


@pytest.mark.parametrize(
    "options, message",
    [
        ({"size": 24}, "size must be odd and at least 5, got 24; use 25"),
        ({"supersampling": 0}, "supersampling must be a positive integer, got 0"),
    ],
)
def test_bad_options_are_refused(options, message):
    with pytest.raises(ObservationError, match=message):
        psf_from_stars(observed(np.eye(40)), **options)


def test_width_is_the_full_width_at_half_maximum():
    axis = np.arange(31) - 15.0
    stamp = np.exp(-(axis**2 + axis[:, None] ** 2) / (2 * 1.7**2))
    assert width_of(stamp) == pytest.approx(1.7 * 2.3548, rel=0.01)

from __future__ import annotations

import numpy as np
import pytest
from scipy import ndimage

from astrorim.exceptions import ObservationError
from astrorim_plugins.simulators.sources.galaxy_cleaning import (
    CleaningOptions,
    clean_galaxy,
    half_light_radius_of,
    richardson_lucy,
)

SIZE = 121


def spiral(size=SIZE, x0=0.0, y0=0.0):
    """Exponential disk of 9 pixels with two arms and a compact bulge, peak near one."""
    y, x = np.mgrid[:size, :size] - (size - 1) / 2
    x, y = x - x0, (y - y0) / 0.7
    r = np.hypot(x, y) + 1e-9
    arms = 1 + 0.5 * np.cos(2 * np.arctan2(y, x) - 5 * np.log(r / 9 + 0.3))
    image = np.exp(-r / 9) * arms + 1.5 * np.exp(-(r**2) / 8)
    return ndimage.gaussian_filter(image, 1.3)


@pytest.fixture(scope="module")
def noise():
    """Drizzled noise of deviation 0.03, neighbouring pixels correlated by about 0.3."""
    white = np.random.default_rng(4).normal(size=(SIZE, SIZE))
    smooth = ndimage.gaussian_filter(white, 0.55)
    return 0.03 * smooth / smooth.std()


def placed(cleaned, size=SIZE):
    """The cleaned image where it was in a cutout of the given size, in its unit."""
    spare = len(cleaned.image) // 2 + 1
    frame = np.pad(cleaned.image, max(size // 2 + 1 - spare, 0) + 5)
    x, y = (position - (size - 1) / 2 for position in cleaned.centroid)
    frame = ndimage.shift(frame, (y, x), order=3) * cleaned.flux
    spare = (len(frame) - size) // 2
    return frame[spare : spare + size, spare : spare + size]


@pytest.mark.parametrize("level", [0.0, 0.4])
def test_the_cleaned_image_is_closer_to_the_truth(noise, level):
    """Five times closer than with the noise, the flux to 4 %, whatever the sky level."""
    truth = spiral()
    cleaned = clean_galaxy(truth + noise + level)
    image = placed(cleaned)
    assert np.std(image - truth) < 0.2 * noise.std()
    assert cleaned.flux == pytest.approx(truth.sum(), rel=0.04)
    assert cleaned.half_light_radius == pytest.approx(half_light_radius_of(truth), rel=0.04)
    assert cleaned.background == pytest.approx(level, abs=0.005)
    assert cleaned.noise == pytest.approx(0.03, rel=0.1)


def test_arms_are_kept(noise):
    """The cleaned image has the azimuthal pattern of the truth where the disk is faint."""
    truth = spiral()
    cleaned = clean_galaxy(truth + noise)
    image = placed(cleaned)
    y, x = (np.mgrid[:SIZE, :SIZE] - (SIZE - 1) / 2) / np.array([0.7, 1])[:, None, None]
    ring = (np.hypot(x, y) > 12) & (np.hypot(x, y) < 20)
    arms, kept = (v[ring] - ndimage.gaussian_filter(v, 8)[ring] for v in (truth, image))
    assert np.corrcoef(arms, kept)[0, 1] > 0.9
    assert kept.std() == pytest.approx(arms.std(), rel=0.2)


def test_corners_are_exactly_dark_and_nothing_is_negative(noise):
    cleaned = clean_galaxy(spiral() + noise + 0.1)
    n = len(cleaned.image) // 8
    image = cleaned.image
    for corner in (image[:n, :n], image[:n, -n:], image[-n:, :n], image[-n:, -n:]):
        assert np.all(corner == 0)
    assert image.min() >= 0
    assert cleaned.image.sum() == pytest.approx(1)


def test_the_centroid_is_on_the_middle_pixel(noise):
    cleaned = clean_galaxy(spiral(x0=4.3, y0=-6.8) + noise)
    middle = (len(cleaned.image) - 1) / 2
    assert len(cleaned.image) % 2 == 1
    np.testing.assert_allclose(ndimage.center_of_mass(cleaned.image), middle, atol=0.02)


@pytest.mark.parametrize("place", [(95, 22), (66, 84)], ids=["apart", "blended"])
def test_neighbours_are_taken_out(noise, place):
    y, x = np.mgrid[:SIZE, :SIZE]
    star = 2 * np.exp(-((y - place[0]) ** 2 + (x - place[1]) ** 2) / 8)
    truth = spiral()
    cleaned = clean_galaxy(truth + noise + star)
    assert cleaned.flux == pytest.approx(truth.sum(), rel=0.05)
    image = placed(cleaned)
    assert abs(image - truth)[star > 1].max() < 0.15


def test_pixels_that_are_not_finite_are_filled(noise):
    image = spiral() + noise
    image[50:53, 66:69] = np.nan
    cleaned = clean_galaxy(image)
    assert cleaned.flux == pytest.approx(spiral().sum(), rel=0.04)


def test_an_image_without_noise_passes():
    cleaned = clean_galaxy(spiral())
    assert cleaned.flux == pytest.approx(spiral().sum(), rel=0.05)


def test_deconvolution_makes_a_blurred_galaxy_compact(noise):
    y, x = np.mgrid[-8:9, -8:9]
    psf = 3.0 * np.exp(-(x**2 + y**2) / (2 * 2.5**2))
    truth = spiral()
    blurred = ndimage.gaussian_filter(truth, 2.5)
    options = CleaningOptions(psf=psf)
    errors, fluxes = [], []
    for own in (CleaningOptions(), options):
        cleaned = clean_galaxy(blurred + noise / 3, own)
        errors.append(np.std(placed(cleaned) - truth))
        fluxes.append(cleaned.flux)
    assert errors[1] < 0.6 * errors[0]
    assert fluxes[1] == pytest.approx(fluxes[0], rel=0.01)


def test_deconvolution_conserves_flux_and_sign():
    image = np.pad(spiral(61), 20)
    psf = np.outer([1.0, 2, 1], [1.0, 2, 1])
    sharp = richardson_lucy(image, psf, 5)
    assert sharp.sum() == pytest.approx(image.sum())
    assert sharp.min() >= 0
    with pytest.raises(ValueError, match=r"psf must have a positive sum, got 0"):
        richardson_lucy(image, np.zeros((3, 3)), 5)


def test_half_light_radius_of_a_gaussian():
    y, x = np.mgrid[-40:41, -40:41]
    image = np.exp(-(x**2 + y**2) / (2 * 6.0**2))
    expected = 6.0 * np.sqrt(2 * np.log(2))
    assert half_light_radius_of(image) == pytest.approx(expected, rel=0.005)


@pytest.mark.parametrize(
    ("image", "message"),
    [
        (np.zeros((10, 40)), r"at least 16 pixels, got shape \(10, 40\)"),
        (np.zeros((40, 40, 2)), r"two-dimensional .*got shape \(40, 40, 2\)"),
        (np.where(np.arange(900).reshape(30, 30) % 3, 1.0, np.nan), r"invalid, got 33%"),
        (np.random.default_rng(1).normal(size=(60, 60)), "no galaxy was found"),
        (np.zeros((40, 40)), "no galaxy was found"),
    ],
    ids=["small", "cube", "invalid", "noise", "empty"],
)
def test_images_without_a_galaxy_are_refused(image, message):
    with pytest.raises(ObservationError, match=message):
        clean_galaxy(image)


@pytest.mark.parametrize(
    ("option", "value", "message"),
    [
        ("significance", 0.0, r"significance must be positive, got 0\.0"),
        ("taper", -1.0, r"taper must not be negative, got -1\.0"),
        ("threshold", "firm", r"threshold must be one of .*got 'firm'"),
        ("num_scales", 0, "num_scales must be at least 1, got 0"),
        ("psf", np.ones((4, 5)), r"odd sides, got \(4, 5\)"),
    ],
)
def test_options_out_of_range_are_refused(option, value, message):
    with pytest.raises(ValueError, match=message):
        CleaningOptions(**{option: value})

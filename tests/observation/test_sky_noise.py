"""Scatter and correlation of the blank sky, on known noise and on real images."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.signal import convolve2d

from astrorim.exceptions import ObservationError
from astrorim.interchange import to_observation
from astrorim.observation import LensObservation
from astrorim.observation.sky_noise import SkyNoise, autocovariance, measure_sky
from astrorim.plugins import load_plugins

KERNEL = np.array([[0.1, 0.25, 0.1], [0.25, 1.0, 0.25], [0.1, 0.25, 0.1]])
SLACS = (
    "J0029-0055", "J0252+0039", "J0737+3216", "J0946+1006", "J0956+5100", "J1143-0144",
    "J1250+0523", "J1430+4105", "J1627-0053", "J2303+1422",
)  # fmt: skip


def correlation_of_kernel():
    full = convolve2d(KERNEL, KERNEL)
    return full / full.max()


@pytest.fixture
def make_image(rng, make_psf):
    """A lens with halo and neighbour on sky of scatter 0.03, map too large by 1.5."""

    def make(*, side=160, correlated=False, noise=True):
        y, x = np.indices((side, side)) - (side - 1) / 2
        light = 0.5 + 20 * np.exp(-np.hypot(x, 1.3 * y) / 6)
        light[10:20, 30:42] += 1
        white = rng.normal(size=(side + 2, side + 2))
        z = convolve2d(white, KERNEL / np.sqrt((KERNEL**2).sum()), mode="valid")
        z = z if correlated else white[1:-1, 1:-1]
        return LensObservation(
            light + 0.03 * z, unit="adu", psf=make_psf(), pixel_scale="0.05 arcsec",
            uncertainty=np.full((side, side), 0.045) if noise else None,
        )  # fmt: skip

    return make


def test_white_noise_is_measured(make_image):
    sky = measure_sky(make_image())
    np.testing.assert_allclose(sky.sigma, 0.03, rtol=0.025)
    assert abs(sky.noise_ratio - 2 / 3) < 4 * sky.noise_ratio_error
    np.testing.assert_allclose(sky.sigma / 0.045, sky.noise_ratio, rtol=1e-9)
    np.testing.assert_allclose(sky.background, 0.5, atol=0.01)
    assert abs(sky.neighbour_correlation) < 0.04
    assert sky.correlation.shape == (9, 9)
    np.testing.assert_allclose(sky.expected_reduced_chi2, sky.noise_ratio**2)


def test_correlated_noise_is_measured(make_image):
    sky = measure_sky(make_image(correlated=True))
    np.testing.assert_allclose(sky.sigma, 0.03, rtol=0.04)
    np.testing.assert_allclose(sky.correlation[2:7, 2:7], correlation_of_kernel(), atol=0.05)


def test_without_a_map_there_is_no_ratio(make_image):
    sky = measure_sky(make_image(noise=False))
    assert sky.noise_ratio is None
    assert sky.expected_reduced_chi2 == 1
    np.testing.assert_allclose(sky.sigma, 0.03, rtol=0.025)


def test_measurement_scales_with_the_flux(make_image):
    observation = make_image()
    sky, other = measure_sky(observation), measure_sky(observation.multiply(50))
    np.testing.assert_allclose(other.sigma, 50 * sky.sigma, rtol=1e-6)
    np.testing.assert_allclose(other.background, 50 * sky.background, rtol=1e-6)
    np.testing.assert_allclose(other.noise_ratio, sky.noise_ratio, rtol=1e-6)


def test_too_little_sky_is_refused(make_image):
    with pytest.raises(ObservationError, match=r"\d+ blank pixels; 200 are needed"):
        measure_sky(make_image(), exclude_radius=5.6)


def test_options_are_checked(make_image):
    with pytest.raises(ValueError, match="exclude_radius must not be negative, got -1"):
        measure_sky(make_image(), exclude_radius=-1)
    with pytest.raises(ValueError, match="max_lag must be positive"):
        measure_sky(make_image(), max_lag=0)


def test_scatter_of_chi2_is_that_of_many_noise_fields(rng):
    """Mean chi-square of 900 correlated pixels, 400 times; the scatter to 3.5 %, times 3."""
    correlation = correlation_of_kernel()
    sky = SkyNoise(0.0, 1.0, 0.8, correlation, 10**9)
    kernel = 0.8 * KERNEL / np.sqrt((KERNEL**2).sum())
    chi2 = [
        np.mean(convolve2d(rng.normal(size=(32, 32)), kernel, mode="valid") ** 2)
        for _ in range(400)
    ]
    np.testing.assert_allclose(np.mean(chi2), sky.expected_reduced_chi2, rtol=0.01)
    np.testing.assert_allclose(np.std(chi2), sky.reduced_chi2_scatter(900), rtol=0.1)
    with pytest.raises(ValueError, match="num_pixels must be positive, got 0"):
        sky.reduced_chi2_scatter(0)


def test_autocovariance_by_hand():
    image = np.array([[1.0, -1.0, 9.0], [-1.0, 1.0, 9.0], [9.0, 9.0, 9.0]])
    used = image < 5
    expected = [[1, -1, 1], [-1, 1, -1], [1, -1, 1]]
    np.testing.assert_allclose(autocovariance(image, used, 1), expected, atol=1e-12)
    with pytest.raises(ValueError, match=r"below the sides \(3, 3\), got 3"):
        autocovariance(image, used, 3)


@pytest.mark.parametrize("simulator", ["foundation", "enhanced"])
def test_noise_maps_of_simulated_lenses_are_right(simulator):
    """White noise of exactly the map's size, though arcs fill much of the frame.

    Detectors of `enhanced` have defects that its maps do not know: 5 % are allowed.
    """
    simulated = load_plugins().simulators.create(simulator).simulate(6, seed=10**9 + 5)
    skies = [measure_sky(to_observation(simulated, i)) for i in range(6)]
    tolerance = 0.0 if simulator == "foundation" else 0.05
    for sky in skies:
        assert abs(sky.noise_ratio - 1) < 3.5 * sky.noise_ratio_error + tolerance
        assert abs(sky.neighbour_correlation) < 0.08
    np.testing.assert_allclose(np.mean([s.noise_ratio for s in skies]), 1, atol=0.03)


@pytest.mark.parametrize("name", SLACS)
def test_published_noise_maps_are_one_and_a_half_times_too_large(name, shared_data):
    folder = shared_data / "slacs" / name
    observation = LensObservation.read(
        folder / "image.fits", uncertainty=folder / "noise.fits", psf=folder / "psf.fits",
        unit="electron/s", pixel_scale="0.05 arcsec",
    )  # fmt: skip
    sky = measure_sky(observation)
    np.testing.assert_allclose(1 / sky.noise_ratio, 1.5, rtol=0.06)
    np.testing.assert_allclose(sky.expected_reduced_chi2, 0.46, atol=0.04)
    np.testing.assert_allclose(sky.neighbour_correlation, 0.25, atol=0.03)
    assert sky.num_pixels > 5000


@pytest.mark.parametrize(
    ("name", "scale", "ratio"),
    [("other/cosmos_web_ring_f277w", 0.06, 0.29), ("third_party_mocks/simple", 0.1, 1.0),
     ("third_party_mocks/source_complex", 0.05, 1.0)],
)  # fmt: skip
def test_other_noise_maps(name, scale, ratio, shared_data):
    """One with a floor of almost four times the sky's scatter; two of another simulator."""
    folder = shared_data / name
    observation = LensObservation.read(
        folder / "data.fits", uncertainty=folder / "noise_map.fits", psf=folder / "psf.fits",
        unit="electron/s", pixel_scale=f"{scale} arcsec",
    )  # fmt: skip
    np.testing.assert_allclose(measure_sky(observation).noise_ratio, ratio, rtol=0.04)

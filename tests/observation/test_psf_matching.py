"""Matching of Gaussians, whose kernel is known, and of what cannot be matched."""

from __future__ import annotations

import numpy as np
import pytest

from astrorim.exceptions import ObservationError
from astrorim.observation import LensObservation
from astrorim.observation.psf_matching import match_psf, matching_kernel


def gaussian(sigma, size=41):
    axis = np.arange(size) - size // 2
    stamp = np.exp(-(axis**2 + axis[:, None] ** 2) / (2 * sigma**2))
    return stamp / stamp.sum()


def test_kernel_of_gaussians_is_the_gaussian_of_the_difference():
    """The regularisation costs 2 % of the kernel's peak."""
    kernel = matching_kernel(gaussian(1.5, 31), gaussian(2.5))
    expected = gaussian(2.0)
    assert kernel.shape == (41, 41)
    assert kernel.sum() == pytest.approx(1)
    np.testing.assert_allclose(kernel, expected, atol=0.03 * expected.max())


def test_observation_is_as_if_seen_with_the_target(rng):
    from scipy.signal import fftconvolve

    scene = np.zeros((101, 101))
    scene[rng.integers(25, 75, 20), rng.integers(25, 75, 20)] = 100
    sharp, blurred = (fftconvolve(scene, gaussian(s), mode="same") for s in (1.5, 2.5))
    mask = np.zeros(scene.shape, dtype=bool)
    mask[50, 8] = True
    observation = LensObservation(
        sharp, unit="adu", pixel_scale="0.1 arcsec", psf=gaussian(1.5),
        uncertainty=np.full(scene.shape, 2.0), mask=mask,
    )  # fmt: skip
    matched = match_psf(observation, gaussian(2.5))
    np.testing.assert_allclose(matched.data, blurred, atol=0.02 * blurred.max())
    np.testing.assert_allclose(matched.psf, gaussian(2.5), atol=0.02 * gaussian(2.5).max())
    # white noise through a Gaussian of 2 pixels: 1 / (2 sqrt(pi) 2) of it
    assert matched.noise[50, 50] == pytest.approx(2.0 / (2 * np.sqrt(np.pi) * 2), rel=0.05)
    assert matched.mask[50, 10]
    assert not matched.mask[50, 50]
    assert matched.meta["PSFMATCH"]


@pytest.mark.parametrize(
    "psf, target, options, message",
    [
        (gaussian(2.5), gaussian(1.5), {}, "target must be broader than psf, got full widths"),
        (gaussian(1.5, 40), gaussian(2.5), {}, "odd number of rows and columns"),
        (gaussian(2), gaussian(2.1), {"tolerance": 1e-9}, "must follow the target within 0.0%"),
    ],
)
def test_what_cannot_be_matched_is_refused(psf, target, options, message):
    with pytest.raises(ObservationError, match=message):
        matching_kernel(psf, target, **options)


def test_observation_without_a_psf_is_refused():
    observation = LensObservation(np.eye(50), unit="adu", pixel_scale="0.1 arcsec")
    with pytest.raises(ObservationError, match="must have a PSF to be matched; pass psf="):
        match_psf(observation, gaussian(2.5))

"""Joint coverage about random points."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.stats import norm

from astrorim.results.tarp import tarp_coverage


def correlated_posteriors(rng, lenses, *, draws=200, width=1.0):
    """Gaussians in three parameters of different scales, correlated."""
    root = np.array([[1.0, 0, 0], [0.8, 0.6, 0], [-0.5, 0.5, 0.7]]) * [[1], [10], [0.1]]
    mean = 3 * rng.normal(size=(lenses, 3)) @ root.T
    truth = mean + rng.normal(size=(lenses, 3)) @ root.T
    noise = rng.normal(size=(lenses, draws, 3)) @ root.T
    return mean[:, None] + width * noise, truth


def test_exact_posteriors_are_rejected_as_often_as_said(rng):
    """300 tests: a fraction of 5 % has a standard error of 1.3 %."""
    p_values = [
        tarp_coverage(*correlated_posteriors(rng, 40, draws=30), seed=i).p_value
        for i in range(300)
    ]
    assert np.mean(np.array(p_values) < 0.05) == pytest.approx(0.05, abs=0.04)


@pytest.mark.parametrize("width", [0.4, 2.5])
def test_wrong_widths_are_found(rng, width):
    found = tarp_coverage(*correlated_posteriors(rng, 500, width=width))
    assert found.p_value < 0.001
    assert found.largest_deviation > 0.1


@pytest.mark.parametrize("width", [0.5, 1.0, 2.0])
def test_about_a_far_point_it_is_the_distribution_of_ranks(rng, width):
    """Closer to a far point is above the truth: P(f < a) is Phi(width Phi^-1(a))."""
    truth = rng.normal(size=(3000, 1))
    samples = width * rng.normal(size=(3000, 200, 1))
    far = np.full_like(truth, 1e6)
    found = tarp_coverage(samples, truth, references=far)
    predicted = norm.cdf(width * norm.ppf(found.level))
    # Kolmogorov's distance of 3000 numbers is below 0.036 with a probability of 99.9 %
    np.testing.assert_allclose(found.fraction, predicted, rtol=0, atol=0.04)
    assert found.largest_deviation == pytest.approx(
        np.abs(predicted - found.level).max(), abs=0.04
    )


def test_the_band_is_the_scatter_of_datasets(rng):
    found = tarp_coverage(*correlated_posteriors(rng, 200))
    middle = len(found.level) // 2
    sigma = np.sqrt(found.fraction[middle] * (1 - found.fraction[middle]) / 200)
    assert found.upper[middle] - found.lower[middle] == pytest.approx(3.92 * sigma, rel=0.15)
    assert (found.lower <= found.fraction).all()
    assert (found.fraction <= found.upper).all()
    assert (found.fraction[0], found.fraction[-1]) == (0, 1)


def test_it_does_not_depend_on_units(rng):
    samples, truth = correlated_posteriors(rng, 50)
    units = np.array([1e-6, 206265.0, 1.0])
    first = tarp_coverage(samples, truth)
    second = tarp_coverage(samples * units, truth * units)
    np.testing.assert_allclose(first.fraction, second.fraction)


def test_incomplete_lenses_and_absent_parameters_are_left_out(rng):
    samples, truth = correlated_posteriors(rng, 50)
    whole = tarp_coverage(samples[1:], truth[1:])
    nowhere = np.full((50, 1), np.nan)
    truth[0, 1] = np.nan
    samples = np.concatenate([samples, np.zeros((50, 200, 1))], axis=2)
    found = tarp_coverage(samples, np.concatenate([truth, nowhere], axis=1))
    assert found.number == 49
    np.testing.assert_array_equal(found.fraction, whole.fraction)


def test_no_lens_gives_no_number():
    found = tarp_coverage(np.full((3, 4, 2), np.nan), np.zeros((3, 2)))
    assert found.number == 0
    assert np.isnan([found.p_value, found.largest_deviation]).all()
    assert np.isnan(found.fraction).all()


def test_values_that_are_all_alike_are_no_fault(rng):
    samples, truth = correlated_posteriors(rng, 60)
    samples[..., 2], truth[:, 2] = 1.0, 1.0
    assert tarp_coverage(samples, truth).p_value > 0.01


def test_references_of_another_shape_are_refused(rng):
    samples, truth = correlated_posteriors(rng, 5)
    with pytest.raises(ValueError, match=r"references must have the shape \(5, 3\) .* \(3,\)"):
        tarp_coverage(samples, truth, references=np.zeros(3))


def test_a_confidence_that_is_none_is_refused(rng):
    samples, truth = correlated_posteriors(rng, 5)
    with pytest.raises(ValueError, match="confidence must lie between 0 and 1, got 1.5"):
        tarp_coverage(samples, truth, confidence=1.5)

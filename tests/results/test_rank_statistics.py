"""Ranks of truths: uniform for exact posteriors, predictably not for others."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.stats import norm

from astrorim.results.rank_statistics import rank_statistics, uniformity_band


def gaussian_posteriors(rng, lenses, parameters, *, draws=100, width=1.0, bias=0.0):
    truth = rng.normal(size=(lenses, parameters))
    noise = rng.normal(size=(lenses, draws, parameters))
    return bias + width * noise, truth


@pytest.mark.parametrize("lenses", [20, 300])
def test_exact_posteriors_are_rejected_as_often_as_said(rng, lenses):
    """400 tests: a fraction of 5 % has a standard error of 1.1 %."""
    samples, truth = gaussian_posteriors(rng, lenses, 400, draws=60)
    found = rank_statistics(samples, truth)
    assert np.mean(found.p_value < 0.05) == pytest.approx(0.05, abs=0.04)
    outside = (found.difference < found.lower - 1e-9) | (found.difference > found.upper + 1e-9)
    assert np.mean(outside.any(axis=0)) == pytest.approx(0.05, abs=0.04)


@pytest.mark.parametrize("width, bias", [(0.5, 0.0), (2.0, 0.0), (1.0, 0.5)])
def test_wrong_posteriors_deviate_as_predicted(rng, width, bias):
    samples, truth = gaussian_posteriors(rng, 2000, 1, draws=400, width=width, bias=bias)
    found = rank_statistics(samples, truth)
    predicted = norm.cdf(bias + width * norm.ppf(found.grid)) - found.grid
    # Kolmogorov's distance of 2000 ranks is below 0.045 with a probability of 99.9 %
    np.testing.assert_allclose(found.difference[:, 0], predicted, rtol=0, atol=0.045)
    assert found.p_value[0] < 0.001


def test_ranks_count_the_samples_below():
    samples = np.array([[[0.0], [1.0], [2.0], [3.0]]])
    found = rank_statistics(samples, np.array([[1.5]]))
    assert (found.rank[0, 0], found.num_draws[0, 0]) == (2, 4)
    assert 2 / 5 <= found.fractional[0, 0] <= 3 / 5


def test_truths_equal_to_samples_get_any_of_the_ranks(rng):
    found = rank_statistics(np.ones((3000, 4, 1)), np.ones((3000, 1)))
    counts = np.bincount(found.rank[:, 0], minlength=5)
    np.testing.assert_allclose(counts / 3000, 0.2, atol=0.03)


def test_thinning_makes_ranks_of_correlated_chains_uniform(rng):
    """Chains x_t = a x_(t-1) + noise of exact posteriors: (1 - a) / (1 + a) are independent."""
    lenses, draws, a = 400, 400, 0.97
    chain = rng.normal(size=(lenses, draws))
    for step in range(1, draws):
        chain[:, step] = a * chain[:, step - 1] + np.sqrt(1 - a**2) * chain[:, step]
    truth = rng.normal(size=(lenses, 1))
    size = np.full((lenses, 1), draws * (1 - a) / (1 + a))
    assert rank_statistics(chain[..., None], truth).p_value[0] < 0.001
    thinned = rank_statistics(chain[..., None], truth, effective_size=size)
    assert thinned.p_value[0] > 0.05
    assert (thinned.num_draws == 6).all()


def test_effective_sizes_lie_between_one_and_all(rng):
    samples, truth = gaussian_posteriors(rng, 3, 1, draws=50)
    size = np.array([[0.2], [1e9], [np.nan]])
    found = rank_statistics(samples, truth, effective_size=size)
    np.testing.assert_array_equal(found.num_draws[:, 0], [1, 50, 50])
    whole = rank_statistics(samples, truth)
    np.testing.assert_array_equal(found.rank[1:], whole.rank[1:])


def test_lenses_that_cannot_be_used_have_no_rank(rng):
    samples, truth = gaussian_posteriors(rng, 30, 2)
    truth[4, 0], samples[:, 0, 1] = np.nan, np.nan
    found = rank_statistics(samples, truth)
    assert found.rank[4, 0] == -1
    assert found.num_draws[4, 0] == 0
    assert (found.rank[:, 1] == -1).all()
    assert np.isnan(found.p_value[1])
    assert np.isnan(found.lower[:, 1]).all()
    assert np.isfinite(found.lower[:, 0]).all()


def test_the_same_seed_gives_the_same_numbers(rng):
    samples, truth = gaussian_posteriors(rng, 10, 1)
    first, second = (rank_statistics(samples, truth, seed=3) for _ in range(2))
    np.testing.assert_array_equal(first.fractional, second.fractional)
    np.testing.assert_array_equal(first.p_value, second.p_value)


def test_a_wider_band_holds_more():
    _, low, high = uniformity_band(50, confidence=0.5)
    _, lowest, highest = uniformity_band(50, confidence=0.99)
    assert (lowest <= low).all()
    assert (high <= highest).all()
    assert (highest - lowest).mean() > (high - low).mean() + 0.1


def test_effective_sizes_of_another_shape_are_refused(rng):
    samples, truth = gaussian_posteriors(rng, 4, 2)
    with pytest.raises(ValueError, match=r"effective_size must have the shape \(4, 2\) .*\(4,"):
        rank_statistics(samples, truth, effective_size=np.ones(4))


def test_a_confidence_that_is_none_is_refused():
    with pytest.raises(ValueError, match="confidence must lie between 0 and 1, got 95"):
        uniformity_band(10, confidence=95)

"""Coverage of intervals against closed forms."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.special import betainc
from scipy.stats import norm

from astrorim.results.coverage import binomial_interval, coverage, usable_draws, z_scores


def gaussian_posteriors(rng, *, lenses=2000, draws=400, width=1.0, bias=0.0):
    """Samples whose widths and means are off by ``width`` and ``bias`` standard deviations."""
    mean, sigma = rng.normal(size=(lenses, 1)), rng.uniform(0.1, 0.5, size=(lenses, 1))
    truth = mean + sigma * rng.normal(size=(lenses, 1))
    noise = rng.normal(size=(lenses, draws, 1))
    return (mean + bias * sigma)[:, None] + width * sigma[:, None] * noise, truth


@pytest.mark.parametrize("width, bias", [(1, 0), (0.5, 0), (2, 0), (1, 1), (0.7, -0.4)])
def test_fractions_are_the_predicted_ones(rng, width, bias):
    samples, truth = gaussian_posteriors(rng, width=width, bias=bias)
    level = np.array([0.2, 0.5, 0.68, 0.95])
    reach = width * norm.ppf(0.5 + level / 2)
    predicted = norm.cdf(bias + reach) - norm.cdf(bias - reach)
    found = coverage(samples, truth, level)
    error = np.sqrt(predicted * (1 - predicted) / len(truth))
    assert found.fraction.shape == (4, 1)
    assert (np.abs(found.fraction[:, 0] - predicted) < 3.5 * error + 0.003).all()
    np.testing.assert_allclose(
        (found.upper - found.lower)[:, 0] / 2, error, rtol=0.15, atol=0.001
    )


def test_a_small_number_of_samples_does_not_narrow_the_intervals(rng):
    """Of four exact samples the extreme ones are the 60 % interval: 3 of 5 ranks inside."""
    samples, truth = gaussian_posteriors(rng, lenses=20000, draws=4)
    found = coverage(samples, truth, 0.6)
    assert found.fraction[0] == pytest.approx(0.6, abs=3.5 * np.sqrt(0.24 / 20000))


def test_deviations_have_the_predicted_mean_and_width(rng):
    samples, truth = gaussian_posteriors(rng, width=0.5, bias=0.3)
    z = z_scores(samples, truth)
    assert z.mean() == pytest.approx(-0.3 / 0.5, abs=3.5 * 2 / np.sqrt(2000))
    assert z.std() == pytest.approx(1 / 0.5, rel=0.06)


@pytest.mark.parametrize("successes, number", [(5, 10), (1, 40), (39, 40), (700, 1000)])
def test_jeffreys_interval_cuts_equal_tails(successes, number):
    lower, upper = binomial_interval(successes, number, 0.9)
    shape = successes + 0.5, number - successes + 0.5
    assert betainc(*shape, lower) == pytest.approx(0.05)
    assert betainc(*shape, upper) == pytest.approx(0.95)


def test_jeffreys_interval_ends_where_all_or_none_succeed():
    lower, upper = binomial_interval([0, 10, 0], [10, 10, 0])
    np.testing.assert_array_equal(lower[[0, 2]], [0, np.nan])
    np.testing.assert_array_equal(upper[[1, 2]], [1, np.nan])
    assert 0 < upper[0] < 0.2
    assert lower[1] == pytest.approx(1 - upper[0])


def test_lenses_without_truth_or_samples_are_left_out(rng):
    samples, truth = gaussian_posteriors(rng, lenses=50)
    whole = coverage(samples, truth)
    samples = np.concatenate([samples, samples[:2]])
    truth = np.concatenate([truth, truth[:2]])
    samples[50, 3], truth[51] = np.inf, np.nan
    found = coverage(samples, truth)
    assert found.number[0] == 50
    assert found.fraction[0] == whole.fraction[0]
    assert np.isnan(z_scores(samples, truth)[50:]).all()


def test_nothing_usable_gives_no_number():
    found = coverage(np.full((3, 5, 2), np.nan), np.zeros((3, 2)))
    assert np.isnan(found.fraction).all()
    np.testing.assert_array_equal(found.number, [0, 0])


def test_samples_that_are_all_alike_have_no_deviation():
    assert np.isnan(z_scores(np.ones((1, 5, 1)), np.ones((1, 1)))).all()


@pytest.mark.parametrize(
    "samples, truth, message",
    [
        ((4, 5), (4, 5), r"samples must have shape .* got \(4, 5\)"),
        ((4, 1, 2), (4, 2), r"two samples or more, got \(4, 1, 2\)"),
        ((4, 5, 2), (4, 3), r"truth must have shape \(4, 2\) .* got \(4, 3\)"),
    ],
)
def test_shapes_that_do_not_fit_are_refused(samples, truth, message):
    with pytest.raises(ValueError, match=message):
        usable_draws(np.zeros(samples), np.zeros(truth))


@pytest.mark.parametrize("level", [0.0, 1.0, 68])
def test_a_level_that_is_no_fraction_is_refused(level):
    with pytest.raises(ValueError, match=f"level must lie between 0 and 1, got {level}"):
        coverage(np.zeros((2, 3, 1)), np.zeros((2, 1)), level)

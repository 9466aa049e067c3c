"""Effective sample sizes and R-hat."""

from __future__ import annotations

import numpy as np
import pytest

from astrorim.inference.chain_diagnostics import (
    bulk_and_tail_sizes,
    effective_sample_size,
    rank_normalised_r_hat,
    size_and_agreement,
)


def autoregressive(correlation, shape=(4, 4000, 1)):
    noise = np.random.default_rng(5).normal(size=shape)
    draws = noise.copy()
    for step in range(1, shape[1]):
        innovation = np.sqrt(1 - correlation**2) * noise[:, step]
        draws[:, step] = correlation * draws[:, step - 1] + innovation
    return draws


@pytest.mark.parametrize("correlation", [-0.4, 0.0, 0.5, 0.8])
def test_autoregressive_chains_have_their_known_size(correlation):
    draws = autoregressive(correlation)
    bulk, _ = bulk_and_tail_sizes(draws)
    expected = draws[..., 0].size * (1 - correlation) / (1 + correlation)
    # estimated from 16000 draws, whose autocorrelation times scatter by some per cent
    assert bulk[0] == pytest.approx(expected, rel=0.12)


def test_the_smaller_size_is_reported():
    draws = autoregressive(0.3, (4, 500, 2))
    np.testing.assert_array_equal(
        effective_sample_size(draws), np.minimum(*bulk_and_tail_sizes(draws))
    )


def test_neither_depends_on_monotonic_transformations():
    """Rank normalisation; the tails of exp are those of the Gaussian."""
    draws = autoregressive(0.3, (4, 500, 1))
    for measure in (effective_sample_size, rank_normalised_r_hat):
        # the folded draws of R-hat are not monotonic in the draws
        np.testing.assert_allclose(measure(np.exp(draws)), measure(draws), rtol=0.02)


@pytest.mark.parametrize("change", ["location", "width", "drift"])
def test_r_hat_sees_chains_that_disagree(change):
    draws = autoregressive(0.0, (4, 500, 1))
    assert rank_normalised_r_hat(draws)[0] < 1.01
    if change == "location":
        draws[0] += 1
    elif change == "width":
        draws[0] *= 3
    else:
        draws += np.linspace(0, 1.5, 500)[:, None]
    assert rank_normalised_r_hat(draws)[0] > 1.03


def test_a_single_chain_is_compared_by_its_halves():
    draws = autoregressive(0.0, (1, 500, 1))
    assert rank_normalised_r_hat(draws)[0] < 1.02
    draws[:, 250:] += 1
    assert rank_normalised_r_hat(draws)[0] > 1.1


def test_a_chain_that_never_moved_is_worth_nothing():
    draws = autoregressive(0.0, (4, 100, 2))
    draws[2, :, 1] = 0.5
    assert effective_sample_size(draws)[0] > 100
    assert effective_sample_size(draws)[1] == 0
    assert rank_normalised_r_hat(draws)[1] == np.inf


def test_bad_draws_are_refused():
    with pytest.raises(ValueError, match=r"samples must have shape .* got \(4, 3, 1\)"):
        effective_sample_size(np.zeros((4, 3, 1)))
    with pytest.raises(ValueError, match="samples must be finite, got 1 values"):
        rank_normalised_r_hat(np.where(np.arange(20) == 3, np.nan, 1.0).reshape(2, 10, 1))
    with pytest.raises(ValueError, match="samples of one chain must be at least 8 draws"):
        rank_normalised_r_hat(np.arange(6.0).reshape(1, 6, 1))


def test_chains_of_different_densities_are_judged_each_by_itself():
    draws = autoregressive(0.3, (3, 600, 2))
    size, r_hat = size_and_agreement(draws)
    np.testing.assert_array_equal(size, effective_sample_size(draws))
    np.testing.assert_array_equal(r_hat, rank_normalised_r_hat(draws))
    apart = draws + 30 * np.arange(3)[:, None, None]
    assert size_and_agreement(apart)[1].min() > 1.5
    size, r_hat = size_and_agreement(apart, alike=False)
    each = [effective_sample_size(chain[None]) for chain in draws]
    np.testing.assert_allclose(size, np.sum(each, axis=0))
    assert r_hat.max() < 1.05

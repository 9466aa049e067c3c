"""Quantiles of every distribution against its closed form, its limits and its errors."""

from __future__ import annotations

import numpy as np
import pytest
import scipy.stats
import torch

from astrorim_plugins.simulators.distributions import (
    BehindLens,
    Beta,
    Cases,
    Chance,
    Fixed,
    OneOf,
    TruncatedGamma,
    TruncatedNormal,
    TruncatedPoisson,
    Uniform,
    WholeNumber,
)

NUMBER = 10_000

CONTINUOUS = {
    "uniform": (Uniform(-0.3, 1.2), scipy.stats.uniform(-0.3, 1.5)),
    "beta": (Beta(1.6, 3.0), scipy.stats.beta(1.6, 3.0)),
    "stretched beta": (Beta(1.5, 3.0, 0.02, 0.45), scipy.stats.beta(1.5, 3.0, 0.02, 0.43)),
    "normal": (
        TruncatedNormal(130, 25, 80, 180),
        scipy.stats.truncnorm(-2, 2, loc=130, scale=25),
    ),
    "lopsided normal": (
        TruncatedNormal(22.5, 0.8, 21.5, 24.0),
        scipy.stats.truncnorm(-1.25, 1.875, loc=22.5, scale=0.8),
    ),
}
"""Ours and scipy's."""

DISCRETE = {
    "whole number": (WholeNumber(3, 7), dict.fromkeys(range(3, 8), 0.2)),
    "one of": (OneOf(("a", "b", "c"), (0.45, 0.4, 0.15)), {0: 0.45, 1: 0.4, 2: 0.15}),
    "thirds": (OneOf(("a", "b", "c"), (1 / 3,) * 3), dict.fromkeys(range(3), 1 / 3)),
    "chance": (Chance(0.3), {0: 0.7, 1: 0.3}),
    "never": (Chance(0.0), {0: 1.0}),
    "always": (Chance(1.0), {1: 1.0}),
    "poisson": (
        TruncatedPoisson(1.0, 3),
        {k: p / (1 + 1 + 1 / 2 + 1 / 6) for k, p in enumerate((1, 1, 1 / 2, 1 / 6))},
    ),
}
"""Ours and its probabilities."""


@pytest.fixture
def strata(dtype):
    """The middles of 10 000 equal shares of probability."""
    return (torch.arange(NUMBER, dtype=dtype) + 0.5) / NUMBER


@pytest.fixture
def ends(dtype):
    """The smallest and the largest number that a stream gives."""
    return torch.tensor([2.0**-33, 1 - 2.0**-33], dtype=torch.float64).to(dtype)


@pytest.mark.parametrize("ours, theirs", CONTINUOUS.values(), ids=CONTINUOUS)
def test_quantiles_are_those_of_scipy(ours, theirs, strata):
    """Tabulated quantiles are linear between 16 385 exact ones."""
    drawn = ours.quantile(strata)
    torch.testing.assert_close(
        torch.as_tensor(theirs.cdf(drawn.numpy())).to(strata), strata, atol=3e-5, rtol=0
    )


@pytest.mark.parametrize("ours, theirs", CONTINUOUS.values(), ids=CONTINUOUS)
def test_cumulative_probabilities_are_those_of_scipy(ours, theirs):
    low, high = ours.interval
    value = np.linspace(low - 0.1, high + 0.1, 101)
    np.testing.assert_allclose(ours.cdf(value), theirs.cdf(value), rtol=1e-12, atol=1e-14)


def test_truncated_gamma_is_the_gamma_distribution_below_its_limit(strata):
    ours = TruncatedGamma(1.5, 0.02, 0.06)
    redrawn = scipy.stats.gamma(1.5, scale=0.02).rvs(80_000, random_state=5)
    redrawn = redrawn[redrawn <= 0.06]
    assert scipy.stats.ks_2samp(ours.quantile(strata).numpy(), redrawn).pvalue > 1e-3
    np.testing.assert_allclose(
        ours.cdf(ours.quantile(strata).numpy()), strata.numpy(), rtol=0, atol=3e-5
    )
    assert ours.cdf(np.array([-1.0, 0.06, 0.1])).tolist() == [0.0, 1.0, 1.0]


@pytest.mark.parametrize(
    "ours",
    [*(pair[0] for pair in CONTINUOUS.values()), TruncatedGamma(1.5, 0.02, 0.06)],
    ids=[*CONTINUOUS, "gamma"],
)
def test_nothing_piles_up_at_the_limits(ours, ends, strata):
    """The prior version clipped; 57 % of some Einstein radii were one of two numbers."""
    low, high = ours.interval
    drawn = ours.quantile(ends)
    assert float(drawn[0]) >= low
    assert float(drawn[1]) <= high
    span = high - low
    np.testing.assert_allclose(drawn.numpy(), [low, high], atol=5e-3 * span)
    assert len(ours.quantile(strata).unique()) == NUMBER


@pytest.mark.parametrize("ours, expected", DISCRETE.values(), ids=DISCRETE)
def test_numbers_occur_with_their_probabilities(ours, expected, strata):
    value, count = ours.quantile(strata).unique(return_counts=True)
    assert value.tolist() == sorted(expected)
    np.testing.assert_allclose(
        count.numpy() / NUMBER, [expected[k] for k in sorted(expected)], atol=1.01 / NUMBER
    )
    assert ours.discrete


@pytest.mark.parametrize("ours, expected", DISCRETE.values(), ids=DISCRETE)
def test_cumulative_probabilities_step_at_the_numbers(ours, expected):
    for number in range(-1, 9):
        total = sum(p for k, p in expected.items() if k <= number)
        np.testing.assert_allclose(
            ours.cdf(np.array([number, number + 0.9])), total, rtol=1e-12, atol=1e-15
        )


@pytest.mark.parametrize("ours, expected", DISCRETE.values(), ids=DISCRETE)
def test_numbers_stay_between_their_limits(ours, expected, ends):
    low, high = ours.interval
    drawn = ours.quantile(ends)
    assert low <= float(drawn.min()) <= float(drawn.max()) <= high
    assert low <= min(expected)
    assert high >= max(expected)


def test_a_fixed_value_is_always_the_same(strata):
    ours = Fixed(0.02)
    assert ours.interval == (0.02, 0.02)
    assert ours.quantile(strata).unique().tolist() == pytest.approx([0.02])
    assert ours.cdf(np.array([0.01, 0.02, 0.03])).tolist() == [0, 1, 1]
    assert not ours.discrete


def test_each_case_has_its_own_distribution(strata):
    ours = Cases("kind", (Uniform(0, 1), Uniform(10, 12), Fixed(5)))
    kind = torch.arange(NUMBER)[:, None] % 3
    drawn = ours.draw(strata[:, None], {"kind": kind})
    assert ours.interval == (0, 12)
    for number, case in enumerate(ours.cases):
        chosen = kind == number
        torch.testing.assert_close(drawn[chosen], case.quantile(strata[:, None][chosen]))


def test_cases_are_discrete_if_all_of_them_are():
    assert Cases("kind", (Chance(0.7), Chance(0))).discrete
    assert not Cases("kind", (Chance(0.7), Fixed(1))).discrete


def test_sources_are_uniform_behind_their_lens(strata):
    ours = BehindLens(0.05, 0.6, 3.5)
    z_lens = torch.full_like(strata, 0.9)
    z_lens[::2] = 0.2
    drawn = ours.draw(strata, {"z_lens": z_lens})
    for lens, low in ((0.2, 0.6), (0.9, 0.95)):
        chosen = z_lens == lens
        torch.testing.assert_close(drawn[chosen], low + (3.5 - low) * strata[chosen])
    assert ours.interval == (0.6, 3.5)


@pytest.mark.parametrize(
    "ours",
    [
        *(pair[0] for pair in (CONTINUOUS | DISCRETE).values()),
        Fixed(1),
        TruncatedGamma(1, 1, 2),
    ],
    ids=str,
)
def test_draws_do_not_depend_on_what_was_drawn_before(ours, strata):
    assert torch.equal(ours.draw(strata[:, None], {}), ours.quantile(strata[:, None]))


@pytest.mark.parametrize(
    "ours, text",
    [
        (Uniform(0.25, 0.7), "U(0.25, 0.7)"),
        (Fixed(0.5), "0.5"),
        (WholeNumber(1, 4), "{1..4}"),
        (OneOf(("near", "far"), (0.28, 0.72)), "near 0.28, far 0.72"),
        (Chance(0.7), "1 with P = 0.7"),
        (TruncatedPoisson(1.4, 6), "Poisson(1.4), at most 6"),
        (TruncatedNormal(130, 25, 80, 180), "N(130, 25) in [80, 180]"),
        (Beta(1.5, 3.0), "Beta(1.5, 3)"),
        (Beta(1.5, 3.0, 0.02, 0.45), "0.02 + 0.43 Beta(1.5, 3)"),
        (TruncatedGamma(1.5, 0.02, 0.06), "Gamma(1.5, 0.02), at most 0.06"),
        (Cases("kind", (Uniform(0, 1), Fixed(2))), "U(0, 1); 2 (by kind)"),
        (BehindLens(0.05, 0.9, 3.0), "U(max(z_lens + 0.05, 0.9), 3)"),
        (BehindLens(0.1, 0.0, 2.5), "U(z_lens + 0.1, 2.5)"),
    ],
    ids=lambda value: value if isinstance(value, str) else type(value).__name__,
)
def test_distributions_read_as_they_are_written(ours, text):
    assert str(ours) == text


@pytest.mark.parametrize("probabilities", [(0.5, 0.4), (0.5, 0.25, 0.25)])
def test_probabilities_must_fit_the_names(probabilities):
    with pytest.raises(ValueError, match=r"one for each name and sum to one, got \(0\.5"):
        OneOf(("near", "far"), probabilities)


def test_what_depends_on_other_draws_has_no_quantile(strata):
    cases = Cases("kind", (Uniform(0, 1), Uniform(1, 2)))
    with pytest.raises(TypeError, match="must be drawn with 'kind' given"):
        cases.quantile(strata)
    with pytest.raises(TypeError, match="a cdf for each case of 'kind' only"):
        cases.cdf(strata.numpy())
    behind = BehindLens(0.05, 0.9, 3.0)
    with pytest.raises(TypeError, match="must be drawn with z_lens given"):
        behind.quantile(strata)
    with pytest.raises(TypeError, match="no cdf without the lens' redshift"):
        behind.cdf(strata.numpy())

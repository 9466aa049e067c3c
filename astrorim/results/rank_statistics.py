r"""Simulation-based calibration: ranks of the truths among posterior samples.

If truths are drawn from the prior, data from the truths, and samples from the exact
posterior, the rank of a truth among S independent samples is uniform on 0, ..., S (Talts et
al. 2018, arXiv:1804.06788, theorem 1). Whether ranks of many lenses are uniform is judged by
their empirical distribution function with the simultaneous bands of Saeilynoja, Buerkner &
Vehtari (2022, Statistics and Computing 32, 32, section 2; arXiv:2103.10522).
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy.stats import binom

from astrorim.results.coverage import usable_draws

__all__ = ["RankStatistics", "rank_statistics", "uniformity_band"]

_GRID = np.arange(1, 100) / 100
_NUM_SIMULATIONS = 4000


@dataclass(frozen=True, eq=False)
class RankStatistics:
    """Ranks of truths, and how far they are from uniform.

    Parameters
    ----------
    rank : ndarray, (L, P), int
        Number of samples below the truth; -1 where a lens cannot be used.
    num_draws : ndarray, (L, P), int
        Number of samples that the truth was ranked among, after thinning; 0 where a lens
        cannot be used.
    fractional : ndarray, (L, P)
        Rank between 0 and 1, uniform for exact posteriors; NaN where a lens cannot be used.
    p_value : ndarray, (P,)
        Probability that the ranks of exact posteriors deviate as much; NaN without lenses.
    grid : ndarray, (K,)
        Where the distribution function is evaluated.
    difference : ndarray, (K, P)
        Empirical distribution function of ``fractional`` minus that of uniform ranks.
    lower, upper : ndarray, (K, P)
        Band that the difference of exact posteriors leaves nowhere, with probability
        ``confidence``.
    confidence : float
        Probability of the band.
    """

    rank: np.ndarray
    num_draws: np.ndarray
    fractional: np.ndarray
    p_value: np.ndarray
    grid: np.ndarray
    difference: np.ndarray
    lower: np.ndarray
    upper: np.ndarray
    confidence: float


def rank_statistics(
    samples: np.ndarray,
    truth: np.ndarray,
    *,
    effective_size: np.ndarray | None = None,
    confidence: float = 0.95,
    seed: int = 0,
) -> RankStatistics:
    r"""Rank each truth among its posterior samples, and test whether ranks are uniform.

    Samples that depend on each other give U-shaped ranks even where the posterior is exact
    (Talts et al. 2018, section 5). Where an effective size n is given, n samples, evenly
    spaced, are kept. As lenses then differ in the number K of samples, ranks r are compared
    as :math:`(r + u) / (K + 1)`, u uniform between 0 and 1, which for exact posteriors is
    uniform for any K. Truths equal to some samples get a random one of the possible ranks.

    Parameters
    ----------
    samples : ndarray, (L, S, P), any units
        Posterior samples of L lenses, neighbours in a chain beside each other.
    truth : ndarray, (L, P), the same units
        True parameters. A lens is left out of a parameter where its truth or one of its
        samples is not finite.
    effective_size : ndarray, (L, P), optional
        Number of independent samples that the S samples are worth; S where it is NaN or
        left out, and at least 1.
    confidence : float, optional
        Probability of the band.
    seed : int, optional
        Of the random numbers.

    Returns
    -------
    RankStatistics

    Raises
    ------
    ValueError
        If the shapes do not fit or ``confidence`` is not between 0 and 1.
    """
    samples, truth, usable = usable_draws(samples, truth)
    rng = np.random.default_rng(seed)
    num_lenses, size, num_parameters = samples.shape
    if effective_size is None:
        below, equal = _counts(samples, truth)
        draws = np.full(truth.shape, size)
    else:
        effective = np.asarray(effective_size, dtype=float)
        if effective.shape != truth.shape:
            raise ValueError(
                f"effective_size must have the shape {truth.shape} of the truths, got "
                f"{effective.shape}"
            )
        effective = np.where(np.isfinite(effective), effective, size)
        draws = np.clip(effective, 1, size).astype(int)
        below, equal = np.zeros(truth.shape, int), np.zeros(truth.shape, int)
        for lens, column in np.ndindex(num_lenses, num_parameters):
            kept = draws[lens, column]
            places = ((np.arange(kept) + 0.5) * size / kept).astype(int)
            chain = samples[lens, places, column]
            below[lens, column] = (chain < truth[lens, column]).sum()
            equal[lens, column] = (chain == truth[lens, column]).sum()
    rank = below + rng.integers(equal + 1)
    fractional = (rank + rng.uniform(size=rank.shape)) / (draws + 1)

    p_value = np.full(num_parameters, np.nan)
    difference = np.full((len(_GRID), num_parameters), np.nan)
    lower, upper = difference.copy(), difference.copy()
    for number in np.unique(usable.sum(axis=0)):
        if number == 0:
            continue
        columns = np.flatnonzero(usable.sum(axis=0) == number)
        simulated, low, high = uniformity_band(int(number), confidence=confidence, seed=seed)
        lower[:, columns], upper[:, columns] = low[:, None], high[:, None]
        for column in columns:
            values = np.sort(fractional[usable[:, column], column])
            counts = np.searchsorted(values, _GRID, side="right")
            found = _statistic(counts, int(number))
            p_value[column] = (1 + (simulated <= found).sum()) / (1 + len(simulated))
            difference[:, column] = counts / number - _GRID
    return RankStatistics(
        rank=np.where(usable, rank, -1),
        num_draws=np.where(usable, draws, 0),
        fractional=np.where(usable, fractional, np.nan),
        p_value=p_value,
        grid=_GRID,
        difference=difference,
        lower=lower,
        upper=upper,
        confidence=confidence,
    )


def _counts(samples: np.ndarray, truth: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Samples below each truth, and equal to it: (L, P)."""
    return (samples < truth[:, None]).sum(axis=1), (samples == truth[:, None]).sum(axis=1)


def _statistic(counts: np.ndarray, number: int) -> np.ndarray:
    r"""Smallest pointwise tail probability of numbers below the grid's points, (..., K).

    :math:`2 \min_i \min(B(R_i), 1 - B(R_i - 1))` with the binomial distribution function B
    of the grid's i-th point and the number :math:`R_i` of ranks below it.
    """
    table = binom.cdf(np.arange(-1, number + 1)[:, None], number, _GRID)
    at = np.arange(len(_GRID))
    tails = np.minimum(table[counts + 1, at], 1 - table[counts, at])
    return 2 * tails.min(axis=-1)


def uniformity_band(
    number: int, *, confidence: float = 0.95, seed: int = 0
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Band of the distribution function of uniform ranks, by simulation.

    Parameters
    ----------
    number : int
        How many ranks.
    confidence : float, optional
        Probability that the function leaves the band nowhere.
    seed : int, optional
        Of the 4000 simulations.

    Returns
    -------
    statistic : ndarray, (4000,)
        Smallest pointwise tail probability of each simulation, for p-values.
    lower, upper : ndarray, (K,)
        Bounds of the empirical distribution function minus the uniform one, at the grid of
        `RankStatistics`.

    Raises
    ------
    ValueError
        If ``confidence`` is not between 0 and 1.
    """
    if not 0 < confidence < 1:
        raise ValueError(f"confidence must lie between 0 and 1, got {confidence}")
    bins = len(_GRID) + 1
    rng = np.random.default_rng(seed)
    drawn = rng.multinomial(number, np.full(bins, 1 / bins), size=_NUM_SIMULATIONS)
    simulated = _statistic(drawn.cumsum(axis=1)[:, :-1], number)
    tail = 0.5 * np.quantile(simulated, 1 - confidence)
    scale = max(number, 1)
    lower = binom.ppf(tail, number, _GRID) / scale - _GRID
    upper = binom.ppf(1 - tail, number, _GRID) / scale - _GRID
    return simulated, lower, upper

"""Coverage of the joint posterior by tests of accuracy with random points (TARP)."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy.stats import kstest

from astrorim.results.coverage import usable_draws

__all__ = ["TARPCoverage", "tarp_coverage"]

_LEVELS = np.linspace(0, 1, 101)
_NUM_BOOTSTRAPS = 500
_RANGES = (0.01, 0.16, 0.84, 0.99)


@dataclass(frozen=True, eq=False)
class TARPCoverage:
    """Expected coverage of credible regions about random points.

    Parameters
    ----------
    level : ndarray, (K,)
        Credibility of the regions, from 0 to 1.
    fraction : ndarray, (K,)
        Fraction of truths inside; ``level`` for exact posteriors. NaN without lenses.
    lower, upper : ndarray, (K,)
        Bounds of ``fraction`` at each level when the lenses are drawn anew (bootstrap).
    confidence : float
        Probability between the bounds.
    largest_deviation : float
        Largest distance between ``fraction`` and ``level``, at any level.
    p_value : float
        Probability that exact posteriors deviate as much (Kolmogorov-Smirnov).
    number : int
        Lenses used.
    """

    level: np.ndarray
    fraction: np.ndarray
    lower: np.ndarray
    upper: np.ndarray
    confidence: float
    largest_deviation: float
    p_value: float
    number: int


def tarp_coverage(
    samples: np.ndarray,
    truth: np.ndarray,
    *,
    references: np.ndarray | None = None,
    confidence: float = 0.95,
    seed: int = 0,
) -> TARPCoverage:
    r"""Test the joint posterior of all parameters with random reference points.

    For each lens, f is the fraction of samples that lie closer to its reference point than
    the truth does; if posteriors are exact, f is uniform, and a fraction :math:`\alpha` of
    the lenses has :math:`f < \alpha` (Lemos, Coogan, Hezaveh & Perreault-Levasseur 2023,
    PMLR 202, 19256, section 3). Distances are Euclidean in parameters divided by half the
    range of their central 68 %; with k of S samples closer, f is :math:`(k + u) / (S + 1)`,
    u uniform between 0 and 1, exact for any S. Ranges are those of all lenses' samples and
    truths together, in which an exact posterior's truth cannot be told from its samples.

    Reference points that do not depend on the data cannot tell an exact posterior from the
    prior: calibrated does not mean narrow. A lens is left out if its truth or a sample is not
    finite in any parameter that some lens has.

    Parameters
    ----------
    samples : ndarray, (L, S, P), any units
        Posterior samples of L lenses, independent of each other.
    truth : ndarray, (L, P), the same units
        True parameters.
    references : ndarray, (L, P), the same units, optional
        Reference points, which must not depend on the truths; drawn uniformly from the
        range of the central 98 % by default.
    confidence : float, optional
        Probability between the bounds.
    seed : int, optional
        Of the random numbers.

    Returns
    -------
    TARPCoverage

    Raises
    ------
    ValueError
        If the shapes do not fit or ``confidence`` is not between 0 and 1.
    """
    if not 0 < confidence < 1:
        raise ValueError(f"confidence must lie between 0 and 1, got {confidence}")
    samples, truth, usable = usable_draws(samples, truth)
    if references is not None and np.shape(references) != truth.shape:
        raise ValueError(
            f"references must have the shape {truth.shape} of the truths, got "
            f"{np.shape(references)}"
        )
    used = usable.any(axis=0)
    kept = usable[:, used].all(axis=1) & used.any()
    samples, truth = samples[kept][:, :, used], truth[kept][:, used]
    number, size = samples.shape[:2]
    if number == 0:
        nothing = np.full(len(_LEVELS), np.nan)
        return TARPCoverage(
            _LEVELS, nothing, nothing, nothing, confidence, np.nan, np.nan, number=0
        )
    rng = np.random.default_rng(seed)
    pooled = np.concatenate([samples, truth[:, None]], axis=1).reshape(-1, truth.shape[1])
    least, low, high, most = np.quantile(pooled, _RANGES, axis=0)
    if references is None:
        points = rng.uniform(least, most, size=truth.shape)
    else:
        points = np.asarray(references, dtype=float)[kept][:, used]
    # values that are all alike are not scaled: nothing says what a large distance is
    scale = np.where(high > low, (high - low) / 2, 1.0)
    to_truth = (((truth - points) / scale) ** 2).sum(axis=1)
    to_samples = (((samples - points[:, None]) / scale) ** 2).sum(axis=2)
    closer = (to_samples < to_truth[:, None]).sum(axis=1)
    closer += rng.integers((to_samples == to_truth[:, None]).sum(axis=1) + 1)
    f = (closer + rng.uniform(size=number)) / (size + 1)

    below = f[:, None] <= _LEVELS
    weights = rng.multinomial(number, np.full(number, 1 / number), size=_NUM_BOOTSTRAPS)
    resampled = weights @ below / number
    lower, upper = np.quantile(resampled, [0.5 - confidence / 2, 0.5 + confidence / 2], axis=0)
    test = kstest(f, "uniform")
    return TARPCoverage(
        level=_LEVELS,
        fraction=below.mean(axis=0),
        lower=lower,
        upper=upper,
        confidence=confidence,
        largest_deviation=float(test.statistic),
        p_value=float(test.pvalue),
        number=number,
    )

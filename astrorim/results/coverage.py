"""How often truths lie inside the intervals of posterior samples, and how far from the means.

Angles, ellipticities and shears are judged by component, as networks and optimisers use them;
components have no seam.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike
from scipy.stats import beta

__all__ = ["Coverage", "binomial_interval", "coverage", "usable_draws", "z_scores"]


@dataclass(frozen=True, eq=False)
class Coverage:
    """Fractions of truths inside central intervals, with their sampling errors.

    Parameters
    ----------
    level : ndarray, (...)
        What the fraction should be.
    fraction : ndarray, (..., P)
        Fraction of truths inside; NaN for a parameter without usable lenses.
    lower, upper : ndarray, (..., P)
        Jeffreys interval of each fraction that holds 68.27 % (one standard error).
    number : ndarray, (P,), int
        Usable lenses for each parameter.
    """

    level: np.ndarray
    fraction: np.ndarray
    lower: np.ndarray
    upper: np.ndarray
    number: np.ndarray


def usable_draws(
    samples: np.ndarray, truth: np.ndarray
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Check samples and truths, and say which of them can be used.

    Parameters
    ----------
    samples : ndarray, (L, S, P), any units
        S posterior samples of P parameters for each of L lenses.
    truth : ndarray, (L, P), the same units
        True parameters.

    Returns
    -------
    samples : ndarray, (L, S, P)
        Zero where not usable.
    truth : ndarray, (L, P)
        Zero where not usable.
    usable : ndarray, (L, P), bool
        Where the truth and all samples are finite.

    Raises
    ------
    ValueError
        If the shapes do not fit, or there are fewer than two samples.
    """
    samples, truth = np.asarray(samples, dtype=float), np.asarray(truth, dtype=float)
    if samples.ndim != 3 or samples.shape[1] < 2:
        raise ValueError(
            "samples must have shape (lenses, samples, parameters) with two samples or more, "
            f"got {samples.shape}"
        )
    if truth.shape != (samples.shape[0], samples.shape[2]):
        raise ValueError(
            f"truth must have shape {(samples.shape[0], samples.shape[2])} to go with samples "
            f"of shape {samples.shape}, got {truth.shape}"
        )
    usable = np.isfinite(samples).all(axis=1) & np.isfinite(truth)
    return np.where(usable[:, None], samples, 0.0), np.where(usable, truth, 0.0), usable


def binomial_interval(
    successes: ArrayLike, number: ArrayLike, confidence: float = 0.6827
) -> tuple[np.ndarray, np.ndarray]:
    r"""Jeffreys interval of a binomial fraction.

    With k successes of n, the quantiles :math:`(1 \mp C) / 2` of the Beta distribution of
    :math:`k + \frac12` and :math:`n - k + \frac12`; the lower bound is 0 where k = 0 and the
    upper one 1 where k = n (Brown, Cai & DasGupta 2001, Statistical Science 16, 101,
    section 3).

    Parameters
    ----------
    successes, number : array-like, (...), int
        k and n.
    confidence : float, optional
        C, the probability inside; one standard error by default.

    Returns
    -------
    lower, upper : ndarray, (...)
        NaN where n is 0.
    """
    k, n = np.broadcast_arrays(
        np.asarray(successes, dtype=float), np.asarray(number, dtype=float)
    )
    tail = 0.5 * (1 - confidence)
    lower = np.where(k == 0, 0.0, beta.ppf(tail, k + 0.5, n - k + 0.5))
    upper = np.where(k == n, 1.0, beta.ppf(1 - tail, k + 0.5, n - k + 0.5))
    return np.where(n > 0, lower, np.nan), np.where(n > 0, upper, np.nan)


def coverage(
    samples: np.ndarray, truth: np.ndarray, level: float | np.ndarray = 0.68
) -> Coverage:
    r"""Fraction of the lenses whose truth lies inside the central posterior interval.

    The interval of level p lies between the quantiles :math:`(1 \mp p) / 2` of the samples.
    Of S samples the k-th smallest one is taken for the quantile :math:`k / (S + 1)`, its
    expectation (Weibull's rule), so that the samples' finite number does not narrow the
    intervals, up to the level :math:`1 - 2 / (S + 1)`; beyond, the interval is that of the
    extreme samples.

    Parameters
    ----------
    samples : ndarray, (L, S, P), any units
        Posterior samples of L lenses.
    truth : ndarray, (L, P), the same units
        True parameters. A lens is left out of a parameter's fraction where its truth or one
        of its samples is not finite.
    level : float or ndarray, (...), optional
        Level of the interval; several give a coverage curve.

    Returns
    -------
    Coverage

    Raises
    ------
    ValueError
        If the shapes do not fit or a level is not between 0 and 1.
    """
    levels = np.asarray(level, dtype=float)
    if not ((levels > 0) & (levels < 1)).all():
        raise ValueError(f"level must lie between 0 and 1, got {level}")
    samples, truth, usable = usable_draws(samples, truth)
    tails = np.stack([0.5 - levels / 2, 0.5 + levels / 2])
    low, high = np.quantile(samples, tails, axis=1, method="weibull")
    inside = ((low <= truth) & (truth <= high) & usable).sum(axis=-2)
    number = usable.sum(axis=0)
    fraction = inside / np.where(number > 0, number, np.nan)
    lower, upper = binomial_interval(inside, number)
    return Coverage(levels, fraction, lower, upper, number)


def z_scores(samples: np.ndarray, truth: np.ndarray) -> np.ndarray:
    r"""Deviations of the truths from the posterior means, in posterior standard deviations.

    :math:`z = (\theta_\mathrm{true} - \bar\theta) / \sigma`; over many lenses its mean is 0
    and its standard deviation near 1 (1 for Gaussian posteriors) where posteriors are right.

    Parameters
    ----------
    samples : ndarray, (L, S, P), any units
        Posterior samples of L lenses.
    truth : ndarray, (L, P), the same units
        True parameters.

    Returns
    -------
    ndarray, (L, P)
        NaN where the truth or a sample is not finite, or the samples are all alike.
    """
    samples, truth, usable = usable_draws(samples, truth)
    spread = samples.std(axis=1, ddof=1)
    good = usable & (spread > 0)
    deviation = truth - samples.mean(axis=1)
    return np.where(good, deviation / np.where(good, spread, 1.0), np.nan)

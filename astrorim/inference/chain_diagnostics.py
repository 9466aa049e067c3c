"""How many independent draws Markov chains are worth, and whether they agree.

Both follow Vehtari, Gelman, Simpson, Carpenter & Burkner (2021, Bayesian Analysis 16, 667):
effective sample sizes of bulk and tails (their section 4) and the rank-normalised split R-hat
(section 3), as computed by `arviz-stats <https://python.arviz.org/projects/stats>`_, which
counts draws that never change as independent ones; here they count as none.
"""

from __future__ import annotations

import numpy as np

__all__ = [
    "bulk_and_tail_sizes",
    "effective_sample_size",
    "rank_normalised_r_hat",
    "size_and_agreement",
]

_LEAST_DRAWS = 4
_TAILS = (0.05, 0.95)


def _checked(samples: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """The draws (P, C, S), and for which parameters every chain moved, (P,)."""
    samples = np.asarray(samples, dtype=float)
    if samples.ndim != 3 or samples.shape[1] < _LEAST_DRAWS:
        raise ValueError(
            f"samples must have shape (C, S, P) with S at least {_LEAST_DRAWS}, "
            f"got {samples.shape}; put chains first and parameters last"
        )
    if not np.isfinite(samples).all():
        raise ValueError(
            f"samples must be finite, got {int((~np.isfinite(samples)).sum())} values that "
            "are not; leave those parameters out"
        )
    return np.moveaxis(samples, 2, 0), (np.ptp(samples, axis=1) > 0).all(axis=0)


def bulk_and_tail_sizes(samples: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Effective sample sizes for medians and means, and for 5 % and 95 % quantiles.

    Parameters
    ----------
    samples : ndarray, (C, S, P), any unit
        S draws of each of C chains, at least 4.

    Returns
    -------
    bulk : ndarray, (P,)
        Of the rank-normalised draws; more than C S where draws are antithetic.
    tail : ndarray, (P,)
        The smaller one of the two quantiles' sizes. Both are 0 for a parameter that some
        chain has never changed.

    Raises
    ------
    ValueError
        If the shape is another or a draw is not finite.
    """
    from arviz_stats.base import array_stats

    draws, moved = _checked(samples)
    bulk, tail = np.zeros(len(draws)), np.zeros(len(draws))
    for index in np.flatnonzero(moved):
        axes = {"chain_axis": 0, "draw_axis": 1}
        bulk[index] = array_stats.ess(draws[index], method="bulk", **axes)
        tail[index] = array_stats.ess(draws[index], method="tail", prob=_TAILS, **axes)
    return bulk, tail


def effective_sample_size(samples: np.ndarray) -> np.ndarray:
    """The smaller one of the bulk and tail effective sample sizes.

    Parameters
    ----------
    samples : ndarray, (C, S, P), any unit
        As for `bulk_and_tail_sizes`.

    Returns
    -------
    ndarray, (P,)
        Number of independent draws with the same errors.
    """
    return np.minimum(*bulk_and_tail_sizes(samples))


def rank_normalised_r_hat(samples: np.ndarray) -> np.ndarray:
    """Rank-normalised split R-hat, the larger one of locations and widths.

    Parameters
    ----------
    samples : ndarray, (C, S, P), any unit
        As for `bulk_and_tail_sizes`. A single chain is compared by its halves alone.

    Returns
    -------
    ndarray, (P,)
        1 where chains agree, below 1.01 by custom; infinite for a parameter that some chain
        has never changed.

    Raises
    ------
    ValueError
        If the shape is another or a draw is not finite.
    """
    from arviz_stats.base import array_stats

    draws, moved = _checked(samples)
    if draws.shape[1] == 1:
        # arviz-stats asks for two chains, though it splits them itself
        half = draws.shape[2] // 2
        if half < _LEAST_DRAWS:
            raise ValueError(
                f"samples of one chain must be at least {2 * _LEAST_DRAWS} draws, "
                f"got {draws.shape[2]}; draw more"
            )
        draws = np.concatenate([draws[:, :, :half], draws[:, :, -half:]], axis=1)
    r_hat = np.full(len(draws), np.inf)
    for index in np.flatnonzero(moved):
        r_hat[index] = array_stats.rhat(draws[index], chain_axis=0, draw_axis=1)
    return r_hat


def size_and_agreement(
    samples: np.ndarray, *, alike: bool = True
) -> tuple[np.ndarray, np.ndarray]:
    """Effective sample size and R-hat, of chains of one density or each of its own.

    Parameters
    ----------
    samples : ndarray, (C, S, P), any unit
        As for `bulk_and_tail_sizes`.
    alike : bool, optional
        Whether all chains have the same density. Otherwise the samples are of the mixture
        of their densities, the size is the sum over chains, and R-hat the largest of the
        chains', each by its halves.

    Returns
    -------
    size, r_hat : ndarray, (P,)
    """
    if alike:
        return effective_sample_size(samples), rank_normalised_r_hat(samples)
    sizes = [effective_sample_size(chain[None]) for chain in samples]
    return np.sum(sizes, axis=0), np.max(
        [rank_normalised_r_hat(chain[None]) for chain in samples], axis=0
    )

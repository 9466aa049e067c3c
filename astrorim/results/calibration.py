"""Whether posteriors of many lenses with known truths mean what they say."""

from __future__ import annotations

import textwrap
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from astropy.table import Table
from scipy.stats import binomtest

from astrorim.results.coverage import Coverage, coverage, usable_draws, z_scores
from astrorim.results.rank_statistics import RankStatistics, rank_statistics
from astrorim.results.tarp import TARPCoverage, tarp_coverage

__all__ = ["CalibrationReport", "measure_calibration"]

_CURVE_LEVELS = np.linspace(0.02, 0.98, 49)
_OUTER_LEVEL = 0.95
_HEAVY_TAILED = 1.5  # standard deviation of z over its 68 % half-width
_SIGNIFICANCE = 0.05
_BIASED = 3.0  # standard errors of the mean deviation
_ONE_SIGMA = 0.6827
_LEGEND = (
    "inside: truths in the central interval, with the Jeffreys interval that holds "
    "68 %; z: (truth - posterior mean) / posterior standard deviation; widen by: factor on the "
    "widths for 68 % of |z| to be below 1; p(ranks): of exact posteriors, by simulation-based "
    "calibration. Where it, or the p-value of the outer interval, is below {significance:g} / "
    "{number} the verdict says what is wrong. "
    "Consistent means that so few lenses show no fault."
)
_NOT_FINITE = "a truth or a sample is not finite"


@dataclass(frozen=True, eq=False)
class CalibrationReport:
    """Coverage, ranks and deviations of the posteriors of many lenses.

    Parameters
    ----------
    names : tuple of str
        The P parameters.
    num_lenses : int
        L, those that failed among them.
    failures : mapping of int to str
        Position of each lens without a usable posterior, and why.
    coverage : Coverage
        At one level, (P,).
    outer : Coverage
        At 95 %, or what the number of samples allows, (P,): whether the tails are right.
    curve : Coverage
        At many levels, (K, P).
    z_mean, z_std : ndarray, (P,)
        Mean and standard deviation of (truth - posterior mean) / posterior standard
        deviation; 0 and, for Gaussians, 1 where posteriors are right.
    z_mean_error, z_std_error : ndarray, (P,)
        Their standard errors, for Gaussians.
    width_factor : ndarray, (P,)
        Factor on the posterior widths for which 68.27 % of the truths would lie within one
        standard deviation of the mean: what
        `~astrorim.inference.measure_error_factors` makes 1 on its own lenses.
    ranks : RankStatistics
        Ranks of the truths.
    tarp : TARPCoverage
        Coverage of all parameters together.
    meta : mapping of str to object, optional
        What was measured and how; written into tables.
    """

    names: tuple[str, ...]
    num_lenses: int
    failures: Mapping[int, str]
    coverage: Coverage
    outer: Coverage
    curve: Coverage
    z_mean: np.ndarray
    z_mean_error: np.ndarray
    z_std: np.ndarray
    z_std_error: np.ndarray
    width_factor: np.ndarray
    ranks: RankStatistics
    tarp: TARPCoverage
    meta: Mapping[str, Any] = field(default_factory=dict)

    @property
    def outer_p_value(self) -> np.ndarray:
        """Probability that exact posteriors' outer coverage deviates as much; (P,).

        Two-sided binomial test; NaN for a parameter without lenses.
        """
        found = self.outer
        return np.array(
            [
                binomtest(round(fraction * number), int(number), float(found.level)).pvalue
                if number > 0
                else np.nan
                for fraction, number in zip(found.fraction, found.number, strict=True)
            ]
        )

    @property
    def verdicts(self) -> dict[str, str]:
        """Each parameter's verdict in words.

        Each parameter has two tests: of its ranks, and of the binomial number of truths
        inside the outer interval. It is ``"consistent"`` with exact posteriors if both
        p-values, times the number of tests (Bonferroni), are above 0.05. Else it is
        ``"too narrow"`` or ``"too wide"`` by its coverage, ``"biased"`` by its mean
        deviation, has ``"outliers"`` if the standard deviation of z exceeds 1.5 times the
        width factor (1 for Gaussians), or, where none of these is evident, ``"not exact"``.
        ``"no lens"`` where nothing could be measured.
        """
        verdicts = {}
        for column, name in enumerate(self.names):
            p_value = self.ranks.p_value[column]
            if np.isnan(p_value):
                verdicts[name] = "no lens"
                continue
            p_value = min(p_value, self.outer_p_value[column])
            if p_value * 2 * len(self.names) > _SIGNIFICANCE:
                verdicts[name] = "consistent"
                continue
            words = []
            if self.coverage.upper[column] < self.coverage.level:
                words.append("too narrow")
            if self.coverage.lower[column] > self.coverage.level:
                words.append("too wide")
            if abs(self.z_mean[column]) > _BIASED * self.z_mean_error[column]:
                words.append("biased")
            if self.z_std[column] > _HEAVY_TAILED * self.width_factor[column]:
                words.append("outliers")
            verdicts[name] = ", ".join(words) or "not exact"
        return verdicts

    def to_table(self) -> Table:
        """One row for each parameter, the joint test and failures in ``meta``.

        Returns
        -------
        `~astropy.table.Table`
            Can be written to ECSV.
        """
        verdicts = self.verdicts
        columns = {
            "parameter": list(self.names),
            "number": self.coverage.number,
            "coverage": self.coverage.fraction,
            "coverage_lower": self.coverage.lower,
            "coverage_upper": self.coverage.upper,
            "outer_coverage": self.outer.fraction,
            "outer_coverage_lower": self.outer.lower,
            "outer_coverage_upper": self.outer.upper,
            "z_mean": self.z_mean,
            "z_mean_error": self.z_mean_error,
            "z_std": self.z_std,
            "z_std_error": self.z_std_error,
            "width_factor": self.width_factor,
            "outer_p_value": self.outer_p_value,
            "rank_p_value": self.ranks.p_value,
            "verdict": [verdicts[name] for name in self.names],
        }
        facts = {
            "level": float(self.coverage.level),
            "outer_level": float(self.outer.level),
            "coverage_error": "Jeffreys interval of 68.27 %",
            "num_lenses": self.num_lenses,
            "num_failed": len(self.failures),
            "failures": {str(number): reason for number, reason in self.failures.items()},
            "tarp_largest_deviation": self.tarp.largest_deviation,
            "tarp_p_value": self.tarp.p_value,
            "tarp_number": self.tarp.number,
        }
        return Table(columns, meta={**self.meta, **facts})

    def ranks_table(self) -> Table:
        """Rank of each lens' truth in each parameter.

        Returns
        -------
        `~astropy.table.Table`
            Columns ``lens``, ``NAME_rank`` and ``NAME_draws``: the number of samples below
            the truth, and how many there are; -1 and 0 where a lens has none.
        """
        columns: dict[str, np.ndarray] = {"lens": np.arange(self.num_lenses)}
        for column, name in enumerate(self.names):
            columns[f"{name}_rank"] = self.ranks.rank[:, column]
            columns[f"{name}_draws"] = self.ranks.num_draws[:, column]
        return Table(columns, meta=dict(self.meta))

    def summary(self) -> str:
        """The report as text, one line for each parameter.

        Returns
        -------
        str
        """
        level, outer_level = 100 * float(self.coverage.level), 100 * float(self.outer.level)
        used = self.num_lenses - len(self.failures)
        head = (
            f"{'parameter':24s} {'number':>6s} {f'inside {level:g} %':>17s} "
            f"{f'inside {outer_level:.3g} %':>17s} {'z mean':>13s} {'z std':>13s} "
            f"{'widen by':>8s} {'p(ranks)':>8s}  verdict"
        )
        counts = f"{used} with posteriors, {len(self.failures)} failed"
        lines = [f"{self.num_lenses} lenses, {counts}", "", head]
        verdicts = self.verdicts
        for i, name in enumerate(self.names):
            inside, outer = (
                f"{100 * found.fraction[i]:.0f} % "
                f"({100 * found.lower[i]:.0f} to {100 * found.upper[i]:.0f})"
                for found in (self.coverage, self.outer)
            )
            mean = f"{self.z_mean[i]:+.2f} ± {self.z_mean_error[i]:.2f}"
            std = f"{self.z_std[i]:.2f} ± {self.z_std_error[i]:.2f}"
            lines.append(
                f"{name:24s} {self.coverage.number[i]:6d} {inside:>17s} {outer:>17s} "
                f"{mean:>13s} {std:>13s} {self.width_factor[i]:8.2f} "
                f"{self.ranks.p_value[i]:8.2g}  {verdicts[name]}"
            )
        joint = (
            f"all parameters together (TARP, {self.tarp.number} lenses): largest deviation "
            f"{self.tarp.largest_deviation:.3f}, p = {self.tarp.p_value:.2g}"
        )
        legend = _LEGEND.format(significance=_SIGNIFICANCE, number=2 * len(self.names))
        lines += ["", joint, "", *textwrap.wrap(legend, 92)]
        if self.failures:
            lines += ["", "failed:"]
            lines += [f"  lens {n}: {reason}" for n, reason in self.failures.items()]
        return "\n".join(lines) + "\n"


def measure_calibration(
    samples: np.ndarray,
    truth: np.ndarray,
    names: Sequence[str],
    *,
    level: float = 0.68,
    effective_size: np.ndarray | None = None,
    failures: Mapping[int, str] | None = None,
    seed: int = 0,
    meta: Mapping[str, Any] | None = None,
) -> CalibrationReport:
    """Compare posterior samples of many lenses with the truths.

    Parameters
    ----------
    samples : ndarray, (L, S, P), any units
        Posterior samples of L lenses; NaN where a lens has none.
    truth : ndarray, (L, P), the same units
        True parameters; NaN where a lens does not have the parameter.
    names : sequence of str
        Names of the P parameters.
    level : float, optional
        Level of the interval that is reported.
    effective_size : ndarray, (L, P), optional
        Number of independent samples that the S samples are worth; see `rank_statistics`.
    failures : mapping of int to str, optional
        Why lenses have no posterior, by their position.
    seed : int, optional
        Of the random numbers of ranks, reference points and bands.
    meta : mapping of str to object, optional
        What was measured and how.

    Returns
    -------
    CalibrationReport

    Raises
    ------
    ValueError
        If the shapes do not fit or ``level`` is not between 0 and 1.
    """
    usable = usable_draws(samples, truth)[2]
    if len(names) != usable.shape[1]:
        raise ValueError(
            f"names must be those of {usable.shape[1]} parameters, got {', '.join(names)}"
        )
    given = failures or {}
    # the extreme ones of S samples are the interval of level (S - 1) / (S + 1)
    size = np.shape(samples)[1]
    outer_level = min(_OUTER_LEVEL, (size - 1) / (size + 1))
    lost = sorted({*np.flatnonzero(~usable.any(axis=1)).tolist(), *given})
    z = np.ma.masked_invalid(z_scores(samples, truth))
    number = np.where(z.count(axis=0) > 1, z.count(axis=0), np.nan)
    spread = np.ma.filled(z.std(axis=0, ddof=1), np.nan)
    return CalibrationReport(
        names=tuple(names),
        num_lenses=len(usable),
        failures={lens: given.get(lens, _NOT_FINITE) for lens in lost},
        coverage=coverage(samples, truth, level),
        outer=coverage(samples, truth, outer_level),
        curve=coverage(samples, truth, _CURVE_LEVELS),
        z_mean=np.ma.filled(z.mean(axis=0), np.nan),
        z_mean_error=spread / np.sqrt(number),
        z_std=spread,
        z_std_error=spread / np.sqrt(2 * (number - 1)),
        width_factor=np.array([_one_sigma(column.compressed()) for column in z.T]),
        ranks=rank_statistics(samples, truth, effective_size=effective_size, seed=seed),
        tarp=tarp_coverage(samples, truth, seed=seed),
        meta=dict(meta or {}),
    )


def _one_sigma(z: np.ndarray) -> float:
    return float(np.quantile(np.abs(z), _ONE_SIGMA)) if len(z) else np.nan

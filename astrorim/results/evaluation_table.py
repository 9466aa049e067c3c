"""Evaluations as tables: a row for each lens and method, and the summary for people."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np
from astropy.table import Table

from astrorim.results.lens_errors import JUDGED, LEVELS

__all__ = ["STEP", "rows_table", "summary_table"]

STEP = "source_error_step_"
"""What the names of columns begin with that hold the error after each step."""

_TEXT = ("method", "name", "flags", "failure")


def rows_table(rows: Sequence[Mapping[str, Any]], meta: Mapping[str, Any]) -> Table:
    """Put rows of measures into a table.

    Parameters
    ----------
    rows : sequence of mapping of str to object
        Of one lens and method each; measures that a method does not have are left out.
    meta : mapping of str to object
        Kept with the table.

    Returns
    -------
    `~astropy.table.Table`
        Numbers as floats, NaN where there is none; text as it is.
    """
    names = list(dict.fromkeys(name for row in rows for name in row))
    columns = {
        name: [
            str(row.get(name, "")) if name in _TEXT else float(row.get(name, math.nan))
            for row in rows
        ]
        for name in names
    }
    if "index" in columns:
        columns["index"] = [int(value) for value in columns["index"]]
    return Table(columns, meta=dict(meta))


def _interval(values: np.ndarray) -> str:
    """Median with the 10th and 90th percentile."""
    low, middle, high = np.nanpercentile(values, [10, 50, 90])
    return f"{middle:.3g} ({low:.3g} to {high:.3g})"


def _median_absolute(values: np.ndarray) -> str:
    low, middle, high = np.nanpercentile(np.abs(values), [10, 50, 90])
    return f"{middle:.3g} ({low:.3g} to {high:.3g}), bias {np.nanmedian(values):+.2g}"


def _fraction(values: np.ndarray) -> str:
    """A fraction with its binomial error and the number it is of."""
    good = values[np.isfinite(values)]
    p = good.mean()
    error = math.sqrt(max(p * (1 - p), 0) / len(good))
    return f"{100 * p:.1f} ± {100 * error:.1f} % of {len(good)}"


_ROWS: Sequence[tuple[str, Callable[[np.ndarray], str]]] = (
    ("source_error", _interval),
    ("oracle_ratio", _interval),
    ("source_error_frame", _interval),
    ("source_correlation", _interval),
    ("source_ssim", _interval),
    ("flux_error", _median_absolute),
    ("magnification_error", _median_absolute),
    ("theta_E_error", _median_absolute),
    ("theta_E_beyond", _fraction),
    ("effective_radius_error", _median_absolute),
    ("effective_radius_beyond", _fraction),
    *((f"{name}_error", _median_absolute) for name in JUDGED if name != "theta_E"),
    *((f"bound_ratio_{name}", _interval) for name in JUDGED),
    *((f"coverage_{level}_{name}", _fraction) for level in LEVELS for name in JUDGED),
    ("reduced_chi2", _interval),
    ("expected_reduced_chi2", _interval),
    ("arc_reduced_chi2", _interval),
    ("catastrophic", _fraction),
    ("catastrophic_flagged", _fraction),
    ("good_flagged", _fraction),
    ("failed", _fraction),
    ("seconds", _interval),
)


def summary_table(table: Table) -> Table:
    """Condense an evaluation to one column for each method.

    Parameters
    ----------
    table : `~astropy.table.Table`
        From `rows_table`.

    Returns
    -------
    `~astropy.table.Table`
        Medians with the 10th and 90th percentile; errors by absolute value with their
        bias; fractions with their binomial error and the number of lenses that they are of.
    """
    methods = list(dict.fromkeys(table["method"]))
    lines: dict[str, list[str]] = {"measure": []} | {method: [] for method in methods}
    steps = [(name, _interval) for name in table.colnames if name.startswith(STEP)]
    for name, describe in [*_ROWS, *steps]:
        if name not in table.colnames:
            continue
        lines["measure"].append(name)
        for method in methods:
            values = np.asarray(table[name][table["method"] == method], dtype=float)
            lines[method].append(describe(values) if np.isfinite(values).any() else "")
    return Table(lines, meta=dict(table.meta))

"""Figure of a calibration: coverage, ranks and the joint test, each with its band."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

import numpy as np
from matplotlib.figure import Figure
from scipy.stats import binom

if TYPE_CHECKING:
    from collections.abc import Iterator

    from matplotlib.axes import Axes

    from astrorim.results.calibration import CalibrationReport

__all__ = ["plot_calibration"]

_STYLES = (
    ("#0072B2", "-"),
    ("#D55E00", "--"),
    ("#009E73", "-."),
    ("#CC79A7", ":"),
    ("#000000", (0, (1, 1))),
    ("#E69F00", (0, (5, 1, 1, 1, 1, 1))),
    ("#56B4E9", (0, (7, 2))),
)
"""Colours that the colour-blind tell apart (Okabe & Ito 2008), each with its own dashes."""

_BAND = {"color": "0.86", "lw": 0, "zorder": 0}
_EXPECTED = {"color": "0.45", "lw": 1, "zorder": 1}
_CONFIDENCE = 0.95
_ROW = 3.3


def plot_calibration(report: CalibrationReport, figure: Figure | None = None) -> Figure:
    """Draw how often truths lie inside intervals, and how their ranks are distributed.

    A row of panels for each group of up to seven parameters: the coverage curve, below the
    diagonal where posteriors are too narrow, and the distribution function of the ranks
    minus that of uniform ones. On the right the coverage of all parameters together, with
    its bootstrap band, and each parameter's coverage at the report's level (circles) and at
    its outer level (squares). Grey is where
    exact posteriors would be with a probability of 95 %: at each level of the coverage,
    and along the whole curve of the ranks.

    Parameters
    ----------
    report : CalibrationReport
        What to draw.
    figure : `~matplotlib.figure.Figure`, optional
        Figure to draw into; a new one by default, which pyplot does not know.

    Returns
    -------
    `~matplotlib.figure.Figure`
    """
    groups = list(_groups(len(report.names)))
    rows = max(2, len(groups))
    if figure is None:
        figure = Figure(figsize=(12.6, _ROW * rows), layout="constrained")
    grid = figure.add_gridspec(rows, 3)
    for row, columns in enumerate(groups):
        place = slice(None) if len(groups) == 1 else row
        axes = figure.add_subplot(grid[place, 0])
        _coverage_panel(axes, report, columns)
        if row == 0:
            axes.set_title("Coverage of central intervals", fontsize=11)
        axes = figure.add_subplot(grid[place, 1])
        _rank_panel(axes, report, columns)
        if row == 0:
            axes.set_title("Ranks of the truths", fontsize=11)
    _tarp_panel(figure.add_subplot(grid[0, 2]), report)
    _level_panel(figure.add_subplot(grid[1:, 2]), report)
    used = report.num_lenses - len(report.failures)
    parts = [str(report.meta[key]) for key in ("simulator", "stage") if key in report.meta]
    parts.append(f"{used} of {report.num_lenses} lenses")
    figure.supxlabel(
        "grey: where 95 % of exact posteriors lie, at each level (coverage) or along the whole "
        "curve (ranks); blue band: 95 % of lenses drawn anew", fontsize=8, color="0.3",
    )  # fmt: skip
    figure.suptitle("   ".join(parts), fontsize=13, fontweight="bold")
    return figure


def _groups(number: int) -> Iterator[range]:
    """Parameters in groups as large as there are styles, of about equal size."""
    rows = math.ceil(number / len(_STYLES))
    size = math.ceil(number / rows)
    for first in range(0, number, size):
        yield range(first, min(first + size, number))


def _lines(columns: range) -> Iterator[tuple[int, dict[str, Any]]]:
    for column, (colour, dashes) in zip(columns, _STYLES, strict=False):
        yield column, {"color": colour, "ls": dashes, "lw": 1.8}


def _binomial_band(level: np.ndarray, number: int) -> tuple[np.ndarray, np.ndarray]:
    """Fractions between which exact posteriors lie at a level: (K,) each."""
    tail = 0.5 * (1 - _CONFIDENCE)
    scale = max(number, 1)
    low, high = (binom.ppf(q, number, level) / scale for q in (tail, 1 - tail))
    return low, high


def _tidy(axes: Axes, x_label: str, y_label: str) -> None:
    axes.set_xlabel(x_label, fontsize=9)
    axes.set_ylabel(y_label, fontsize=9)
    axes.tick_params(labelsize=8)


def _coverage_panel(axes: Axes, report: CalibrationReport, columns: range) -> None:
    level = report.curve.level
    number = int(report.curve.number[list(columns)].min())
    axes.fill_between(level, *_binomial_band(level, number), **_BAND)
    axes.plot([0, 1], [0, 1], **_EXPECTED)
    for column, style in _lines(columns):
        axes.plot(level, report.curve.fraction[:, column], **style)
    axes.set(xlim=(0, 1), ylim=(0, 1))
    axes.text(
        0.97, 0.03, "too narrow", transform=axes.transAxes, ha="right", fontsize=8, color="0.3"
    )
    axes.text(
        0.03, 0.97, "too wide", transform=axes.transAxes, va="top", fontsize=8, color="0.3"
    )
    _tidy(axes, "level of the interval", "truths inside")


def _rank_panel(axes: Axes, report: CalibrationReport, columns: range) -> None:
    ranks = report.ranks
    widest = columns[int(np.argmin(report.curve.number[list(columns)]))]
    axes.fill_between(ranks.grid, ranks.lower[:, widest], ranks.upper[:, widest], **_BAND)
    axes.axhline(0, **_EXPECTED)
    for column, style in _lines(columns):
        axes.plot(ranks.grid, ranks.difference[:, column], label=report.names[column], **style)
    axes.set_xlim(0, 1)
    axes.legend(
        fontsize=8, loc="center left", bbox_to_anchor=(1.0, 0.5), handlelength=3.4,
        frameon=False, title="both panels", title_fontsize=8,
    )  # fmt: skip
    _tidy(axes, "rank / number of samples", "distribution function $-$ uniform")


def _tarp_panel(axes: Axes, report: CalibrationReport) -> None:
    tarp = report.tarp
    colour = _STYLES[0][0]
    axes.plot([0, 1], [0, 1], **_EXPECTED)
    axes.fill_between(tarp.level, tarp.lower, tarp.upper, color=colour, alpha=0.25, lw=0)
    axes.plot(tarp.level, tarp.fraction, color=colour, lw=1.8)
    axes.set(xlim=(0, 1), ylim=(0, 1))
    axes.set_title("All parameters together (TARP)", fontsize=11)
    axes.text(
        0.04, 0.95, f"largest deviation {tarp.largest_deviation:.2f}\np = {tarp.p_value:.2g}",
        transform=axes.transAxes, va="top", fontsize=8,
    )  # fmt: skip
    _tidy(axes, "level of the region", "truths inside")


def _level_panel(axes: Axes, report: CalibrationReport) -> None:
    places = np.arange(len(report.names))[::-1]
    levels = []
    for found, marker, (colour, _) in zip(
        (report.coverage, report.outer), ("o", "s"), _STYLES[:2], strict=True
    ):
        level = float(found.level)
        low, high = _binomial_band(np.array([level]), int(found.number.min()))
        axes.axvspan(float(low[0]), float(high[0]), **_BAND)
        axes.axvline(level, **_EXPECTED)
        errors = np.stack([found.fraction - found.lower, found.upper - found.fraction])
        axes.errorbar(
            found.fraction, places, xerr=np.clip(errors, 0, None), fmt=marker, ms=4.5, lw=1.3,
            capsize=2.5, color=colour,
        )  # fmt: skip
        levels.append(f"{100 * level:.3g} %")
    axes.set_yticks(places, list(report.names))
    axes.set_xlim(0, 1)
    axes.set_ylim(-0.7, len(places) - 0.3)
    axes.set_title(f"Inside {levels[0]} and {levels[1]} intervals", fontsize=11)
    _tidy(axes, "fraction, with its standard error", "")

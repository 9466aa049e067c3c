"""Evaluations as reStructuredText."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from astropy.table import Table

__all__ = ["report"]

_LEGEND = (
    "Numbers are medians, with the 10th and 90th percentile in brackets; of signed errors "
    "the absolute value, with the median as bias; fractions with their binomial error and "
    "the number of lenses that they are of. What each measure is stands in :doc:`/results`."
)


def report(table: Table, command: str) -> str:
    """Put an evaluation into reStructuredText.

    Parameters
    ----------
    table : `~astropy.table.Table`
        From `~astrorim.inference.evaluate_simulator`.
    command : str
        What made it.

    Returns
    -------
    str
    """
    from astrorim import __version__
    from astrorim.results.evaluation_table import summary_table

    summary, meta = summary_table(table), table.meta
    title = f"{meta['simulator']}: {meta['number']} lenses"
    made = f"Written on {datetime.now(UTC):%Y-%m-%d} by AstroRIM {__version__} with"
    lines = [title, "=" * len(title), "", made, "", f"    {command}", ""]
    if "encoder" in meta:
        weights = (
            f"and weights ``{meta['encoder'][:12]}`` (encoder) and "
            f"``{meta['recurrence'][:12]}`` (recurrence). Seeds from 10\\ :sup:`9` are never "
            "trained on."
        )
        lines += [weights, ""]
    lines += [_LEGEND, "", ".. list-table::", "   :header-rows: 1", ""]
    for row in ([name.replace("_", " ") for name in summary.colnames], *summary.iterrows()):
        for position, cell in enumerate(row):
            lines.append(f"   {'*' if position == 0 else ' '} - {cell}")
    for title, kept in (
        ("Not judged:", meta.get("refused", {})),
        ("Failed:", failures(table)),
    ):
        if kept:
            lines += ["", title, ""]
            lines += [f"* ``{name}``: ``{reason}``" for name, reason in kept.items()]
    return "\n".join(lines) + "\n"


def failures(table: Table) -> dict[str, str]:
    """Lenses and methods that failed, and why.

    Parameters
    ----------
    table : `~astropy.table.Table`
        From `~astrorim.inference.evaluate_simulator`.

    Returns
    -------
    dict of str to str
    """
    if "failure" not in table.colnames:
        return {}
    bad = table[table["failure"] != ""]
    return {f"{row['name']}, {row['method']}": str(row["failure"]) for row in bad}

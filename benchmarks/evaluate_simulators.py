r"""Judge the shipped networks on lenses of every simulator, for the documentation.

Run from the top of the checkout; lenses that ``--folder`` holds are not done again, and the
tables have as many as every simulator has when it ends. With ``--minutes 0`` they are written
anew and nothing is judged::

    python benchmarks/evaluate_simulators.py --number 30 --oracle-every 3 \
        --folder runs/evaluation --output docs/results

The oracle inversion takes most of the time: it is made for one lens in ``--oracle-every``, and
what is measured against it is of those lenses alone.
"""

from __future__ import annotations

import argparse
import time
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from list_table import list_table

from astrorim import __version__
from astrorim.cli.evaluation_report import report
from astrorim.inference.evaluated_methods import rim_methods
from astrorim.inference.evaluation import FIRST_EVALUATION_SEED, evaluate_lens
from astrorim.inference.oracle import OracleOptions
from astrorim.inference.rows_checkpoint import RowsCheckpoint
from astrorim.interchange import truth_of
from astrorim.plugins import load_plugins
from astrorim.results.evaluation_table import rows_table, summary_table
from astrorim.rim import RIMReconstructor

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from astropy.table import Table

    from astrorim.inference.evaluated_methods import Method
    from astrorim.interfaces import Simulator

_SIMULATORS = (
    "foundation",
    "enhanced",
    "small-lens",
    "realistic",
    "expanded",
    "multi-instrument",
)

_INFERRED = "RIM, lens inferred"
_OUTSIDE = "outside-training"
_ONE_CAMERA = ("foundation", "enhanced", "small-lens", "realistic")
_SOUGHT = (
    (
        "source error over the oracle's, lens known",
        ("oracle_ratio", "RIM, lens known"),
        dict.fromkeys(_ONE_CAMERA, 0.6),
    ),
    (
        "source error over the oracle's, lens inferred",
        ("oracle_ratio", _INFERRED),
        dict.fromkeys(_ONE_CAMERA, 1.0),
    ),
    (
        "error of the effective radius, lens inferred",
        ("effective_radius_error", _INFERRED),
        {"foundation": 0.01, "enhanced": 0.01, "small-lens": 0.04, "realistic": 0.04},
    ),
)
"""What the networks were meant to reach: measure, method, and the largest median for each
simulator."""

_SHOWN = {
    "source error, lens known": ("source_error", "RIM, lens known"),
    "over the oracle's": ("oracle_ratio", "RIM, lens known"),
    "source error, lens inferred": ("source_error", _INFERRED),
    "over the oracle's, lens inferred": ("oracle_ratio", _INFERRED),
    "error of the effective radius, encoder alone": ("effective_radius_error", "encoder alone"),
    "error of the effective radius, lens inferred": ("effective_radius_error", _INFERRED),
    "catastrophic": ("catastrophic", _INFERRED),
    "of these flagged": ("catastrophic_flagged", _INFERRED),
    "of the others flagged": ("good_flagged", _INFERRED),
}


def main() -> None:
    """Judge lens after lens, each simulator in turn."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--number", type=int, default=30, help="lenses of each simulator")
    parser.add_argument("--oracle-every", type=int, default=3)
    parser.add_argument("--minutes", type=float, default=float("inf"))
    parser.add_argument("--folder", type=Path, required=True, help="where lenses are kept")
    parser.add_argument("--output", type=Path, required=True, help="where tables go")
    args = parser.parse_args()
    reconstructor = RIMReconstructor.load()
    methods = rim_methods(reconstructor)
    settings = {
        "seed": FIRST_EVALUATION_SEED,
        "num_iterations": 10,
        "oracle_every": args.oracle_every,
        "encoder": reconstructor.encoder.sha256,
        "recurrence": reconstructor.recurrence.sha256,
        "astrorim": __version__,
    }
    simulators = [load_plugins().simulators.create(name) for name in _SIMULATORS]
    kept = {
        s.name: RowsCheckpoint(args.folder / f"{s.name}.jsonl", settings) for s in simulators
    }
    number = 0
    ends = time.monotonic() + 60 * args.minutes
    for index in range(args.number):
        for simulator in simulators:
            rows = kept[simulator.name]
            if str(index) not in rows.rows and time.monotonic() < ends:
                rows.add(str(index), _judge(simulator, index, methods, args.oracle_every))
        if all(str(index) in rows.rows for rows in kept.values()):
            number = index + 1
    if not number:
        parser.error("--minutes are too few for one lens of each simulator")
    tables = [_table(s, kept[s.name].rows, number, settings) for s in simulators]
    args.output.mkdir(parents=True, exist_ok=True)
    for table in tables:
        _write(table, args)
    for name, text in (("overview", _overview(tables)), ("outside_training", _outside(tables))):
        (args.output / f"{name}.inc").write_text(text, encoding="utf-8")


def _judge(
    simulator: Simulator, index: int, methods: Mapping[str, Method], oracle_every: int
) -> list[dict[str, Any]]:
    """Rows of one lens."""
    truth = truth_of(simulator.simulate(1, seed=FIRST_EVALUATION_SEED, start=index), 0)
    oracle = None if index % oracle_every else OracleOptions()
    return evaluate_lens(truth, methods, oracle=oracle)


def _table(
    simulator: Simulator,
    rows: Mapping[str, list[dict[str, Any]]],
    number: int,
    settings: Mapping[str, Any],
) -> Table:
    """Rows of the lenses that every simulator has."""
    kept = [row for index in range(number) for row in rows[str(index)]]
    return rows_table(kept, {"simulator": simulator.name, "number": number, **settings})


def _write(table: Table, args: argparse.Namespace) -> None:
    """Write the rows and the page of one simulator."""
    page = args.output / f"{table.meta['simulator']}.rst"
    table.write(page.with_suffix(".ecsv"), format="ascii.ecsv", overwrite=True)
    text = report(
        table,
        f"python benchmarks/evaluate_simulators.py --number {table.meta['number']} "
        f"--oracle-every {args.oracle_every} --folder DIR --output docs/results",
    )
    note = (
        "The oracle inversion, ``oracle ratio`` and ``bound ratio`` are of one lens in "
        f"{args.oracle_every}.\n"
    )
    page.write_text(f"{text}\n{note}", encoding="utf-8")


def _overview(tables: Sequence[Table]) -> str:
    """One row for each simulator."""
    number, every = tables[0].meta["number"], tables[0].meta["oracle_every"]
    made = (
        f"{_made()}: {number} lenses of each simulator, what is over the oracle's of one in "
        f"{every}; medians with the 10th and 90th percentile."
    )
    shown = [["simulator", *_SHOWN]]
    for summary in (summary_table(table) for table in tables):
        measures = list(summary["measure"])
        row = [f":doc:`/results/{summary.meta['simulator']}`"]
        for measure, method in _SHOWN.values():
            # Where every lens is catastrophic there is nothing to say about the others.
            cell = summary[method][measures.index(measure)] if measure in measures else ""
            row.append(cell.split(", bias")[0])
        shown.append(row)
    by_name = {table.meta["simulator"]: table for table in tables}
    sought = [["median", *_ONE_CAMERA]]
    sought += [
        [measure, *(_reached(by_name[name], column, largest[name]) for name in _ONE_CAMERA)]
        for measure, column, largest in _SOUGHT
    ]
    aims = "What the networks were meant to reach, as medians, and what they do:"
    lines = [made, "", *list_table(shown), "", aims, "", *list_table(sought)]
    return "\n".join(lines) + "\n"


def _outside(tables: Sequence[Table]) -> str:
    """How many are flagged as unlike the training, in all and by whether they are wrong."""
    number = tables[0].meta["number"]
    wrong_ones = "of those whose effective radius is off by over a tenth"
    rows = [["flagged as ``outside-training``", "of all", wrong_ones, "of the others"]]
    for table in tables:
        done = table[(table["method"] == _INFERRED) & (table["failed"] == 0)]
        flagged = np.array([_OUTSIDE in flags.split() for flags in done["flags"]])
        wrong = np.asarray(done["effective_radius_beyond"]) == 1
        counts = [
            f"{int(flagged[chosen].sum())} of {int(chosen.sum())}"
            for chosen in (np.ones_like(wrong), wrong, ~wrong)
        ]
        rows.append([table.meta["simulator"], *counts])
    made = f"{_made()}: {number} lenses of each simulator, lens inferred."
    return "\n".join([made, "", *list_table(rows)]) + "\n"


def _made() -> str:
    return f"Written on {datetime.now(UTC):%Y-%m-%d} by AstroRIM {__version__}"


def _reached(table: Table, column: tuple[str, str], largest: float) -> str:
    """A median beside what it was to be at most."""
    measure, method = column
    median = np.nanmedian(np.abs(table[measure][table["method"] == method]))
    verdict = "reached" if median <= largest else "missed"
    return f"{median:.3g}, at most {largest:g}: {verdict}"


if __name__ == "__main__":
    main()

r"""Judge the shipped networks on lenses of every simulator, for the documentation.

Run from the top of the checkout; lenses that ``--folder`` holds are not done again, and the
tables are written after each round over the simulators, with as many lenses as there are::

    python benchmarks/evaluate_simulators.py --number 30 --oracle-every 3 \
        --folder runs/evaluation --output docs/results

The oracle inversion takes most of the time: it is made for one lens in ``--oracle-every``, and
what is measured against it is of those lenses alone.
"""

from __future__ import annotations

import argparse
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

from astrorim import __version__
from astrorim.cli.evaluation_report import report
from astrorim.inference.evaluated_methods import rim_methods
from astrorim.inference.evaluation import FIRST_EVALUATION_SEED, evaluate_lens
from astrorim.inference.oracle import OracleOptions
from astrorim.inference.rows_checkpoint import RowsCheckpoint
from astrorim.interchange import truth_of
from astrorim.plugins import load_plugins
from astrorim.results.evaluation_table import rows_table
from astrorim.rim import RIMReconstructor

if TYPE_CHECKING:
    from astrorim.interfaces import Simulator

_SIMULATORS = (
    "foundation",
    "enhanced",
    "small-lens",
    "realistic",
    "expanded",
    "multi-instrument",
)


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
    ends = time.monotonic() + 60 * args.minutes
    for index in range(args.number):
        for simulator in simulators:
            checkpoint = kept[simulator.name]
            if str(index) in checkpoint.rows:
                continue
            if time.monotonic() > ends:
                return
            truth = truth_of(simulator.simulate(1, seed=FIRST_EVALUATION_SEED, start=index), 0)
            oracle = None if index % args.oracle_every else OracleOptions()
            checkpoint.add(str(index), evaluate_lens(truth, methods, oracle=oracle))
        for simulator in simulators:
            _write(args, simulator, kept[simulator.name], settings)


def _write(
    args: argparse.Namespace,
    simulator: Simulator,
    checkpoint: RowsCheckpoint,
    settings: dict[str, Any],
) -> None:
    """Write the rows and the page of what is there."""
    number = len(checkpoint.rows)
    rows = [row for own in checkpoint.rows.values() for row in own]
    table = rows_table(rows, {"simulator": simulator.name, "number": number, **settings})
    args.output.mkdir(parents=True, exist_ok=True)
    page = args.output / f"{simulator.name}.rst"
    table.write(page.with_suffix(".ecsv"), format="ascii.ecsv", overwrite=True)
    command = (
        f"python benchmarks/evaluate_simulators.py --number {number} "
        f"--oracle-every {args.oracle_every}"
    )
    page.write_text(report(table, command), encoding="utf-8")


if __name__ == "__main__":
    main()

"""``astrorim evaluate``: how good reconstructions of simulated lenses are."""

from __future__ import annotations

import argparse
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

from astrorim.cli.arguments import Subparsers, add_command, natural_number, positive_integer
from astrorim.cli.simulate import create_simulator
from astrorim.cli.terminal import progress_bar

if TYPE_CHECKING:
    from astropy.table import Table

__all__ = ["add_parser", "report", "run"]

_FIRST_SEED = 10**9

_LEGEND = (
    "and weights ``{encoder}`` (encoder) and ``{recurrence}`` (recurrence). Seeds from "
    "10\\ :sup:`9` are never trained on. Numbers are medians, with the 10th and 90th "
    "percentile in brackets; of signed errors the absolute value, with the median as bias; "
    "fractions with their binomial error. Errors of e1, e2, gamma1 and gamma2 are absolute, "
    "those of x0 and y0 in arcsec; the errors of theta_E and of the effective radius are "
    "relative. *catastrophic* counts Einstein radii off by more than a tenth, and arcs whose "
    "chi-square exceeds 1.5 times its expectation; *covered* is the fraction of truths "
    "inside the 68 % intervals. Seconds are for one lens at a time."
)


def add_parser(commands: Subparsers) -> None:
    """Add the subcommand to the parser.

    Parameters
    ----------
    commands : object
        What ``add_subparsers`` returned.
    """
    parser = add_command(
        commands,
        "evaluate",
        run,
        summary="measure reconstructions against simulated truths",
        description=(
            "Reconstruct lenses that no training saw, with the lens known and with\n"
            "everything inferred, and compare with their truths, beside a blank image.\n"
            "Writes a table for people (.rst) and one row for each lens and method (.ecsv)."
        ),
        examples="  astrorim evaluate foundation --number 200 --output foundation.rst",
    )
    parser.add_argument("simulator", metavar="NAME", help="what draws the lenses")
    parser.add_argument(
        "--number", type=positive_integer, default=200, help="how many lenses (default: 200)"
    )
    parser.add_argument(
        "--seed", type=natural_number, default=_FIRST_SEED,
        help="seed of the dataset, at least 10^9 (default: 10^9)",
    )  # fmt: skip
    parser.add_argument(
        "--output", type=Path, required=True, metavar="FILE.rst",
        help="the table; the .ecsv lies beside it",
    )  # fmt: skip
    parser.add_argument(
        "--num-iterations", type=positive_integer, default=10,
        help="rounds of the joint inference (default: 10)",
    )  # fmt: skip
    parser.add_argument(
        "--forward-model", metavar="FILE", help="encoder's weights (default: the shipped ones)"
    )
    parser.add_argument(
        "--rim-model", metavar="FILE", help="recurrence's weights (default: the shipped ones)"
    )


def run(args: argparse.Namespace) -> int:
    """Evaluate.

    Parameters
    ----------
    args : argparse.Namespace
        As `add_parser` declares.

    Returns
    -------
    int
        0.
    """
    if args.output.suffix != ".rst":
        args.parser.error(f"--output must end in .rst, got {str(args.output)!r}")
    from astrorim.inference import evaluate_simulator
    from astrorim.interchange import to_observation
    from astrorim.rim import RIMReconstructor

    simulator = create_simulator(args.simulator, None)
    reconstructor = RIMReconstructor.load(args.forward_model, args.rim_model)
    with progress_bar(args.number, "lens") as bar:
        table = evaluate_simulator(
            reconstructor,
            simulator,
            to_observation,
            args.number,
            seed=args.seed,
            num_iterations=args.num_iterations,
            progress=lambda _: bar.update(1),
        )
    command = (
        f"astrorim evaluate {args.simulator} --number {args.number} --seed {args.seed} "
        f"--num-iterations {args.num_iterations} --output {args.output.name}"
    )
    args.output.parent.mkdir(parents=True, exist_ok=True)
    _replace(
        args.output.with_suffix(".ecsv"), lambda path: table.write(path, format="ascii.ecsv")
    )
    text = report(table, command)
    _replace(args.output, lambda path: path.write_text(text, encoding="utf-8"))
    print(args.output)
    return 0


def _replace(path: Path, write: Callable[[Path], object]) -> None:
    """Write a file whole or not at all."""
    temporary = path.with_name(f".{path.stem}.tmp{path.suffix}")
    try:
        write(temporary)
        temporary.replace(path)
    finally:
        temporary.unlink(missing_ok=True)


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
    from astrorim.inference import summary_table

    summary = summary_table(table)
    title = f"{table.meta['simulator']}: {table.meta['number']} lenses"
    lines = [
        title,
        "=" * len(title),
        "",
        f"Written on {datetime.now(UTC):%Y-%m-%d} by AstroRIM {__version__} with",
        "",
        f"    {command}",
        "",
        _LEGEND.format(
            encoder=table.meta["encoder"][:12], recurrence=table.meta["recurrence"][:12]
        ),
        "",
        ".. list-table::",
        "   :header-rows: 1",
        "",
    ]
    for row in ([name.replace("_", " ") for name in summary.colnames], *summary.iterrows()):
        for position, cell in enumerate(row):
            lines.append(f"   {'*' if position == 0 else ' '} - {cell}")
    return "\n".join(lines) + "\n"

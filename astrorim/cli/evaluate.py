"""``astrorim evaluate``: how good reconstructions of simulated lenses are."""

from __future__ import annotations

import argparse
import shlex
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

from astrorim.cli.arguments import (
    Subparsers,
    add_command,
    existing_directory,
    natural_number,
    positive_integer,
)
from astrorim.cli.evaluation_report import report
from astrorim.cli.simulate import create_simulator
from astrorim.cli.terminal import LOGGER, progress_bar

if TYPE_CHECKING:
    from astropy.table import Table

    from astrorim.inference.evaluated_methods import Method
    from astrorim.interfaces import Simulator

__all__ = ["add_parser", "run"]

_FIRST_SEED = 10**9
_STAGES = ("rim", "map")
_STARTS = ("blind", "rim")

_DESCRIPTION = """\
Reconstruct lenses that no training saw and compare with their truths; or compare results
that are there, the .asdf files of `astrorim reconstruct`, with the truths that
`astrorim simulate` wrote. Beside them stand what took no inference (a blank image, the
observation itself, a Gaussian blob) and the oracle: the best regularised linear inversion
given the true lens, lens light, PSF and noise.

Writes a table for people (.rst) and one row for each lens and method (.ecsv). Stopped, it
goes on with the same command. A lens that fails is named and does not stop the others."""

_EXAMPLES = """\
  astrorim evaluate foundation --number 200 --output foundation.rst
  astrorim evaluate foundation --stage rim map --start rim --output stages.rst
  astrorim evaluate --reconstructions results --truths simulated --output mine.rst"""


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
        description=_DESCRIPTION,
        examples=_EXAMPLES,
    )
    parser.add_argument(
        "simulator", metavar="NAME", nargs="?",
        help="what draws the lenses; none where --reconstructions are given",
    )  # fmt: skip
    parser.add_argument(
        "--output", type=Path, required=True, metavar="FILE.rst",
        help="the table; the .ecsv lies beside it",
    )  # fmt: skip
    parser.add_argument(
        "--number", type=positive_integer,
        help="how many lenses (default: 200; of --reconstructions all)",
    )  # fmt: skip
    parser.add_argument(
        "--seed", type=natural_number, default=_FIRST_SEED,
        help="seed of the dataset, at least 10^9 (default: 10^9)",
    )  # fmt: skip
    parser.add_argument(
        "--no-oracle", dest="oracle", action="store_false",
        help="leave out the oracle inversion and all that is measured against it, which take "
        "most of the time",
    )  # fmt: skip
    group = parser.add_argument_group("results that are there")
    group.add_argument(
        "--reconstructions", type=existing_directory, metavar="DIR",
        help="directory that `astrorim reconstruct` wrote",
    )  # fmt: skip
    group.add_argument(
        "--truths", type=existing_directory, metavar="DIR",
        help="directory that `astrorim simulate` wrote; files are matched by name",
    )  # fmt: skip
    group = parser.add_argument_group("inference")
    group.add_argument(
        "--stage", choices=_STAGES, nargs="+", default=["rim"],
        help="what to judge, one or several: rim, the networks, with the lens known and with "
        "everything inferred; map, the refinement (default: rim)",
    )  # fmt: skip
    group.add_argument(
        "--start", choices=_STARTS, nargs="+", default=["blind"],
        help="where the refinement starts: from the image alone, or from what the stage rim "
        "inferred (default: blind)",
    )  # fmt: skip
    group.add_argument(
        "--lens-model", default="sie+shear", metavar="NAME",
        help="lens model of the refinement, registered or a sum, or auto: sie+shear, and "
        "epl+shear where that leaves a misfit (default: sie+shear)",
    )  # fmt: skip
    group.add_argument(
        "--light", metavar="NAME",
        help="its lens-light model (default: the simulator's)",
    )  # fmt: skip
    group.add_argument(
        "--num-iterations", type=positive_integer, default=10,
        help="rounds of the networks' joint inference (default: 10)",
    )  # fmt: skip
    group.add_argument(
        "--forward-model", metavar="FILE", help="encoder's weights (default: the shipped ones)"
    )
    group.add_argument(
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
        0, or 1 if a file could not be judged.
    """
    _check(args)
    from astrorim.inference.rows_checkpoint import RowsCheckpoint

    args.output.parent.mkdir(parents=True, exist_ok=True)
    partial = args.output.with_name(f".{args.output.stem}.partial.jsonl")
    table, refused, command = (
        _simulated(args, RowsCheckpoint, partial)
        if args.simulator
        else _given(args, RowsCheckpoint, partial)
    )
    _replace(
        args.output.with_suffix(".ecsv"), lambda path: table.write(path, format="ascii.ecsv")
    )
    text = report(table, f"{command} --output {args.output.name}")
    _replace(args.output, lambda path: path.write_text(text, encoding="utf-8"))
    partial.unlink()
    for name, reason in refused.items():
        LOGGER.warning("%s is not judged: %s", name, reason)
    print(args.output)
    return 1 if refused else 0


def _check(args: argparse.Namespace) -> None:
    fail = args.parser.error
    if args.output.suffix != ".rst":
        fail(f"--output must end in .rst, got {str(args.output)!r}")
    given = [args.reconstructions is not None, args.truths is not None]
    if any(given) != all(given):
        fail("--reconstructions and --truths go together; give both")
    if all(given) == bool(args.simulator):
        fail("give either a simulator's name, or --reconstructions and --truths")
    if args.seed < _FIRST_SEED:
        fail(f"--seed must be at least 10^9, got {args.seed}: training uses those below")
    if "rim" in args.start and not {"rim", "map"} <= set(args.stage):
        fail("--start rim needs --stage rim map, the first of which it starts from")


def _given(
    args: argparse.Namespace, checkpoint: Callable[..., Any], partial: Path
) -> tuple[Table, dict[str, str], str]:
    """Table of results that are there, the files not judged, and the command."""
    from astrorim.inference.oracle import OracleOptions
    from astrorim.interchange.evaluated_folder import evaluate_folder

    settings = {
        "reconstructions": str(args.reconstructions.resolve()),
        "truths": str(args.truths.resolve()),
        "oracle": args.oracle,
    }
    number = len(list(args.reconstructions.glob("*.asdf"))[: args.number])
    with progress_bar(number, "lens") as bar:
        table, refused = evaluate_folder(
            args.reconstructions,
            args.truths,
            oracle=OracleOptions() if args.oracle else None,
            number=args.number,
            checkpoint=checkpoint(partial, settings),
            progress=lambda done: bar.update(done - bar.n),
        )
    command = [
        *("astrorim", "evaluate", "--reconstructions", args.reconstructions.name),
        *("--truths", args.truths.name),
    ]
    return table, refused, shlex.join(command + _oracle_option(args))


def _oracle_option(args: argparse.Namespace) -> list[str]:
    return [] if args.oracle else ["--no-oracle"]


def _simulated(
    args: argparse.Namespace, checkpoint: Callable[..., Any], partial: Path
) -> tuple[Table, dict[str, str], str]:
    """Table of lenses of a simulator, nothing refused, and the command."""
    from astrorim import __version__
    from astrorim.inference import evaluate_simulator
    from astrorim.inference.oracle import OracleOptions
    from astrorim.interchange import truth_of

    number = args.number or 200
    simulator = create_simulator(args.simulator, None)
    methods, settings = _methods(args, simulator)
    facts = {"simulator": simulator.name, "seed": args.seed, "astrorim": __version__}
    with progress_bar(number, "lens") as bar:
        table = evaluate_simulator(
            simulator,
            truth_of,
            methods,
            number,
            seed=args.seed,
            oracle=OracleOptions() if args.oracle else None,
            settings=settings,
            checkpoint=checkpoint(partial, facts | settings | {"oracle": args.oracle}),
            progress=lambda done: bar.update(done - bar.n),
        )
    command = [
        *("astrorim", "evaluate", args.simulator, "--number", str(number)),
        *("--seed", str(args.seed), "--stage", *args.stage),
    ]
    if "rim" in args.stage:
        command += ["--num-iterations", str(args.num_iterations)]
    if "map" in args.stage:
        command += ["--start", *args.start, "--lens-model", args.lens_model]
        command += ["--light", args.light] if args.light else []
    return table, {}, shlex.join(command + _oracle_option(args))


def _methods(
    args: argparse.Namespace, simulator: Simulator
) -> tuple[dict[str, Method], dict[str, Any]]:
    """What is judged, and what it depends on."""
    from astrorim.inference import LensRefiner
    from astrorim.inference.evaluated_methods import map_methods, rim_methods
    from astrorim.rim import RIMReconstructor

    methods: dict[str, Method] = {}
    settings: dict[str, Any] = {}
    if "rim" in args.stage:
        reconstructor = RIMReconstructor.load(args.forward_model, args.rim_model)
        methods |= rim_methods(reconstructor, args.num_iterations)
        settings |= {
            "num_iterations": args.num_iterations,
            "encoder": reconstructor.encoder.sha256,
            "recurrence": reconstructor.recurrence.sha256,
        }
    if "map" in args.stage:
        light = args.light or simulator.light_model
        refiner = LensRefiner(lens_model=args.lens_model, light_model=light, mask="own")
        methods |= map_methods(refiner, tuple(args.start))
        settings |= {"lens_model": args.lens_model, "light": light, "start": list(args.start)}
    return methods, settings


def _replace(path: Path, write: Callable[[Path], object]) -> None:
    """Write a file whole or not at all."""
    temporary = path.with_name(f".{path.stem}.tmp{path.suffix}")
    try:
        write(temporary)
        temporary.replace(path)
    finally:
        temporary.unlink(missing_ok=True)

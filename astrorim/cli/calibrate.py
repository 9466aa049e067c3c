"""``astrorim calibrate``: whether posteriors of simulated lenses mean what they say."""

from __future__ import annotations

import argparse
import multiprocessing
import signal
from collections.abc import Iterator
from concurrent.futures import Executor, ProcessPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from astrorim.cli.arguments import Subparsers, add_command, natural_number, positive_integer
from astrorim.cli.calibration_stages import STAGES
from astrorim.cli.reconstruct import add_weight_options
from astrorim.cli.simulate import create_simulator
from astrorim.cli.terminal import progress_bar

if TYPE_CHECKING:
    from astrorim.results.calibration import CalibrationReport

__all__ = ["add_parser", "run", "write_report"]

_FIRST_SEED = 10**9
_LENSES = "lenses"


_DESCRIPTION = """\
Infer lenses that no training saw, and test whether their posteriors mean what they say:
how many truths lie inside the 68 % intervals, whether the ranks of the truths among the
posterior samples are uniform (simulation-based calibration), whether regions of all
parameters together hold as many truths as they should (TARP), and by what factor errors
would have to be widened.

The output directory receives calibration.ecsv (one row for each parameter), ranks.ecsv,
calibration.png, calibration.pdf and calibration.txt, which is also printed; lenses/ keeps
the samples. Stopped, it goes on with the same command; with more --lenses it does those
that are new. A lens that fails is counted and named, and does not stop the others."""

_EXAMPLES = """\
  astrorim calibrate --simulator foundation --lenses 200 --output-dir calibration
  astrorim calibrate --simulator foundation --stage map --workers 2 --output-dir map
  astrorim calibrate --simulator realistic --lenses 500 --workers 8 --output-dir realistic"""


def add_parser(commands: Subparsers) -> None:
    """Add the subcommand to the parser.

    Parameters
    ----------
    commands : object
        What ``add_subparsers`` returned.
    """
    parser = add_command(
        commands,
        "calibrate",
        run,
        summary="test whether error bars hold the truths they should",
        description=_DESCRIPTION,
        examples=_EXAMPLES,
    )
    parser.add_argument(
        "--simulator", metavar="NAME", required=True, help="what draws the lenses"
    )
    parser.add_argument(
        "--lenses", type=positive_integer, default=200, metavar="N",
        help="how many lenses (default: 200)",
    )  # fmt: skip
    parser.add_argument(
        "--stage", choices=tuple(STAGES), default="rim",
        help="which posterior: rim, the networks'; map, the Gaussian around the best fit; or "
        "hmc, samples of the exact posterior (default: rim)",
    )  # fmt: skip
    parser.add_argument(
        "--output-dir", "--output", type=Path, required=True, metavar="DIR",
        help="directory for the report and the samples; made if it does not exist",
    )  # fmt: skip
    parser.add_argument(
        "--seed", type=natural_number, default=_FIRST_SEED,
        help="seed of the dataset, at least 10^9 (default: 10^9)",
    )  # fmt: skip
    parser.add_argument(
        "--workers", "--jobs", type=positive_integer, default=1, metavar="N",
        help="processes that infer lenses, each in one thread (default: 1)",
    )  # fmt: skip
    group = parser.add_argument_group("refinement")
    group.add_argument(
        "--lens-model", default="sie+shear", metavar="NAME",
        help="registered lens model, or a sum, or auto: sie+shear, and epl+shear where that "
        "leaves a misfit (default: sie+shear)",
    )  # fmt: skip
    group.add_argument(
        "--light", metavar="NAME",
        help="registered lens-light model, or a sum (default: the simulator's)",
    )  # fmt: skip
    group.add_argument(
        "--start-error", type=float, metavar="FRACTION",
        help="begin at the true Einstein radius made wrong by this fraction, one lens larger "
        "and the next smaller, with round shape: tests the descent without the blind start",
    )  # fmt: skip
    group.add_argument(
        "--source-size", type=positive_integer, default=32, metavar="N",
        help="side of the source image, pixels (default: 32)",
    )  # fmt: skip
    group.add_argument(
        "--draws", type=positive_integer, default=20, metavar="N",
        help="draws of each of the five chains of hmc, at least 10 (default: 20)",
    )  # fmt: skip
    add_weight_options(parser.add_argument_group("networks"))


def run(args: argparse.Namespace) -> int:
    """Calibrate.

    Parameters
    ----------
    args : argparse.Namespace
        As `add_parser` declares.

    Returns
    -------
    int
        0.
    """
    if args.seed < _FIRST_SEED:
        args.parser.error(
            f"--seed must be at least 10^9, got {args.seed}: training uses those below"
        )
    from astrorim import __version__
    from astrorim.inference.calibration import calibrate_simulator

    simulator = create_simulator(args.simulator, None)
    stage = STAGES[args.stage](args)
    with progress_bar(args.lenses, "lens") as bar, _executor(args.workers) as executor:
        report = calibrate_simulator(
            simulator,
            stage,
            num_lenses=args.lenses,
            seed=args.seed,
            settings={"stage": args.stage, "astrorim": __version__, **stage.settings()},
            checkpoint=args.output_dir / _LENSES,
            executor=executor,
            progress=lambda number: bar.update(number - bar.n),
        )
    write_report(report, args.output_dir)
    print(report.summary())
    print(args.output_dir / "calibration.ecsv")
    return 0


@contextmanager
def _executor(workers: int) -> Iterator[Executor | None]:
    """Processes of one thread each; none for a single worker."""
    if workers == 1:
        yield None
        return
    pool = ProcessPoolExecutor(
        workers, multiprocessing.get_context("spawn"), initializer=_begin_worker
    )
    try:
        yield pool
    finally:
        pool.shutdown(cancel_futures=True)


def _begin_worker() -> None:
    """One thread, and no Ctrl-C of its own."""
    import torch

    torch.set_num_threads(1)
    signal.signal(signal.SIGINT, signal.SIG_IGN)


def write_report(report: CalibrationReport, directory: Path) -> None:
    """Write the files of a calibration; none of them is replaced before all are made.

    Parameters
    ----------
    report : CalibrationReport
        What was found.
    directory : Path
        Where to; made if it does not exist.
    """
    from astrorim.observation.temporary_rooms import remove_stale_rooms, temporary_room
    from astrorim.plotting.calibration import plot_calibration

    directory.mkdir(parents=True, exist_ok=True)
    remove_stale_rooms(directory)
    with temporary_room(directory) as folder:
        report.to_table().write(folder / "calibration.ecsv", format="ascii.ecsv")
        report.ranks_table().write(folder / "ranks.ecsv", format="ascii.ecsv")
        (folder / "calibration.txt").write_text(report.summary(), encoding="utf-8")
        figure = plot_calibration(report)
        figure.savefig(folder / "calibration.png", dpi=130)
        figure.savefig(folder / "calibration.pdf")
        for path in sorted(folder.iterdir()):
            path.replace(directory / path.name)

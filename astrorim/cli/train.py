"""``astrorim train``: train a network on lenses that a simulator draws on the fly."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import TYPE_CHECKING

from astrorim.cli.arguments import (
    Subparsers,
    add_command,
    add_output_dir,
    existing_directory,
    natural_number,
    positive_integer,
    positive_number,
)
from astrorim.cli.simulate import create_simulator
from astrorim.cli.terminal import LOGGER

if TYPE_CHECKING:
    from astrorim.interfaces import Simulator
    from astrorim.rim.training_batches import TrainingBatches

__all__ = ["add_parser", "run"]

_SIMULATOR = "foundation"
_PIXEL_SCALES = (0.04, 0.04)
_WRITTEN = ("state.safetensors", "weights.safetensors", "log.csv")


def add_parser(commands: Subparsers) -> None:
    """Add the subcommand to the parser.

    Parameters
    ----------
    commands : object
        What ``add_subparsers`` returned.
    """
    parser = add_command(
        commands,
        "train",
        run,
        summary="train a network on a simulator",
        description=(
            "Train one of the two networks on lenses that are simulated on the fly, or on\n"
            "those that `astrorim simulate --format shards` wrote: an\n"
            "encoder (flow-encoder) learns the lens parameters, a recurrence (unet-gru) the\n"
            "source. Stop it at any moment; the same command goes on. weights.safetensors\n"
            "holds the averaged weights with their provenance, log.csv the validation. Use\n"
            "the weights with `astrorim reconstruct --forward-model ENCODER --rim-model\n"
            "RECURRENCE`."
        ),
        examples=(
            "  astrorim train flow-encoder --output-dir runs/encoder --minutes 60\n"
            "  astrorim train unet-gru --output-dir runs/rim --minutes 60 --batch-size 8 \\\n"
            "      --pixel-scales 0.036 0.056\n"
            "  astrorim train unet-gru --data-dir shards --output-dir runs/stored"
        ),
    )
    parser.add_argument(
        "network", metavar="NETWORK",
        help="registered network backend: flow-encoder, unet-gru, or a plugin's",
    )  # fmt: skip
    parser.add_argument(
        "--simulator", metavar="NAME",
        help=f"what draws the lenses (default: {_SIMULATOR})",
    )  # fmt: skip
    parser.add_argument(
        "--data-dir", type=existing_directory, metavar="DIR",
        help="train on the shards in a directory instead, the last tenth for validation",
    )  # fmt: skip
    parser.add_argument(
        "--lens-model", metavar="NAME",
        help="lens model to draw (default: the simulator's own)",
    )  # fmt: skip
    add_output_dir(parser, "weights, state and log")
    parser.add_argument(
        "--minutes", type=positive_number, default=60.0,
        help="time budget, minutes, over all resumed runs (default: 60)",
    )  # fmt: skip
    parser.add_argument(
        "--batch-size", type=positive_integer, default=16,
        help="lenses simulated for a step (default: 16)",
    )  # fmt: skip
    parser.add_argument(
        "--learning-rate", "--lr", type=positive_number, default=1e-3, metavar="RATE",
        help="peak of the schedule (default: 0.001)",
    )  # fmt: skip
    parser.add_argument(
        "--seed", type=natural_number, default=1,
        help="seed of the dataset and of the weights, below 10^9 (default: 1)",
    )  # fmt: skip
    parser.add_argument(
        "--resume", action=argparse.BooleanOptionalAction, default=True,
        help="go on with the run in the output directory; --no-resume begins anew and "
        "replaces it (default: --resume)",
    )  # fmt: skip
    parser.add_argument(
        "--pixel-scales", nargs=2, type=positive_number, metavar=("LO", "HI"),
        help="range of the pixel scale, arcsec, drawn for each batch (default: 0.04 0.04)",
    )  # fmt: skip
    parser.add_argument(
        "--report-minutes", type=positive_number, default=2.0,
        help="minutes between validations (default: 2)",
    )  # fmt: skip
    parser.add_argument(
        "--num-threads", type=natural_number, default=0,
        help="threads to compute with (default: 0, torch's own choice)",
    )  # fmt: skip
    parser.add_argument(
        "--mixed-precision", action=argparse.BooleanOptionalAction, default=False,
        help="evaluate the networks in bfloat16 (default: --no-mixed-precision)",
    )  # fmt: skip
    parser.add_argument(
        "--wide-light", action=argparse.BooleanOptionalAction, default=False,
        help="show the encoder lens galaxies as bright and large as real ones, beyond what "
        "the simulator draws (default: --no-wide-light)",
    )  # fmt: skip


def run(args: argparse.Namespace) -> int:
    """Train.

    Parameters
    ----------
    args : argparse.Namespace
        As `add_parser` declares.

    Returns
    -------
    int
        0.
    """
    from astrorim.plugins import load_plugins
    from astrorim.rim import ShardDataset, StoredBatches, TrainingOptions, make_trainer

    low, high = args.pixel_scales or _PIXEL_SCALES
    if low > high:
        args.parser.error(f"--pixel-scales must be LO HI with LO <= HI, got {low:g} {high:g}")
    options = TrainingOptions(
        output_dir=str(args.output_dir),
        minutes=args.minutes,
        batch_size=args.batch_size,
        learning_rate=args.learning_rate,
        seed=args.seed,
        pixel_scales=(low, high),
        report_minutes=args.report_minutes,
        num_threads=args.num_threads,
        mixed_precision=args.mixed_precision,
        wide_light=args.wide_light,
    )
    plugins = load_plugins()
    plugins.networks.entry(args.network)  # a wrong name is told before lenses are drawn
    batches: Simulator | TrainingBatches
    if args.data_dir is None:
        batches = create_simulator(args.simulator or _SIMULATOR, args.lens_model)
    else:
        for name in ("simulator", "lens_model", "pixel_scales"):
            if getattr(args, name) is not None:
                option = name.replace("_", "-")
                args.parser.error(
                    f"--{option} is of lenses drawn on the fly, those in {args.data_dir} are "
                    "drawn already; leave it out"
                )
        batches = StoredBatches(ShardDataset(args.data_dir))
    trainer = make_trainer(args.network, batches, options, plugins)
    if not args.resume:
        _remove_run(args.output_dir)
    elif trainer.resume():
        LOGGER.info(
            "going on from step %d, %.1f of %.1f minutes used",
            trainer.step_number, trainer.minutes_used, args.minutes,
        )  # fmt: skip
    trainer.run(lambda text: LOGGER.info("%s", text))
    print(args.output_dir / "weights.safetensors")
    return 0


def _remove_run(directory: Path) -> None:
    for name in _WRITTEN:
        (directory / name).unlink(missing_ok=True)

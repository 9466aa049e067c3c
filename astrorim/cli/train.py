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
    from astrorim.plugins import Plugins
    from astrorim.rim.training_batches import TrainingBatches
    from astrorim.rim.training_options import TrainingOptions

__all__ = ["add_parser", "add_training_options", "run"]

_SIMULATOR = "foundation"
_PIXEL_SCALES = (0.04, 0.04)
_SEED_STEP = 10_000_019
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
            "Train one of the two networks on lenses that are simulated on the fly, by one\n"
            "simulator or by several in turn, or on those that `astrorim simulate --format\n"
            "shards` wrote: an encoder (flow-encoder) learns the lens parameters, a\n"
            "recurrence (unet-gru, conv-gru) the source. With --device cuda the lenses are\n"
            "simulated on the GPU as well. Stop it at any moment; the same command goes on.\n"
            "weights.safetensors holds the averaged weights with their provenance, log.csv\n"
            "the validation. Use the weights with `astrorim reconstruct --forward-model\n"
            "ENCODER --rim-model RECURRENCE`."
        ),
        examples=(
            "  astrorim train flow-encoder --output-dir runs/encoder --minutes 60\n"
            "  astrorim train unet-gru --output-dir runs/rim --minutes 60 --batch-size 8 \\\n"
            "      --pixel-scales 0.036 0.056\n"
            "  astrorim train conv-gru --simulators all --arc-visibility 0.05 0.5 \\\n"
            "      --device cuda --mixed-precision --masks --pixel-scales 0.036 0.06 \\\n"
            "      --num-steps 10 --batch-size 32 --output-dir runs/rim --minutes 60\n"
            "  astrorim train unet-gru --data-dir shards --output-dir runs/stored"
        ),
    )
    parser.add_argument(
        "network", metavar="NETWORK",
        help="registered network backend: flow-encoder, unet-gru, conv-gru, or a plugin's",
    )  # fmt: skip
    add_training_options(parser)
    parser.add_argument(
        "--size", action="append", type=_size, default=[], metavar="NAME=NUMBER",
        help="option of the network's architecture, such as width=48; may be repeated",
    )  # fmt: skip
    parser.add_argument(
        "--start-from", type=Path, metavar="FILE",
        help="weights to begin with, of the same network and size; fresh ones by default",
    )  # fmt: skip
    parser.add_argument(
        "--num-steps", type=positive_integer, default=6,
        help="steps of the recurrence (default: 6)",
    )  # fmt: skip


def add_training_options(
    parser: argparse.ArgumentParser, *, learning_rate: float = 1e-3, minutes: float = 60.0
) -> None:
    """Add the options of every training.

    Parameters
    ----------
    parser : argparse.ArgumentParser
        Of the subcommand.
    learning_rate : float, optional
        Default of ``--learning-rate``.
    minutes : float, optional
        Default of ``--minutes``.
    """
    parser.add_argument(
        "--simulator", metavar="NAME",
        help=f"what draws the lenses (default: {_SIMULATOR})",
    )  # fmt: skip
    parser.add_argument(
        "--simulators", nargs="+", metavar="NAME",
        help="several of them, batches of each in turn; all stands for every registered one",
    )  # fmt: skip
    parser.add_argument(
        "--arc-visibility", nargs=2, type=positive_number, metavar=("LO", "HI"),
        help="draw every other batch of each simulator with lens galaxies so bright that the "
        "arcs' brightness over theirs lies between LO and HI, as in real lenses, say 0.05 0.5",
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
        "--device", default="cpu", metavar="{cpu,cuda}",
        help="where lenses are simulated and the network is trained (default: cpu)",
    )  # fmt: skip
    parser.add_argument(
        "--copies", type=positive_integer, default=2,
        help="symmetric copies of a lens, each with noise of its own, that the encoder sees in "
        "a step (default: 2)",
    )  # fmt: skip
    parser.add_argument(
        "--minutes", type=positive_number, default=minutes,
        help=f"time budget, minutes, over all resumed runs (default: {minutes:g})",
    )  # fmt: skip
    parser.add_argument(
        "--batch-size", type=positive_integer, default=16,
        help="lenses simulated for a step (default: 16)",
    )  # fmt: skip
    parser.add_argument(
        "--learning-rate", "--lr", type=positive_number, default=learning_rate,
        metavar="RATE", help=f"peak of the schedule (default: {learning_rate:g})",
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
        help="range of the pixel scale, arcsec, drawn for lenses that are simulated together; "
        "a simulator of several instruments keeps theirs (default: 0.04 0.04)",
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
    parser.add_argument(
        "--masks", action=argparse.BooleanOptionalAction, default=False,
        help="show small frames and masked pixels, as real images have them "
        "(default: --no-masks)",
    )  # fmt: skip


def _size(text: str) -> tuple[str, int]:
    name, _, number = text.partition("=")
    if not name.isidentifier() or not number.isdigit():
        raise argparse.ArgumentTypeError(
            f"must be NAME=NUMBER with a whole number, such as width=48, got {text!r}"
        )
    return name, int(number)


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
    import torch

    from astrorim.plugins import load_plugins
    from astrorim.rim import TrainingOptions, load_checkpoint, make_trainer

    low, high = args.pixel_scales or _PIXEL_SCALES
    if low > high:
        args.parser.error(f"--pixel-scales must be LO HI with LO <= HI, got {low:g} {high:g}")
    _check_device(args)
    if args.device == "cuda":
        # Shapes repeat from step to step: the fastest convolutions are worth a search.
        torch.backends.cudnn.benchmark = True
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
        masks=args.masks,
        copies=args.copies,
        num_steps=args.num_steps,
        device=args.device,
    )
    plugins = load_plugins()
    plugins.networks.entry(args.network)  # a wrong name is told before lenses are drawn
    batches = _batches(args, options, plugins)
    begin = None if args.start_from is None else load_checkpoint(args.start_from, plugins)
    trainer = make_trainer(
        args.network, batches, options, plugins, dict(args.size), start_from=begin
    )
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


def _check_device(args: argparse.Namespace) -> None:
    import torch

    if args.device not in ("cpu", "cuda"):
        args.parser.error(f"--device must be cpu or cuda, got {args.device!r}")
    if args.device == "cuda" and not torch.cuda.is_available():
        args.parser.error("--device cuda: torch finds no GPU here; leave it out")
    if args.device == "cuda" and args.data_dir is not None:
        args.parser.error(
            "--data-dir gives lenses that are read on the processor, got --device cuda beside "
            "it; draw the lenses on the GPU with --simulator or --simulators instead"
        )


def _batches(
    args: argparse.Namespace, options: TrainingOptions, plugins: Plugins
) -> Simulator | TrainingBatches:
    """What the options say to train on."""
    from astrorim.rim import DrawnBatches, MixedBatches, ShardDataset, StoredBatches
    from astrorim.rim.training_batches import VALIDATION_SEED

    if args.data_dir is not None:
        for name in (
            "simulator", "simulators", "lens_model", "pixel_scales", "arc_visibility",
        ):  # fmt: skip
            if getattr(args, name) is not None:
                option = name.replace("_", "-")
                args.parser.error(
                    f"--{option} is of lenses drawn on the fly, those in {args.data_dir} are "
                    "drawn already; leave it out"
                )
        return StoredBatches(ShardDataset(args.data_dir))
    if args.simulators is None and args.arc_visibility is None:
        return create_simulator(args.simulator or _SIMULATOR, args.lens_model)
    if args.simulators is not None and args.simulator is not None:
        args.parser.error("--simulator and --simulators exclude each other; give one of them")
    names = args.simulators or [args.simulator or _SIMULATOR]
    if "all" in names:
        names = list(plugins.simulators.names())
    kinds: dict[str, Simulator] = {
        simulator.name: simulator
        for simulator in (create_simulator(name, args.lens_model) for name in names)
    }
    if args.arc_visibility is not None:
        bright = {"arc_visibility": tuple(args.arc_visibility)}
        kinds |= {
            f"{name} behind bright galaxies": create_simulator(name, args.lens_model, bright)
            for name in list(kinds)
        }
    parts = {
        # Seeds of their own: the same lenses must not come again with other galaxies.
        kind: DrawnBatches(
            simulator,
            seed=(options.seed + number * _SEED_STEP) % VALIDATION_SEED,
            pixel_scales=options.pixel_scales,
            device=options.device,
            at_once=options.at_once,
        )
        for number, (kind, simulator) in enumerate(kinds.items())
    }
    return MixedBatches(parts)


def _remove_run(directory: Path) -> None:
    for name in _WRITTEN:
        (directory / name).unlink(missing_ok=True)

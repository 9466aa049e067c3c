"""``astrorim finetune``: go on training finished weights, on lenses like your own."""

from __future__ import annotations

import argparse
from pathlib import Path

from astrorim.cli import train
from astrorim.cli.arguments import Subparsers, add_command

__all__ = ["add_parser", "run"]

_LEARNING_RATE = 1e-4
_MINUTES = 20.0


def add_parser(commands: Subparsers) -> None:
    """Add the subcommand to the parser.

    Parameters
    ----------
    commands : object
        What ``add_subparsers`` returned.
    """
    parser = add_command(
        commands,
        "finetune",
        run,
        summary="go on training finished weights",
        description=(
            "Go on training a network that is trained already, the shipped one by default,\n"
            "on lenses like your own: of a simulator, of several, or of shards. Its size,\n"
            "standardisation and number of steps are those of the weights, and the\n"
            "learning rate is a tenth of that of `astrorim train`, whose options it shares.\n"
            "Stop it at any moment; the same command goes on. The new weights say what they\n"
            "began from."
        ),
        examples=(
            "  astrorim finetune unet-gru --simulators foundation small-lens \\\n"
            "      --output-dir runs/finer\n"
            "  astrorim finetune flow-encoder --checkpoint runs/encoder/weights.safetensors"
            " \\\n      --data-dir shards --output-dir runs/finer --minutes 30"
        ),
    )
    parser.add_argument(
        "network", metavar="NETWORK",
        help="registered network backend: flow-encoder, unet-gru, conv-gru, or a plugin's",
    )  # fmt: skip
    parser.add_argument(
        "--checkpoint", type=Path, metavar="FILE",
        help="weights of that network to begin with (default: those that come with it)",
    )  # fmt: skip
    train.add_training_options(parser, learning_rate=_LEARNING_RATE, minutes=_MINUTES)


def run(args: argparse.Namespace) -> int:
    """Finetune.

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
    from astrorim.rim import load_checkpoint

    plugins = load_plugins()
    args.start_from = args.checkpoint or plugins.networks.create(args.network).weights()
    if args.start_from is None:
        args.parser.error(f"no weights come with {args.network!r}; pass --checkpoint FILE")
    begun = load_checkpoint(args.start_from, plugins)
    args.size = []
    args.num_steps = begun.settings.get("num_steps", 1)
    return train.run(args)

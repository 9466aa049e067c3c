"""``astrorim simulate``: pairs of FITS files drawn by a simulator."""

from __future__ import annotations

import argparse
import json
import re
from pathlib import Path
from typing import TYPE_CHECKING, Any

from astrorim.cli.arguments import (
    Subparsers,
    add_command,
    add_output_dir,
    natural_number,
    pixel_scale,
    positive_integer,
)
from astrorim.cli.terminal import LOGGER, progress_bar
from astrorim.exceptions import PluginError, SimulationError

if TYPE_CHECKING:
    from astrorim.interfaces import Simulator

__all__ = ["add_parser", "create_simulator", "run"]


def add_parser(commands: Subparsers) -> None:
    """Add the subcommand to the parser.

    Parameters
    ----------
    commands : object
        What ``add_subparsers`` returned.
    """
    parser = add_command(
        commands,
        "simulate",
        run,
        summary="draw lenses from a declared population",
        description=(
            "Draw lenses with a simulator and write each as a pair of FITS files:\n"
            "lensed_XXXXX.fits is the observation (image and noise in adu, PSF, WCS), ready\n"
            "for `astrorim reconstruct`; source_XXXXX.fits the true source (adu/arcsec2).\n"
            "Everything drawn stands in truths.ecsv. A lens depends on the seed and its\n"
            "number alone, so an interrupted run goes on where it stopped, and a longer one\n"
            "begins alike."
        ),
        examples=(
            "  astrorim simulate foundation --number 100 --seed 1 --output-dir simulated\n"
            "  astrorim simulate foundation --lens-model sie+shear+nfw --number 10 \\\n"
            '      --seed 1 --pixel-scale "0.05 arcsec" --size 128 --output-dir halos'
        ),
    )
    parser.add_argument(
        "name", metavar="NAME",
        help="registered simulator, for example foundation (`astrorim plugins` lists them)",
    )  # fmt: skip
    parser.add_argument(
        "--number", type=positive_integer, default=1, help="how many lenses (default: 1)"
    )
    parser.add_argument(
        "--start", type=natural_number, default=0, help="number of the first lens (default: 0)"
    )
    parser.add_argument(
        "--seed", type=natural_number, default=1,
        help="seed of the dataset (default: 1); training uses seeds below 10^9, evaluation "
        "those above",
    )  # fmt: skip
    add_output_dir(parser, "the pairs and their catalogue")
    parser.add_argument(
        "--lens-model", metavar="NAME",
        help="lens model to draw, such as sie+shear (default: the simulator's own)",
    )  # fmt: skip
    parser.add_argument(
        "--pixel-scale", type=pixel_scale, metavar="ANGLE",
        help='side of a pixel with its unit, such as "0.05 arcsec" (default: the '
        "simulator's own)",
    )  # fmt: skip
    parser.add_argument(
        "--size", type=positive_integer, default=96, help="pixels along a side (default: 96)"
    )
    parser.add_argument(
        "--output-suffix", type=_suffix, default="", metavar="TEXT",
        help="put at the end of the files' names: source_00000TEXT.fits",
    )  # fmt: skip
    parser.add_argument(
        "--batch-size", type=positive_integer, default=16,
        help="lenses drawn at a time (default: 16); changes nothing in the files",
    )  # fmt: skip


def _suffix(text: str) -> str:
    if not re.fullmatch(r"[\w.+-]*", text):
        raise argparse.ArgumentTypeError(
            f"must be of letters, digits and . _ + -, got {text!r}"
        )
    return text


def create_simulator(name: str, lens_model: str | None) -> Simulator:
    """Make a simulator, drawing a lens model of choice.

    Parameters
    ----------
    name : str
        Registered name or alias.
    lens_model : str or None
        Name of a lens model or of a sum; the simulator's own if None.

    Returns
    -------
    Simulator

    Raises
    ------
    SimulationError
        If the simulator does not let the lens model be chosen.
    UnknownNameError
        If the simulator or the lens model is not registered.
    """
    from astrorim.plugins import load_plugins

    simulators = load_plugins().simulators
    if lens_model is None:
        return simulators.create(name)
    try:
        return simulators.create(name, lens_model=lens_model)
    except (TypeError, PluginError) as error:
        raise SimulationError(
            f"simulator {name!r} does not take lens_model={lens_model!r} ({error}); leave "
            "--lens-model out"
        ) from error


def run(args: argparse.Namespace) -> int:
    """Simulate.

    Parameters
    ----------
    args : argparse.Namespace
        As `add_parser` declares.

    Returns
    -------
    int
        0.
    """
    from astropy import units as u

    from astrorim.interchange import finished_pairs, write_pairs
    from astrorim.quantities import parse_pixel_scale

    simulator = create_simulator(args.name, args.lens_model)
    scale = None
    if args.pixel_scale is not None:
        scale = float(parse_pixel_scale(args.pixel_scale).to_value(u.arcsec / u.pix))
    _check_record(
        args.output_dir / f"simulation{args.output_suffix}.json",
        {
            "simulator": simulator.name,
            "lens_model": simulator.lens_model,
            "seed": args.seed,
            "pixel_scale_arcsec": scale,
            "size": args.size,
        },
    )
    finished = finished_pairs(args.output_dir, seed=args.seed, suffix=args.output_suffix)
    end = args.start + args.number
    already = len(finished & set(range(args.start, end)))
    if already:
        LOGGER.info("%d of %d lenses are there already", already, args.number)
    with progress_bar(args.number, "lens", initial=already) as bar:
        for first in range(args.start, end, args.batch_size):
            wanted = set(range(first, min(first + args.batch_size, end)))
            if wanted <= finished:
                continue
            simulated = simulator.simulate(
                len(wanted), seed=args.seed, start=first,
                shape=(args.size, args.size), pixel_scale=scale,
            )  # fmt: skip
            write_pairs(simulated, args.output_dir, suffix=args.output_suffix)
            bar.update(len(wanted - finished))
    print(args.output_dir)
    return 0


def _check_record(path: Path, wanted: dict[str, Any]) -> None:
    """Compare with the options that a directory was begun with, or note them."""
    if path.exists():
        stored = json.loads(path.read_text(encoding="utf-8"))
        differing = [key for key in wanted if stored.get(key) != wanted[key]]
        if differing:
            key = differing[0]
            raise SimulationError(
                f"{path.parent} holds lenses with {key} {stored.get(key)!r}, asked for "
                f"{wanted[key]!r}; choose another --output-dir or --output-suffix"
            )
        return
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(wanted, indent=2) + "\n", encoding="utf-8")

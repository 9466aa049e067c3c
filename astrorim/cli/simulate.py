"""``astrorim simulate``: lenses drawn by a simulator, as files or as a contact sheet."""

from __future__ import annotations

import argparse
import inspect
import json
import re
from collections.abc import Mapping
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
    from astrorim.interchange.simulated_run import SimulationRequest
    from astrorim.interfaces import Simulator

__all__ = ["add_parser", "create_simulator", "run"]

_FORMATS = ("fits", "asdf", "shards")
_SUPERSAMPLING = 4
_PREVIEWED = 12


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
            "With --format asdf, lens_XXXXX.asdf holds both. Everything drawn stands in\n"
            "truths.ecsv. With --format shards, files of 256 lenses that `astrorim train\n"
            "--data-dir` reads. A lens depends on the seed and its number alone, so an\n"
            "interrupted run goes on where it stopped, and a longer one begins alike."
        ),
        examples=(
            "  astrorim simulate foundation --number 100 --seed 1 --output-dir simulated\n"
            "  astrorim simulate foundation --lens-model sie+shear+nfw --number 10 \\\n"
            '      --seed 1 --pixel-scale "0.05 arcsec" --size 128 --output-dir halos\n'
            "  astrorim simulate foundation --preview --output-dir preview\n"
            "  astrorim simulate foundation --number 20000 --format shards --workers 4 \\\n"
            "      --option wide_clumps=true --output-dir shards"
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
    add_output_dir(parser, "the lenses and their catalogue")
    parser.add_argument(
        "--format", choices=_FORMATS, default="fits",
        help="pairs of FITS files, ASDF files, or shards for training (default: fits)",
    )  # fmt: skip
    parser.add_argument(
        "--preview", action="store_true",
        help=f"draw a contact sheet of {_PREVIEWED} lenses and their sources, preview.png, "
        "and nothing else",
    )  # fmt: skip
    parser.add_argument(
        "--option", action="append", type=_option, default=[], metavar="KEY=VALUE",
        help="option of the simulator, its value a JSON number, true, false, null, text "
        "or a list such as [0.05,0.5]; "
        "may be repeated",
    )  # fmt: skip
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
        "--supersampling", type=positive_integer, default=_SUPERSAMPLING, metavar="N",
        help=f"sub-pixels along the side of a pixel (default: {_SUPERSAMPLING})",
    )  # fmt: skip
    parser.add_argument(
        "--output-suffix", type=_suffix, default="", metavar="TEXT",
        help="put at the end of the files' names: source_00000TEXT.fits",
    )  # fmt: skip
    parser.add_argument(
        "--batch-size", type=positive_integer, default=16,
        help="lenses drawn at a time (default: 16); changes nothing in the files",
    )  # fmt: skip
    parser.add_argument(
        "--workers", type=positive_integer, default=1, metavar="N",
        help="processes that draw and write (default: 1); changes nothing in the files",
    )  # fmt: skip


def _suffix(text: str) -> str:
    if not re.fullmatch(r"[\w.+-]*", text):
        raise argparse.ArgumentTypeError(
            f"must be of letters, digits and . _ + -, got {text!r}"
        )
    return text


def _option(text: str) -> tuple[str, Any]:
    """Key and value of an option of a simulator; bare words are text."""
    key, equals, given = text.partition("=")
    key = key.strip().replace("-", "_")
    if not equals or not key.isidentifier():
        raise argparse.ArgumentTypeError(
            f"must be KEY=VALUE, such as wide_clumps=true, got {text!r}"
        )
    try:
        value = json.loads(given)
    except ValueError:
        value = given
    members = value if isinstance(value, list) else [value]
    if any(isinstance(member, list | dict) for member in members):
        raise argparse.ArgumentTypeError(
            "must have a number, true, false, null, text, or a list of these as its value, "
            f"got {text!r}"
        )
    return key, value


def create_simulator(
    name: str, lens_model: str | None, options: Mapping[str, Any] | None = None
) -> Simulator:
    """Make a simulator, drawing a lens model of choice.

    Parameters
    ----------
    name : str
        Registered name or alias.
    lens_model : str or None
        Name of a lens model or of a sum; the simulator's own if None.
    options : mapping of str to object, optional
        Other options of the simulator.

    Returns
    -------
    Simulator

    Raises
    ------
    SimulationError
        If the simulator does not have an option, or refuses its value.
    UnknownNameError
        If the simulator or the lens model is not registered.
    """
    from astrorim.plugins import load_plugins

    simulators = load_plugins().simulators
    wanted = dict(options or {})
    if lens_model is not None:
        wanted["lens_model"] = lens_model
    simulator = simulators.create(name)
    if not wanted:
        return simulator
    known = _options_of(type(simulator))
    for key in wanted:
        if known is not None and key not in known:
            raise SimulationError(
                f"simulator {name!r} has no option {key!r}; its options are "
                f"{', '.join(known) or 'none'}"
            )
    try:
        return simulators.create(name, **wanted)
    except (TypeError, PluginError) as error:
        raise SimulationError(
            f"simulator {name!r} cannot be made with {wanted} ({error}); its options are "
            f"{', '.join(known or ()) or 'not known'}"
        ) from error


def _options_of(kind: type[Simulator]) -> list[str] | None:
    """Names of a simulator's options; None if it takes any."""
    parameters = inspect.signature(kind).parameters.values()
    if any(p.kind is p.VAR_KEYWORD for p in parameters):
        return None
    return [p.name for p in parameters if p.kind in (p.KEYWORD_ONLY, p.POSITIONAL_OR_KEYWORD)]


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

    from astrorim.interchange.simulated_run import SimulationRequest, simulate_to_directory
    from astrorim.quantities import parse_pixel_scale

    options = dict(args.option)
    simulator = create_simulator(args.name, args.lens_model, options)
    if args.lens_model is not None:
        options["lens_model"] = args.lens_model
    scale = None
    if args.pixel_scale is not None:
        scale = float(parse_pixel_scale(args.pixel_scale).to_value(u.arcsec / u.pix))
    request = SimulationRequest(
        simulator=args.name,
        directory=args.output_dir,
        number=args.number,
        seed=args.seed,
        start=args.start,
        shape=(args.size, args.size),
        pixel_scale=scale,
        supersampling=args.supersampling,
        options=options,
        format_name=args.format,
        suffix=args.output_suffix,
        batch_size=args.batch_size,
    )
    if args.preview:
        print(_preview(simulator, request))
        return 0
    _check_record(
        args.output_dir / f"simulation{args.output_suffix}.json",
        {
            "simulator": simulator.name,
            "lens_model": simulator.lens_model,
            "seed": args.seed,
            "pixel_scale_arcsec": scale,
            "size": args.size,
            "supersampling": args.supersampling,
            "options": options,
            "format": args.format,
        },
    )
    with progress_bar(args.number, "lens") as bar:

        def begun(already: int) -> None:
            if already:
                LOGGER.info("%d of %d lenses are there already", already, args.number)
            bar.update(already)

        simulate_to_directory(request, workers=args.workers, begun=begun, progress=bar.update)
    print(args.output_dir)
    return 0


def _preview(simulator: Simulator, request: SimulationRequest) -> Path:
    """Draw the contact sheet, and say where it is."""
    from astrorim.interchange.simulated_files import sole_writer, write_whole
    from astrorim.plotting import figure_to_png
    from astrorim.plotting.contact_sheet import plot_contact_sheet

    figure = plot_contact_sheet(
        request.draw(request.start, _PREVIEWED),
        title=f"{simulator.name}, seed {request.seed}",
    )
    path = request.directory / f"preview{request.suffix}.png"
    with sole_writer(request.directory):
        write_whole(path, figure_to_png(figure))
    return path


def _check_record(path: Path, wanted: dict[str, Any]) -> None:
    """Compare with the options that a directory was begun with, or note them."""
    from astrorim.interchange.simulated_files import write_whole

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
    write_whole(path, (json.dumps(wanted, indent=2) + "\n").encode())

"""``astrorim demo``: reconstruct the example that comes with the package."""

from __future__ import annotations

import argparse
import importlib.resources
import time
from pathlib import Path
from typing import TYPE_CHECKING

from astrorim.cli.arguments import Subparsers, add_command, add_output_dir
from astrorim.cli.reconstruct import add_network_options, load_networks
from astrorim.cli.terminal import LOGGER

if TYPE_CHECKING:
    from astrorim.observation import LensObservation
    from astrorim.results import Reconstruction

__all__ = ["add_parser", "demo_file", "parameter_lines", "run", "true_parameters"]

_NAME = "demo"

_GUIDE = """\
The figure: {figure}
What to look at:
  - the normalised residual: noise without rings or arcs means that lens, source and PSF
    explain the image; rings at the arcs point to the lens model or the PSF;
  - the reduced chi-square of the arcs: about 1 if the noise map is right;
  - the source: a galaxy and its smaller neighbour, which the lens made into arcs;
  - the bounds above: they should hold the truth about two times in three.
Everything else of the result is in {asdf}; in Python:
  from astrorim import Reconstruction
  result = Reconstruction.read("{asdf}")"""


def add_parser(commands: Subparsers) -> None:
    """Add the subcommand to the parser.

    Parameters
    ----------
    commands : object
        What ``add_subparsers`` returned.
    """
    parser = add_command(
        commands,
        "demo",
        run,
        summary="reconstruct the example that comes with the package",
        description=(
            "Reconstruct a simulated lens that comes with AstroRIM, with the weights that\n"
            "come with it, write the six files of the result, and print the parameters\n"
            "(arcsec, radians) beside the truth. The networks have not seen this lens in\n"
            "training."
        ),
        examples="  astrorim demo --output-dir demo",
    )
    add_output_dir(parser, "the result and the example's image")
    add_network_options(parser)


def demo_file() -> Path:
    """Where the example's FITS file is.

    Returns
    -------
    Path
    """
    with importlib.resources.as_file(
        importlib.resources.files("astrorim") / "resources" / "demo" / "demo_lens.fits"
    ) as path:
        return path


def true_parameters(observation: LensObservation) -> dict[str, float]:
    """What the example was drawn with, from its header.

    Parameters
    ----------
    observation : LensObservation
        Simulated, its truth in ``meta``.

    Returns
    -------
    dict of str to float
        Reported names of the lens, and light names prefixed ``light_``; declared units.
    """
    from astrorim.lensing.system import LensSystem
    from astrorim.plugins import load_plugins
    from astrorim.results.parameter_table import LIGHT_PREFIX, reported_values

    plugins = load_plugins()
    system = LensSystem(
        plugins.lens_models.resolve(observation.meta["LENSMOD"]),
        plugins.light_models.create(observation.meta["LIGHTMOD"]),
    )
    drawn = {p.name: float(observation.meta[p.fits_key]) for p in system.parameters}
    lens = {k: v for k, v in drawn.items() if not k.startswith(LIGHT_PREFIX)}
    light = {k: v for k, v in drawn.items() if k.startswith(LIGHT_PREFIX)}
    return {name: float(value) for name, value in reported_values(lens).items()} | light


def parameter_lines(result: Reconstruction, truth: dict[str, float]) -> list[str]:
    """Parameter table with the truth beside it, as lines of text.

    Parameters
    ----------
    result : Reconstruction
        The result.
    truth : dict of str to float
        By the names of the table's columns; parameters that are not in it are left out.

    Returns
    -------
    list of str
    """
    rows = [("parameter", "value", "lower 68%", "upper 68%", "truth", "unit")]
    for name in result.parameters.colnames[1:]:
        if name in truth:
            numbers = [q.value for q in result.parameter(name)] + [truth[name]]
            unit = result.parameter(name)[0].unit.to_string()
            rows.append((name, *(f"{number:.4g}" for number in numbers), unit))
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    return [
        "  ".join(
            text.ljust(width) if column in (0, 5) else text.rjust(width)
            for column, (text, width) in enumerate(zip(row, widths, strict=True))
        ).rstrip()
        for row in rows
    ]


def run(args: argparse.Namespace) -> int:
    """Run the demonstration.

    Parameters
    ----------
    args : argparse.Namespace
        As `add_parser` declares.

    Returns
    -------
    int
        0.
    """
    from astrorim.observation import LensObservation

    observation = LensObservation.read(demo_file())
    reconstructor = load_networks(args)
    begun = time.monotonic()
    observation.name = _NAME
    result = reconstructor.reconstruct(
        observation, num_iterations=args.num_iterations, seed=args.seed
    )
    LOGGER.info("reconstructed in %.1f s", time.monotonic() - begun)
    paths = result.to_directory(args.output_dir)
    print("\n".join(parameter_lines(result, true_parameters(observation))))
    print(
        f"reduced chi-square {result.reduced_chi2:.3f}, in the arcs "
        f"{result.arc_reduced_chi2:.3f}"
    )
    for flag, advice in result.flags.items():
        print(f"flag {flag}: {advice}")
    print()
    print(_GUIDE.format(figure=paths["diagnostic"], asdf=paths["asdf"]))
    return 0

"""``astrorim info``: what a FITS or ASDF file is to us, and what is missing in it."""

from __future__ import annotations

import argparse
import sys

from astrorim.cli.arguments import Subparsers, add_command
from astrorim.exceptions import AstroRIMError

__all__ = ["add_parser", "hdu_key", "run"]


def add_parser(commands: Subparsers) -> None:
    """Add the subcommand to the parser.

    Parameters
    ----------
    commands : object
        What ``add_subparsers`` returned.
    """
    parser = add_command(
        commands,
        "info",
        run,
        summary="say what a file is, and what is missing in it",
        description=(
            "Say what a FITS or ASDF file is to AstroRIM: layout, unit, pixel scale in\n"
            "arcsec per pixel, noise, PSF, redshifts; and, for what is missing, the option\n"
            "of `astrorim reconstruct` that supplies it. The exit status is 1 if a file is\n"
            "neither FITS nor ASDF."
        ),
        examples="  astrorim info image.fits\n  astrorim info --band F814W mosaic.fits",
    )
    parser.add_argument("files", nargs="+", metavar="FILE", help="FITS or ASDF file")
    parser.add_argument("--hdu", type=hdu_key, help="number or name of the image's HDU")
    parser.add_argument("--band", help="band of the image, in a file of several")


def hdu_key(text: str) -> int | str:
    """HDU by number or by name."""
    return int(text) if text.isdigit() else text


def run(args: argparse.Namespace) -> int:
    """Describe the files.

    Parameters
    ----------
    args : argparse.Namespace
        With ``files``, ``hdu`` and ``band``.

    Returns
    -------
    int
        1 if a file is not one that can be described.
    """
    from astrorim.observation import describe

    status = 0
    for number, path in enumerate(args.files):
        if number:
            print()
        try:
            print(describe(path, hdu=args.hdu, band=args.band))
        except (AstroRIMError, OSError) as error:
            if args.debug:
                raise
            sys.stdout.flush()
            print(f"astrorim: error: {args.explain(error)}", file=sys.stderr)
            status = 1
    return status

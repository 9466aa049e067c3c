"""``astrorim psf``: the point spread function of an image, from its stars."""

from __future__ import annotations

import argparse

from astrorim.cli.arguments import (
    Subparsers,
    add_command,
    add_output_file,
    pixel_scale,
    positive_integer,
    positive_number,
)
from astrorim.cli.info import hdu_key

__all__ = ["add_parser", "run"]


def add_parser(commands: Subparsers) -> None:
    """Add the subcommand to the parser.

    Parameters
    ----------
    commands : object
        What ``add_subparsers`` returned.
    """
    parser = add_command(
        commands,
        "psf",
        run,
        summary="build the PSF from the stars in a field",
        description=(
            "Find isolated stars in an image, leave out what is saturated, crowded, masked,\n"
            "at the edge or extended, and build the effective PSF: a stamp of sum one with\n"
            "its centroid on the middle element, for `astrorim reconstruct --psf`. The width\n"
            "is printed in arcsec."
        ),
        examples=(
            "  astrorim psf field.fits --output psf.fits\n"
            "  astrorim psf field.fits --saturation 60000 --psf-supersampling 2 \\\n"
            "      --output psf.fits"
        ),
    )
    parser.add_argument("field", metavar="FIELD", help="FITS or ASDF image with stars")
    add_output_file(parser, "FITS", "stamp")
    parser.add_argument(
        "--size", type=positive_integer, default=25, metavar="N",
        help="side of the stamp in detector pixels, odd (default: 25)",
    )  # fmt: skip
    parser.add_argument(
        "--psf-supersampling", type=positive_integer, default=1, metavar="N",
        help="elements along the side of a detector pixel (default: 1)",
    )  # fmt: skip
    parser.add_argument(
        "--fwhm-pixels", type=positive_number, default=3.0, metavar="PIXELS",
        help="expected width, to a factor of two (default: 3)",
    )  # fmt: skip
    parser.add_argument(
        "--threshold", type=positive_number, default=50.0, metavar="SIGMA",
        help="least peak of a star over the sky's scatter (default: 50)",
    )  # fmt: skip
    parser.add_argument(
        "--saturation", type=positive_number, metavar="LEVEL",
        help="level above which pixels are saturated, in the image's unit",
    )  # fmt: skip
    parser.add_argument("--hdu", type=hdu_key, help="number or name of the image's HDU")
    parser.add_argument("--unit", help="unit of the image, if the header has none")
    parser.add_argument(
        "--pixel-scale", type=pixel_scale, metavar="ANGLE", help='such as "0.05 arcsec"'
    )


def run(args: argparse.Namespace) -> int:
    """Build and write the stamp.

    Parameters
    ----------
    args : argparse.Namespace
        As `add_parser` declares.

    Returns
    -------
    int
        Zero.
    """
    from astropy.io import fits

    from astrorim.observation import LensObservation
    from astrorim.observation.star_psf import psf_from_stars
    from astrorim.observation.unified_io import replacing

    options = {"hdu": args.hdu, "unit": args.unit, "pixel_scale": args.pixel_scale}
    image = LensObservation.read(
        args.field, **{name: value for name, value in options.items() if value is not None}
    )
    found = psf_from_stars(
        image,
        size=args.size,
        supersampling=args.psf_supersampling,
        fwhm_pixels=args.fwhm_pixels,
        threshold=args.threshold,
        saturation=args.saturation,
    )
    header = fits.Header()
    header["PSFFWHM"] = found.fwhm.to_value("arcsec"), "full width at half maximum, arcsec"
    header["PSFSAMP"] = found.supersampling, "elements along the side of a detector pixel"
    header["NSTARS"] = len(found.stars), "stars that were combined"
    with replacing(args.output, overwrite=args.overwrite) as temporary:
        fits.writeto(temporary, found.stamp.astype("f4"), header)
    left_out = ", ".join(f"{number} {reason}" for reason, number in found.rejected.items())
    print(f"stars     {len(found.stars)} used; left out: {left_out or 'none'}")
    print(f"FWHM      {found.fwhm:.4f}")
    print(args.output)
    return 0

"""``astrorim line-image``: the image of a lens in one line of a cube."""

from __future__ import annotations

import argparse
from typing import TYPE_CHECKING

from astrorim.cli.arguments import (
    Subparsers,
    add_command,
    add_output_file,
    natural_number,
    positive_number,
)
from astrorim.cli.info import hdu_key

if TYPE_CHECKING:
    from astropy.units import Quantity

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
        "line-image",
        run,
        summary="make the image of a lens in one line of an IFU cube",
        description=(
            "Sum a cube over an emission line of the source, with the continuum (and with it\n"
            "the lens) subtracted from bands on both sides, and write an image that\n"
            "`astrorim reconstruct` takes: celestial WCS, noise propagated from the cube,\n"
            "mask and PSF. Wavelengths are observed ones, in the cube's own medium; with\n"
            "--line and --z-source they are computed, in air where the cube's are. Widths are\n"
            "wavelengths (angstrom) or velocities (km/s)."
        ),
        examples=(
            '  astrorim line-image cube.fits --line "[O II]" --z-source 1.0 \\\n'
            '      --half-width "300 km/s" --psf psf.fits --output line.fits\n'
            '  astrorim line-image cube.fits --wavelength "7460 AA" --half-width "8 AA" \\\n'
            "      --output line.fits"
        ),
    )
    parser.add_argument(
        "cube", metavar="CUBE", help="FITS cube, its noise in STAT, VAR, ERR or IVAR"
    )
    where = parser.add_mutually_exclusive_group(required=True)
    where.add_argument("--line", metavar="NAME", help='line by name, such as "[O III]"')
    where.add_argument("--wavelength", metavar="LENGTH", help='such as "7460 AA"')
    parser.add_argument(
        "--half-width", default="300 km/s", metavar="WIDTH",
        help="from the line's centre to the edge of its band (default: 300 km/s)",
    )  # fmt: skip
    parser.add_argument(
        "--side-gap", metavar="WIDTH",
        help="from the band to the side bands (default: the half width)",
    )  # fmt: skip
    parser.add_argument(
        "--side-width", metavar="WIDTH",
        help="of each side band (default: five half widths)",
    )  # fmt: skip
    parser.add_argument(
        "--continuum-degree", type=natural_number, default=1, metavar="N",
        help="degree of the continuum's polynomial (default: 1)",
    )  # fmt: skip
    parser.add_argument("--hdu", type=hdu_key, help="number or name of the cube's HDU")
    parser.add_argument("--unit", help="unit of the cube, if the header has none")
    parser.add_argument("--psf", metavar="FITS", help="PSF at the line, on the cube's pixels")
    parser.add_argument("--z-lens", type=positive_number, metavar="Z", help="of the lens")
    parser.add_argument("--z-source", type=positive_number, metavar="Z", help="of the source")
    add_output_file(parser, "FITS", "image")


def run(args: argparse.Namespace) -> int:
    """Make the image.

    Parameters
    ----------
    args : argparse.Namespace
        As `add_parser` declares.

    Returns
    -------
    int
        Zero.

    Raises
    ------
    ValueError
        If a line is given without the redshift of the source, or a length or width
        cannot be read.
    """
    import numpy as np

    from astrorim.observation.separate_files import load_psf
    from astrorim.observation.unified_io import replacing
    from astrorim.spectra import LineBands, line_image, observed_wavelength, read_cube

    cube = read_cube(args.cube, hdu=args.hdu, unit=args.unit)
    if args.line is not None:
        if args.z_source is None:
            raise ValueError(f"--line {args.line!r} needs --z-source, or give --wavelength")
        in_air = "AWAV" in {str(text)[:4] for text in cube.wcs.wcs.ctype}
        wavelength = observed_wavelength(args.line, args.z_source, in_air=in_air)
    else:
        wavelength = _quantity(args.wavelength, "--wavelength")
    bands = LineBands(
        wavelength,
        _quantity(args.half_width, "--half-width"),
        None if args.side_gap is None else _quantity(args.side_gap, "--side-gap"),
        None if args.side_width is None else _quantity(args.side_width, "--side-width"),
    )
    image = line_image(
        cube,
        bands,
        continuum_degree=args.continuum_degree,
        psf=None if args.psf is None else load_psf(args.psf),
        z_lens=args.z_lens,
        z_source=args.z_source,
        band=args.line,
        name=args.output.name.partition(".")[0],
    )
    with replacing(args.output, overwrite=args.overwrite) as temporary:
        image.write(temporary, format="fits")
    print(f"line      {bands.wavelength:.2f} +- {bands.half_width:.2f}")
    print(f"flux      {np.nansum(image.data):.4g} {image.unit} in {image.good.sum()} pixels")
    if image.has_noise:
        noise = np.median(image.noise[image.good])
        brightest = np.nanmax(np.where(image.good, image.data / image.noise, np.nan))
        print(f"noise     {noise:.3g} per pixel; brightest pixel at {brightest:.1f} sigma")
    print(args.output)
    return 0


def _quantity(text: str, option: str) -> Quantity:
    import astropy.units as u

    try:
        quantity = u.Quantity(text)
    except TypeError as error:
        raise ValueError(
            f'{option} must be a length or a velocity with its unit, such as "7460 AA" or '
            f'"300 km/s", got {text!r}'
        ) from error
    if quantity.unit == u.dimensionless_unscaled:
        raise ValueError(f"{option} must have a unit, such as {text} AA, got {text!r}")
    return quantity

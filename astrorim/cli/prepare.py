"""``astrorim prepare``: from telescope files to observations that can be reconstructed."""

from __future__ import annotations

import argparse
from typing import TYPE_CHECKING, Any

from astrorim.cli.arguments import (
    Subparsers,
    add_command,
    add_output_dir,
    pixel_scale,
    positive_number,
)
from astrorim.cli.image_options import (
    add_image_options,
    add_observation_options,
    jobs_of,
    read_options,
)
from astrorim.exceptions import ObservationError

if TYPE_CHECKING:
    from astrorim.preparation import Preparation

__all__ = ["add_parser", "run"]

_DESCRIPTION = """\
Prepare images of any kind for `astrorim reconstruct`: find the lens, measure the sky
around it and take it off, find or make a noise map, cut, and write one observation per
lens with its PSF, noise, mask and WCS. The size and the pixels stay as they are unless
told otherwise; nothing is interpolated.

The noise map is the file's or the one that is given. Else it is made from the scatter of
the blank sky and, where gain and exposure time are known, the photons of the lens; what
was done is printed and recorded in the header (NOISEMAP). A weight map is used only when
it is known what it is (--weight-type).

A file that fails does not stop the others: prepared.ecsv says why, and the same command
goes on from where it was stopped. The exit status is 1 if a file failed."""

_EXAMPLES = """\
  astrorim prepare drizzled.fits --exposure "2200 s" --size "8 arcsec" --output-dir ready
  astrorim prepare euclid.fits --unit adu --band all --output-dir ready
  astrorim prepare --input-dir raw --unit adu --gain "1.6 electron/adu" --output-dir ready
  astrorim prepare image.fits --weight image_wht.fits --weight-type ivar --output-dir ready"""


def add_parser(commands: Subparsers) -> None:
    """Add the subcommand to the parser.

    Parameters
    ----------
    commands : object
        What ``add_subparsers`` returned.
    """
    parser = add_command(
        commands, "prepare", run,
        summary="turn telescope files into observations ready for reconstruct",
        description=_DESCRIPTION, examples=_EXAMPLES,
    )  # fmt: skip
    add_image_options(parser, "what to prepare")
    add_output_dir(parser, "the observations and prepared.ecsv", again="images")
    add_observation_options(parser)
    files = parser.add_argument_group("what the header does not say")
    files.add_argument("--exposure", metavar="TIME", help='exposure time, such as "2200 s"')
    files.add_argument("--gain", metavar="GAIN", help='such as "1.6 electron/adu"')
    files.add_argument(
        "--read-noise", type=positive_number, metavar="E", help="of one exposure, electrons"
    )
    files.add_argument(
        "--sky-electrons", type=positive_number, metavar="E",
        help="sky that was taken off before, electrons per pixel (--noise-source header)",
    )  # fmt: skip
    add_preparation_options(parser)
    how = parser.add_argument_group("how to write")
    how.add_argument(
        "--format", choices=("fits", "asdf"), default="fits",
        help="of the observations (default: fits)",
    )  # fmt: skip
    how.add_argument(
        "--figure", action="store_true", help="draw all prepared images into prepared.png"
    )


def add_preparation_options(parser: argparse.ArgumentParser) -> None:
    """Add the options that say what is done to the images.

    Parameters
    ----------
    parser : argparse.ArgumentParser
        Where to.
    """
    group = parser.add_argument_group("what is done")
    group.add_argument(
        "--size", metavar="N|ANGLE",
        help='side of the cutout, pixels or an angle such as "8 arcsec" (default: the size is '
        "kept)",
    )  # fmt: skip
    group.add_argument(
        "--centre", "--center", default="auto", metavar="auto|frame|X,Y|RA DEC",
        help="where the lens is: found, the frame's centre, column and row counted from 0, or "
        "sky coordinates (default: auto)",
    )  # fmt: skip
    group.add_argument(
        "--sky", choices=("auto", "subtract", "keep"), default="auto",
        help="take the sky off (default: auto, unless the file says that it was)",
    )  # fmt: skip
    group.add_argument(
        "--sky-radius", type=positive_number, metavar="ARCSEC",
        help="radius about the lens that is no sky (default: a quarter of the frame)",
    )  # fmt: skip
    group.add_argument(
        "--noise-source", default="auto",
        choices=("auto", "file", "header", "sky+photons", "sky"),
        help="where the noise map comes from (default: auto, the best that is possible)",
    )  # fmt: skip
    group.add_argument(
        "--cosmic-rays", action="store_true", help="find and mask hits of cosmic rays"
    )
    group.add_argument("--weight", metavar="FILE", help="weight map")
    group.add_argument(
        "--weight-type",
        choices=("ivar", "relative", "exposure", "std", "variance"),
        help="what the numbers of the weight map are",
    )
    group.add_argument(
        "--resample", type=pixel_scale, metavar="ANGLE",
        help="make the pixels coarser; flux is conserved, neighbours become correlated",
    )  # fmt: skip


def run(args: argparse.Namespace) -> int:
    """Prepare.

    Parameters
    ----------
    args : argparse.Namespace
        As `add_parser` declares.

    Returns
    -------
    int
        1 if an image failed, 3 if the program did.
    """
    from astrorim.cli.preparation_batch import expand_bands, run_preparations

    try:
        options = _preparation(args)
    except ObservationError as error:
        args.parser.error(args.explain(error))
    extra = {key: getattr(args, key) for key in ("exposure", "gain") if getattr(args, key)}
    all_bands = args.band == "all"
    if all_bands:
        args.band = None
    jobs = jobs_of(args, read_options(args) | extra)
    if all_bands:
        jobs = expand_bands(jobs)
    return run_preparations(
        jobs,
        options,
        args.output_dir,
        ending=args.format,
        overwrite=args.overwrite,
        figure=args.figure,
    )


def _preparation(args: argparse.Namespace) -> Preparation:
    from astrorim.preparation import Preparation

    size: Any = args.size
    if size is not None and size.isdigit():
        size = int(size)
    return Preparation(
        size=size,
        centre=_centre(args.centre),
        sky=args.sky,
        sky_radius=args.sky_radius,
        noise_source=args.noise_source,
        read_noise=args.read_noise,
        sky_electrons=args.sky_electrons,
        weight=args.weight,
        weight_type=args.weight_type,
        pixel_scale=args.resample,
        cosmic_rays=args.cosmic_rays,
    )


def _centre(text: str) -> Any:
    if text in ("auto", "frame"):
        return text
    try:
        column, row = (float(part) for part in text.split(","))
    except ValueError:
        pass
    else:
        return column, row
    from astropy.coordinates import SkyCoord

    try:
        if any(letter in text for letter in "hdms:"):
            return SkyCoord(text, unit=("hourangle", "deg"))
        return SkyCoord(text, unit="deg")
    except ValueError as error:
        raise ObservationError(
            "centre= must be auto, frame, X,Y in pixels or RA DEC such as '150.1 2.2' or "
            f"'10h00m24s +02d12m00s', got {text!r}"
        ) from error

"""Options that say which images a command takes, and what their files do not say."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import TYPE_CHECKING, Any

from astrorim.cli.arguments import (
    existing_directory,
    pixel_scale,
    positive_integer,
    positive_number,
)
from astrorim.cli.info import hdu_key

if TYPE_CHECKING:
    from astrorim.cli.jobs import LensJob

__all__ = ["add_image_options", "add_observation_options", "jobs_of", "read_options"]

_READ_OPTIONS = {
    "noise": "uncertainty",
    "noise_type": "uncertainty_type",
    "psf": "psf",
    "psf_supersampling": "psf_supersampling",
    "mask": "mask",
    "pixel_scale": "pixel_scale",
    "unit": "unit",
    "z_lens": "z_lens",
    "z_source": "z_source",
    "band": "band",
    "hdu": "hdu",
}
"""Options of the command line, and the keyword arguments of ``LensObservation.read``."""


def add_image_options(
    parser: argparse.ArgumentParser, title: str, *, catalogue: bool = True
) -> None:
    """Add the options for which images are taken; `jobs_of` makes jobs of them.

    Parameters
    ----------
    parser : argparse.ArgumentParser
        Where to.
    title : str
        Of the group.
    catalogue : bool, optional
        Whether a catalogue may name them.
    """
    group = parser.add_argument_group(title)
    group.add_argument("images", nargs="*", metavar="IMAGE", help="FITS or ASDF image")
    group.add_argument(
        "--input-dir", type=existing_directory, metavar="DIR",
        help="all FITS images of a folder, NAME_noise.fits and NAME_psf.fits going with "
        "NAME.fits" + ("; with --catalogue, the folder of its files" if catalogue else ""),
    )  # fmt: skip
    if not catalogue:
        parser.set_defaults(catalogue=None)
        return
    group.add_argument(
        "--catalogue", "--catalog", type=Path, metavar="FILE",
        help="CSV or ECSV with columns image and, where known, name, noise, psf, mask, z_lens, "
        "z_source, pixel_scale, unit, band; empty cells take the options below",
    )  # fmt: skip


def add_observation_options(parser: argparse.ArgumentParser) -> None:
    """Add the options for what the images' files do not say.

    Parameters
    ----------
    parser : argparse.ArgumentParser
        Where to.
    """
    group = parser.add_argument_group("what the files do not say")
    group.add_argument("--noise", metavar="FILE", help="noise map, in the unit of the image")
    group.add_argument(
        "--noise-type", choices=("std", "variance", "ivar"),
        help="what the noise map holds (default: what its extension's name says, else std)",
    )  # fmt: skip
    group.add_argument("--psf", metavar="FILE", help="PSF stamp, odd and square")
    group.add_argument(
        "--psf-supersampling", type=positive_integer, metavar="K",
        help="elements of the PSF along the side of a pixel (default: 1)",
    )  # fmt: skip
    group.add_argument(
        "--mask", metavar="{auto,none,FILE}",
        help="pixels to ignore: FILE, all that are not 0 in it; auto, neighbours found in the "
        "image (default where lenses are refined); none, only those that the image masks "
        "itself",
    )  # fmt: skip
    group.add_argument(
        "--pixel-scale", type=pixel_scale, metavar="ANGLE",
        help='side of a pixel with its unit, such as "0.05 arcsec" (default: from the WCS)',
    )  # fmt: skip
    group.add_argument(
        "--unit", help='unit of the image, such as "electron/s" or "nJy" (default: BUNIT)'
    )
    group.add_argument(
        "--z-lens", type=positive_number, metavar="Z", help="redshift of the lens"
    )
    group.add_argument(
        "--z-source", type=positive_number, metavar="Z", help="redshift of the source"
    )
    group.add_argument("--band", help="band of the image, in a file of several")
    group.add_argument("--hdu", type=hdu_key, help="number or name of the image's HDU")
    group.add_argument(
        "--allow-nonlinear", action="store_true",
        help="accept 8-bit data that look like a picture; its fluxes are not to be trusted",
    )  # fmt: skip


def jobs_of(args: argparse.Namespace, read: dict[str, Any]) -> list[LensJob]:
    """Jobs of the one source that was given; leaves with a usage error otherwise.

    Parameters
    ----------
    args : argparse.Namespace
        With ``images``, ``input_dir`` and ``catalogue``.
    read : dict
        Keyword arguments of ``LensObservation.read``.

    Returns
    -------
    list of LensJob

    Raises
    ------
    ObservationError
        With ``--debug``, if the source cannot be used.
    """
    from astrorim.cli.jobs import check_names, jobs_of_catalogue, jobs_of_files, jobs_of_folder
    from astrorim.exceptions import ObservationError

    elsewhere = args.input_dir is not None or args.catalogue is not None
    if bool(args.images) == elsewhere:
        args.parser.error("give one of: IMAGE files, --input-dir DIR, or --catalogue FILE")
    try:
        if args.images:
            jobs = jobs_of_files(args.images, read)
        elif args.catalogue is not None:
            jobs = jobs_of_catalogue(args.catalogue, read, args.input_dir)
        else:
            jobs = jobs_of_folder(args.input_dir, read)
        check_names(jobs)
    except ObservationError as error:
        if args.debug:
            raise
        args.parser.error(args.explain(error))
    return jobs


def read_options(args: argparse.Namespace) -> dict[str, Any]:
    """Keyword arguments of ``LensObservation.read`` that were given as options.

    Parameters
    ----------
    args : argparse.Namespace
        With the options of `add_observation_options`.

    Returns
    -------
    dict
    """
    given = {keyword: getattr(args, name) for name, keyword in _READ_OPTIONS.items()}
    if args.mask in ("auto", "none"):
        given["mask"] = None
    options = {keyword: value for keyword, value in given.items() if value is not None}
    if args.allow_nonlinear:
        options["allow_nonlinear"] = True
    return options

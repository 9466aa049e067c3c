"""``astrorim normalize``: images in a common, linear scale."""

from __future__ import annotations

import argparse
import warnings
from pathlib import Path
from typing import TYPE_CHECKING

from astrorim.cli.arguments import (
    Subparsers,
    add_command,
    add_output_dir,
    existing_directory,
    positive_integer,
)
from astrorim.cli.reconstruct import add_observation_options, jobs_of, read_options
from astrorim.cli.terminal import LOGGER, progress_bar
from astrorim.exceptions import AstroRIMError, AstroRIMWarning, ObservationError

if TYPE_CHECKING:
    from astrorim.cli.jobs import LensJob
    from astrorim.interfaces import Normalizer

__all__ = ["add_parser", "run"]

_DESCRIPTION = """\
Scale images linearly, x' = (x - offset) / scale, with what each image alone says, and crop
them. Noise is scaled with the image; PSF, mask and WCS go along, and the pixel scale never
changes. Offset and scale are recorded in the header (NORMOFF, NORMSCAL, NORMUNIT), so that
`astrorim.preparation.denormalize` undoes the scaling exactly.

AstroRIM needs none of this: `astrorim reconstruct` scales images itself and undoes it.
Nothing is clipped. With --clip, values outside the percentiles are cut off for display and
detection; such an image is not linear and is marked so (NORMCLIP), and it has no noise map,
without which no likelihood can use it."""


def add_parser(commands: Subparsers) -> None:
    """Add the subcommand to the parser.

    Parameters
    ----------
    commands : object
        What ``add_subparsers`` returned.
    """
    parser = add_command(
        commands, "normalize", run,
        summary="scale images linearly and crop them",
        description=_DESCRIPTION,
        examples=(
            "  astrorim normalize --input-dir raw --output-dir scaled --target-size 96 \\\n"
            '      --method robust --unit "electron/s"'
        ),
    )  # fmt: skip
    parser.add_argument("images", nargs="*", metavar="IMAGE", help="FITS or ASDF image")
    parser.add_argument(
        "--input-dir",
        type=existing_directory,
        metavar="DIR",
        help="all FITS images of a folder",
    )
    add_output_dir(parser, "the scaled images")
    parser.add_argument(
        "--target-size", type=positive_integer, metavar="N",
        help="crop to N x N pixels about the frame's centre (default: the size is kept)",
    )  # fmt: skip
    parser.add_argument(
        "--method", default="robust", metavar="NAME",
        help="normalizer: robust (median and MAD; default), minmax, percentile (1st to 99th), "
        "or a plugin's",
    )  # fmt: skip
    parser.add_argument(
        "--clip", action="store_true", help="cut off what lies outside 0 to 1; display only"
    )
    parser.add_argument("--overwrite", action="store_true", help="do finished images again")
    add_observation_options(parser)
    parser.set_defaults(catalogue=None)


def run(args: argparse.Namespace) -> int:
    """Normalize.

    Parameters
    ----------
    args : argparse.Namespace
        As `add_parser` declares.

    Returns
    -------
    int
        1 if an image failed.
    """
    from astrorim.plugins import load_plugins

    normalizer = load_plugins().normalizers.create(args.method)
    if args.clip and args.method != "percentile":
        args.parser.error(f"--clip goes with --method percentile, got {args.method!r}")
    jobs = jobs_of(args, read_options(args))
    args.output_dir.mkdir(parents=True, exist_ok=True)
    failed = 0
    if args.clip:
        LOGGER.warning("clipped images are not linear: for display and detection only")
    with progress_bar(len(jobs), "image") as bar:
        for job in jobs:
            try:
                target = args.output_dir / f"{job.name}.fits"
                _one(job, normalizer, args, target)
            except (AstroRIMError, ValueError, OSError) as error:
                LOGGER.error("%s: %s", job.name, args.explain(error))
                failed += 1
            bar.update()
    print(f"{len(jobs) - failed} normalized, {failed} failed; see {args.output_dir}")
    return int(failed > 0)


def _one(job: LensJob, normalizer: Normalizer, args: argparse.Namespace, target: Path) -> None:
    from astrorim.observation import write_fits
    from astrorim.preparation.normalization import normalize

    if target.exists():
        if target.samefile(job.image):
            raise ObservationError(
                f"{str(target)!r} is the image itself; choose another --output-dir"
            )
        if not args.overwrite:
            LOGGER.info("%s: finished earlier; --overwrite does it again", target.stem)
            return
    observation = job.read()
    with warnings.catch_warnings():
        # `run` has said what clipping means, once
        warnings.simplefilter("ignore", AstroRIMWarning)
        result = normalize(observation, normalizer, size=args.target_size, clip=args.clip)
    write_fits(result, target, overwrite=True)

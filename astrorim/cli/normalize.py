"""``astrorim normalize``: images in a common, linear scale."""

from __future__ import annotations

import argparse
import warnings
from typing import TYPE_CHECKING

from astrorim.cli.arguments import (
    Subparsers,
    add_command,
    add_output_dir,
    positive_integer,
)
from astrorim.cli.file_run import FINISHED, FileRun, FileStatus
from astrorim.cli.image_options import (
    add_image_options,
    add_observation_options,
    jobs_of,
    read_options,
)
from astrorim.cli.origins import check_request, request_checksum, request_of
from astrorim.cli.terminal import LOGGER
from astrorim.exceptions import AstroRIMWarning

if TYPE_CHECKING:
    from astrorim.cli.jobs import LensJob
    from astrorim.interfaces import Normalizer

__all__ = ["add_parser", "run"]

_RECIPE = "NORMHASH"

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
    add_image_options(parser, "what to scale", catalogue=False)
    add_output_dir(parser, "the scaled images and normalized.ecsv", again="images")
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
    add_observation_options(parser)


def run(args: argparse.Namespace) -> int:
    """Normalize.

    Parameters
    ----------
    args : argparse.Namespace
        As `add_parser` declares.

    Returns
    -------
    int
        1 if an image failed, 3 if the program did.
    """
    from astrorim.plugins import load_plugins

    normalizer = load_plugins().normalizers.create(args.method)
    if args.clip and args.method != "percentile":
        args.parser.error(f"--clip goes with --method percentile, got {args.method!r}")
    jobs = jobs_of(args, read_options(args))
    if args.clip:
        LOGGER.warning("clipped images are not linear: for display and detection only")
    table = args.output_dir / "normalized.ecsv"
    with FileRun(table, FileStatus, total=len(jobs), unit="image") as run:
        for job in jobs:
            row = FileStatus(job.name)
            with run.isolated(row):
                _one(job, normalizer, args, row)
            run.add(row)
    return run.finish("normalized")


def _one(
    job: LensJob, normalizer: Normalizer, args: argparse.Namespace, row: FileStatus
) -> None:
    from astropy.io import fits

    from astrorim.cli.preparation_batch import check_target
    from astrorim.observation import write_fits
    from astrorim.preparation.normalization import normalize
    from astrorim.preparation.records import record
    from astrorim.results.files import file_stem

    target = args.output_dir / f"{file_stem(job.name)}.fits"
    check_target(target, job.image)
    request = job.request() | request_of(
        method=args.method, target_size=args.target_size, clip=args.clip
    )
    if target.exists() and not args.overwrite:
        check_request(job.name, fits.getheader(target).get(_RECIPE), request)
        row.status, row.reason = "skipped", FINISHED
        return
    observation = job.read()
    with warnings.catch_warnings():
        # `run` has said what clipping means, once
        warnings.simplefilter("ignore", AstroRIMWarning)
        result = normalize(observation, normalizer, size=args.target_size, clip=args.clip)
    record(result.meta, _RECIPE, request_checksum(request), "image and options of the scaling")
    write_fits(result, target, overwrite=True)

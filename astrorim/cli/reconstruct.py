"""``astrorim reconstruct``: from images to sources, lens parameters and figures."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import TYPE_CHECKING

from astrorim.cli.arguments import (
    Subparsers,
    add_command,
    add_output_dir,
    fraction_of_work,
    natural_number,
    positive_integer,
)
from astrorim.cli.image_options import (
    add_image_options,
    add_observation_options,
    jobs_of,
    read_options,
)
from astrorim.cli.refinement_stage import add_refinement_options, load_refinement
from astrorim.cli.terminal import LOGGER

if TYPE_CHECKING:
    from astrorim.rim import RIMReconstructor

__all__ = [
    "add_network_options",
    "add_parser",
    "add_weight_options",
    "check_device",
    "load_networks",
    "run",
]

_DECISIVE = (
    "refine", "start", "source_size", "lens_model", "light_model", "forward_model",
    "rim_model", "num_iterations", "seed", "noise_correlation",
)  # fmt: skip
"""Options besides those of the images that a result depends on."""

_DESCRIPTION = """\
Reconstruct the unlensed source and the lens parameters of one image, of several, of a
folder or of a catalogue. For each lens, named after the image's file, the output directory
receives NAME_source.fits (flux/arcsec2, own WCS), NAME_forward.fits and NAME_residual.fits
(observation minus forward, in the image's unit), NAME_parameters.json (b, x0, y0, rs in
arcsec; phi, gamma_phi in radians; 68 % bounds), NAME_diagnostic.png and NAME.asdf with
everything; status.ecsv says what became of each lens. Lenses that are finished are skipped
when the command is given again. Lenses that fail do not stop the others; the exit status is
then 1.

A single lens is refined after a search of the image alone (--refine map); several are
reconstructed by the networks unless told otherwise.

An image needs a unit, a pixel scale, a PSF and a noise map: `astrorim info IMAGE` says which
of them its file lacks. Without a noise map the noise of the blank sky is measured instead,
with a warning."""

_EXAMPLES = """\
  astrorim reconstruct image.fits --noise noise.fits --psf psf.fits \\
      --pixel-scale "0.05 arcsec" --unit "electron/s" --output-dir results
  astrorim reconstruct image.fits --noise noise.fits --psf psf.fits \\
      --pixel-scale "0.05 arcsec" --unit "electron/s" --refine hmc --output-dir results
  astrorim reconstruct --input-dir simulated --output-dir results --batch-size 8
  astrorim reconstruct --catalogue lenses.csv --unit "electron/s" --output-dir results
a catalogue (CSV or ECSV; paths relative to its folder or --input-dir, and inside it):
  name,image,noise,psf,z_lens,z_source,pixel_scale
  J0946,J0946/image.fits,J0946/noise.fits,J0946/psf.fits,0.222,0.609,0.05 arcsec"""


def add_parser(commands: Subparsers) -> None:
    """Add the subcommand to the parser.

    Parameters
    ----------
    commands : object
        What ``add_subparsers`` returned.
    """
    parser = add_command(
        commands,
        "reconstruct",
        run,
        summary="reconstruct sources and lens parameters from images",
        description=_DESCRIPTION,
        examples=_EXAMPLES,
    )
    add_image_options(parser, "what to reconstruct")
    add_output_dir(parser, "the results and status.ecsv", again="lenses")
    add_observation_options(parser)
    add_network_options(parser)
    add_refinement_options(parser)
    how = parser.add_argument_group("how to run")
    how.add_argument(
        "--batch-size", type=positive_integer, default=1,
        help="lenses reconstructed together (default: 1); more is faster on a GPU",
    )  # fmt: skip
    how.add_argument(
        "--num-workers", type=natural_number, default=0,
        help="accepted for the scripts of the prior version and not used: images are read one "
        "by one, and --shard divides the work among processes",
    )  # fmt: skip
    how.add_argument(
        "--shard", type=fraction_of_work, default=(1, 1), metavar="I/N",
        help="do part I of N, for job arrays; the status table is then status_I_of_N.ecsv",
    )  # fmt: skip


def add_network_options(parser: argparse.ArgumentParser) -> None:
    """Add the options that choose models, networks and the device.

    Parameters
    ----------
    parser : argparse.ArgumentParser
        Where to.
    """
    group = parser.add_argument_group("models and networks")
    group.add_argument(
        "--lens-model", metavar="NAME",
        help="lens model to fit, such as sie+shear (default: what the encoder was trained on; "
        "sie+shear in the refinement, which also takes auto: epl+shear where that leaves a "
        "misfit)",
    )  # fmt: skip
    group.add_argument(
        "--light-model", "--light", metavar="NAME",
        help="lens-light model to fit, such as sersic+sersic (default: what the encoder was "
        "trained on; multi-gaussian in the refinement)",
    )  # fmt: skip
    group.add_argument(
        "--seed", type=natural_number, default=0,
        help="seed of the posterior samples (default: 0)",
    )  # fmt: skip
    add_weight_options(group)


def add_weight_options(group: argparse._ArgumentGroup) -> None:
    """Add the options for the networks' weights and how they are used.

    Parameters
    ----------
    group : argparse group
        Where to.
    """
    group.add_argument(
        "--forward-model", "--encoder-weights", type=Path, metavar="FILE",
        help="weights of the parameter encoder, a file or the name of a network that weights "
        "come with: flow-encoder, or residual-encoder for lenses unlike those that it knows "
        "(default: flow-encoder)",
    )  # fmt: skip
    group.add_argument(
        "--rim-model", "--rim-weights", type=Path, metavar="FILE",
        help="weights of the recurrence, a file or a name: unet-gru, the faster one, or "
        "conv-gru, trained on every simulator (default: unet-gru)",
    )  # fmt: skip
    group.add_argument(
        "--num-iterations", type=positive_integer, default=10, metavar="N",
        help="rounds of the joint inference of source and lens (default: 10; 5-20 is usual)",
    )  # fmt: skip
    group.add_argument(
        "--device", default="auto", metavar="{auto,cpu,cuda}",
        help="where to compute (default: auto, a GPU where there is one)",
    )  # fmt: skip


def load_networks(args: argparse.Namespace) -> RIMReconstructor:
    """Load the networks that the options name.

    Parameters
    ----------
    args : argparse.Namespace
        With the options of `add_network_options`.

    Returns
    -------
    RIMReconstructor

    Raises
    ------
    ValueError
        If the device is unknown or not there.
    """
    from astrorim.rim import RIMReconstructor

    check_device(args.device)
    return RIMReconstructor.load(
        args.forward_model,
        args.rim_model,
        lens_model=args.lens_model,
        light_model=args.light_model,
        device=args.device,
    )


def check_device(name: str) -> None:
    """Refuse a device that is unknown or not there.

    Parameters
    ----------
    name : str
        ``"auto"``, or as torch calls it.

    Raises
    ------
    ValueError
        If there is no such device.
    """
    import torch

    if name == "auto":
        return
    try:
        device = torch.device(name)
    except RuntimeError:
        raise ValueError(f"--device must be auto, cpu or cuda, got {name!r}") from None
    if device.type == "cuda" and not torch.cuda.is_available():
        raise ValueError(f"--device {name}: torch finds no GPU here; pass --device cpu or auto")


def run(args: argparse.Namespace) -> int:
    """Reconstruct.

    Parameters
    ----------
    args : argparse.Namespace
        As `add_parser` declares.

    Returns
    -------
    int
        1 if a lens failed, 3 if the program did.
    """
    from astrorim.cli.batch import BatchOptions, run_batch
    from astrorim.cli.jobs import shard
    from astrorim.cli.origins import request_of

    jobs = jobs_of(args, read_options(args))
    if args.refine is None:
        args.refine = "map" if len(jobs) == 1 else "none"
    part, parts = args.shard
    status = "status.ecsv" if parts == 1 else f"status_{part}_of_{parts}.ecsv"
    options = BatchOptions(
        output_dir=args.output_dir,
        status_file=args.output_dir / status,
        num_iterations=args.num_iterations,
        seed=args.seed,
        batch_size=args.batch_size,
        overwrite=args.overwrite,
        request=request_of(**{name: getattr(args, name) for name in _DECISIVE}),
    )
    if args.num_workers:
        LOGGER.debug("--num-workers %d is accepted and not used", args.num_workers)
    jobs = shard(jobs, part, parts)
    if args.refine == "none":
        done = run_batch(jobs, lambda: load_networks(args), options)
    else:
        stage = load_refinement(args)
        done = run_batch(jobs, lambda: stage, options)
    return done.finish("reconstructed")

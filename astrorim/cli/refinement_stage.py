"""The refinement as a stage of ``astrorim reconstruct``: its options and its starts."""

from __future__ import annotations

import argparse
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from astrorim.inference.refiner import LensRefiner
    from astrorim.observation import LensObservation
    from astrorim.results import Reconstruction
    from astrorim.rim import RIMReconstructor

__all__ = ["RefinementStage", "add_refinement_options", "load_refinement"]

_LENS_MODEL, _LIGHT_MODEL = "sie+shear", "multi-gaussian"


def add_refinement_options(parser: argparse.ArgumentParser) -> None:
    """Add the options of the refinement.

    Parameters
    ----------
    parser : argparse.ArgumentParser
        Where to.
    """
    group = parser.add_argument_group("refinement")
    group.add_argument(
        "--refine", choices=("none", "map", "hmc"),
        help="none: what the networks say; map: the most probable lens, lens light and pixel "
        "source by exact inversion, with intervals from the curvature there; hmc: the same, "
        "with intervals from samples of the exact posterior (default: map for a single lens, "
        "none for several)",
    )  # fmt: skip
    group.add_argument(
        "--start", metavar="{blind,rim,FILE}",
        help="where the refinement starts: a search of the image alone, which needs no "
        "network; what the networks say; or a NAME_parameters.json (default: blind, or rim "
        "where weights are named)",
    )  # fmt: skip
    group.add_argument(
        "--source-size", type=int, choices=range(8, 65), metavar="N", default=32,
        help="source pixels along a side in the refinement, 8 to 64 (default: 32)",
    )  # fmt: skip
    group.add_argument(
        "--noise-correlation", choices=("none", "sky"), default="none",
        help="sky: the noise of drizzled or resampled images is correlated between pixels as "
        "it is on their blank sky (default: none)",
    )  # fmt: skip


@dataclass(frozen=True)
class RefinementStage:
    """Refines each lens from a start.

    Parameters
    ----------
    refiner : LensRefiner
        What refines.
    start : mapping of str to float, optional
        Parameters to start from, for every lens.
    networks : RIMReconstructor, optional
        What gives the starts instead.
    """

    refiner: LensRefiner
    start: Mapping[str, float] | None = None
    networks: RIMReconstructor | None = None

    def reconstruct(
        self, observations: Sequence[LensObservation], *, num_iterations: int, seed: int
    ) -> list[Reconstruction]:
        """Refine lenses one by one.

        Parameters
        ----------
        observations : sequence of LensObservation
            The lenses.
        num_iterations : int
            Rounds of the networks' joint inference, where they give the start.
        seed : int
            Of the posterior samples.

        Returns
        -------
        list of Reconstruction
            With the networks' own flags as ``start_flags`` in the provenance, where they
            gave the start.
        """
        results = []
        for observation in observations:
            start, known = self.start, {}
            if self.networks is not None:
                first = self.networks.reconstruct(
                    observation, num_iterations=num_iterations, seed=seed
                )
                start = first.lens | {f"light_{k}": v for k, v in first.light.items()}
                # The flags of a start are not those of what was found from there.
                known = {"start_flags": list(first.flags)}
            result = self.refiner.refine(observation, start=start, seed=seed)
            result.provenance |= known
            results.append(result)
        return results


def load_refinement(args: argparse.Namespace) -> RefinementStage:
    """Build the stage that the options describe.

    Parameters
    ----------
    args : argparse.Namespace
        With the options of `add_refinement_options` and of
        `~astrorim.cli.reconstruct.add_network_options`, and ``mask``.

    Returns
    -------
    RefinementStage

    Raises
    ------
    ValueError
        If the start is none of its choices, its file unfit, or the device unknown.
    """
    from astrorim.cli.reconstruct import check_device, load_networks
    from astrorim.inference.lens_search import SearchOptions
    from astrorim.inference.refiner import LensRefiner
    from astrorim.interchange.parameter_files import read_parameters

    refiner = LensRefiner(
        lens_model=args.lens_model or _LENS_MODEL,
        light_model=args.light_model or _LIGHT_MODEL,
        mask="auto" if args.mask in (None, "auto") else "own",
        noise_correlation=args.noise_correlation,
        posterior="hmc" if args.refine == "hmc" else "laplace",
        options=SearchOptions(source_size=args.source_size),
    )
    check_device(args.device)
    named = args.forward_model is not None or args.rim_model is not None
    start = args.start or ("rim" if named else "blind")
    if start == "blind":
        return RefinementStage(refiner)
    if start == "rim":
        # The networks start with the models that they were trained on.
        own = argparse.Namespace(**{**vars(args), "lens_model": None, "light_model": None})
        return RefinementStage(refiner, networks=load_networks(own))
    if not Path(start).is_file():
        raise ValueError(f"--start must be blind, rim or a file, got {start!r}")
    read = read_parameters(start)
    light = {f"light_{name}": value for name, value in read.light.items()}
    return RefinementStage(refiner, start=read.lens | light)

"""The inferences that ``astrorim calibrate`` can judge."""

from __future__ import annotations

import argparse
import dataclasses
import functools
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, Protocol

from astrorim.cli.reconstruct import load_networks

if TYPE_CHECKING:
    from astrorim.inference.calibration import PosteriorDraws
    from astrorim.interfaces import SimulatedLenses
    from astrorim.rim import RIMReconstructor

__all__ = ["STAGES", "MapStage", "RIMStage", "Stage"]

_LEAST_DRAWS = 10  # of a chain, which has halves to compare


class Stage(Protocol):
    """An inference that can be calibrated; pickled where several processes are to do it."""

    def settings(self) -> dict[str, Any]:
        """What the samples depend on, plain JSON types.

        Returns
        -------
        dict
        """

    def __call__(self, simulated: SimulatedLenses) -> PosteriorDraws:
        """Posterior samples of the only lens in a batch.

        Parameters
        ----------
        simulated : SimulatedLenses
            A batch of one.

        Returns
        -------
        PosteriorDraws
        """


@dataclass(frozen=True)
class RIMStage:
    """The amortised inference by encoder and recurrence, as ``astrorim reconstruct`` does it.

    Parameters
    ----------
    encoder, recurrence : Path or None
        Weights; the shipped ones if None.
    num_iterations : int
        Rounds of the joint inference.
    device : str
        Where to compute: ``"auto"``, ``"cpu"`` or ``"cuda"``.
    """

    encoder: Path | None
    recurrence: Path | None
    num_iterations: int
    device: str

    @classmethod
    def from_arguments(cls, args: argparse.Namespace) -> RIMStage:
        """The stage that the options describe."""
        return cls(args.forward_model, args.rim_model, args.num_iterations, args.device)

    def settings(self) -> dict[str, Any]:
        """Checksums of the weights, and the number of rounds; see `Stage.settings`."""
        reconstructor = _networks(self.encoder, self.recurrence, self.device)
        return {
            "encoder": reconstructor.encoder.sha256,
            "recurrence": reconstructor.recurrence.sha256,
            "num_iterations": self.num_iterations,
        }

    def __call__(self, simulated: SimulatedLenses) -> PosteriorDraws:
        """Samples of the Gaussian posterior; see `Stage`."""
        from astrorim.inference.calibration import PosteriorDraws
        from astrorim.interchange import to_observation

        reconstructor = _networks(self.encoder, self.recurrence, self.device)
        # a seed of its own for each lens, or all ranks would share the draws' errors
        result = reconstructor.reconstruct(
            to_observation(simulated, 0),
            num_iterations=self.num_iterations,
            seed=int(simulated.index[0]),
        )
        return PosteriorDraws(result.samples)


@dataclass(frozen=True)
class MapStage:
    """The refinement, and the Gaussian around its solution.

    Parameters
    ----------
    lens_model : str
        Registered lens model, or a sum.
    light_model : str or None
        Registered lens-light model, or a sum; the simulator's if None.
    source_size : int
        Side of the source image, pixels.
    start_error : float or None
        Fraction by which the start's Einstein radius is wrong; the start is blind if None.
    posterior : {"laplace", "hmc"}
        Samples from the Gaussian around the solution, or of the exact posterior.
    draws : int
        Of each chain, where the exact posterior is sampled.
    """

    lens_model: str
    light_model: str | None
    source_size: int
    start_error: float | None
    posterior: Literal["laplace", "hmc"] = "laplace"
    draws: int = 20

    @classmethod
    def from_arguments(
        cls, args: argparse.Namespace, *, posterior: Literal["laplace", "hmc"] = "laplace"
    ) -> MapStage:
        """The stage that the options describe."""
        if args.start_error is not None and not 0 <= args.start_error < 1:
            args.parser.error(f"--start-error must be in [0, 1), got {args.start_error}")
        if args.draws < _LEAST_DRAWS:
            args.parser.error(f"--draws must be at least {_LEAST_DRAWS}, got {args.draws}")
        return cls(
            args.lens_model,
            args.light,
            args.source_size,
            args.start_error,
            posterior,
            args.draws,
        )

    def settings(self) -> dict[str, Any]:
        """The options that matter; see `Stage.settings`."""
        settings = dataclasses.asdict(self)
        if self.posterior != "hmc":
            del settings["draws"]
        return settings

    def __call__(self, simulated: SimulatedLenses) -> PosteriorDraws:
        """Samples of the posterior; see `Stage`."""
        from astrorim.inference import LensRefiner
        from astrorim.inference.calibration import PosteriorDraws
        from astrorim.inference.lens_posterior import SamplingOptions
        from astrorim.inference.lens_search import SearchOptions
        from astrorim.interchange import to_observation

        refiner = LensRefiner(
            lens_model=self.lens_model,
            light_model=self.light_model or simulated.light_model,
            mask="own",
            posterior=self.posterior,
            options=SearchOptions(source_size=self.source_size),
            # as many of every lens, which their comparison asks for
            sampling=SamplingOptions(num_draws=self.draws, target_ess=None),
        )
        index = int(simulated.index[0])
        start = None
        if self.start_error is not None:
            factor = 1 + (self.start_error if index % 2 else -self.start_error)
            start = {"theta_E": _einstein_radius(simulated) * factor}
        began = time.perf_counter()
        result = refiner.refine(to_observation(simulated, 0), start=start, seed=index)
        drawn = result.provenance["posterior"]
        statistics = {
            **{k: drawn[k] for k in ("least_ess", "largest_r_hat") if k in drawn},
            "reduced_chi2": result.reduced_chi2,
            "flags": len(result.flags),
            "seconds": time.perf_counter() - began,
            "einstein_radius": _einstein_radius(simulated),
            "true_reduced_chi2": _true_reduced_chi2(simulated),
            **{f"best_{name}": value for name, value in result.lens.items()},
        }
        sizes = (
            dict.fromkeys(result.samples, drawn["least_ess"]) if "least_ess" in drawn else {}
        )
        # Of an automatic choice, what its simplest model has too.
        names = refiner.system.parameters.names
        samples = {name: drawn for name, drawn in result.samples.items() if name in names}
        return PosteriorDraws(samples, sizes, statistics)


STAGES: Mapping[str, Callable[[argparse.Namespace], Stage]] = {
    "rim": RIMStage.from_arguments,
    "map": MapStage.from_arguments,
    "hmc": functools.partial(MapStage.from_arguments, posterior="hmc"),
}
"""What can be calibrated, by name: each is made from the command's options."""


def _einstein_radius(simulated: SimulatedLenses) -> float:
    """Einstein radius of the only lens, arcsec; of a complex one the effective one."""
    effective = simulated.metadata.get("effective_einstein_radius")
    return float((simulated.lens["theta_E"] if effective is None else effective)[0])


def _true_reduced_chi2(simulated: SimulatedLenses) -> float:
    """Of the image without noise, by the noise map handed in: the best that a fit may reach."""
    residual = (simulated.image[0] - simulated.noise_free[0]) / simulated.noise[0]
    return float((residual**2).mean())


@functools.lru_cache(maxsize=1)
def _networks(encoder: Path | None, recurrence: Path | None, device: str) -> RIMReconstructor:
    """Loaded once in each process."""
    chosen = argparse.Namespace(
        forward_model=encoder,
        rim_model=recurrence,
        lens_model=None,
        light_model=None,
        device=device,
    )
    return load_networks(chosen)

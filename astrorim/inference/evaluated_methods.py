"""The reconstructions that an evaluation sets side by side."""

from __future__ import annotations

import functools
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, Protocol

import numpy as np
import torch

from astrorim.inference.refiner import LensRefiner
from astrorim.plugins import load_plugins
from astrorim.rim import RIMReconstructor

if TYPE_CHECKING:
    from astrorim.results import Reconstruction
    from astrorim.results.lens_truth import LensTruth

__all__ = [
    "EncoderAlone",
    "Method",
    "RIMInferred",
    "RIMKnown",
    "Refined",
    "map_methods",
    "rim_methods",
]


class Method(Protocol):
    """Reconstructs the observation of a truth."""

    def __call__(
        self, truth: LensTruth, earlier: Mapping[str, Reconstruction]
    ) -> Reconstruction:
        """Reconstruct one lens.

        Parameters
        ----------
        truth : LensTruth
            Its observation is used; of the truth only what the method is declared to know.
        earlier : mapping of str to Reconstruction
            What the methods before this one made of the same lens, by their names.

        Returns
        -------
        Reconstruction
        """


@dataclass(frozen=True)
class RIMKnown:
    """The recurrence with lens and lens light known; of complex lenses all components.

    Parameters
    ----------
    reconstructor : RIMReconstructor
        Gives the networks.
    num_iterations : int
        As for `RIMReconstructor.reconstruct`.
    """

    reconstructor: RIMReconstructor
    num_iterations: int

    def __call__(
        self, truth: LensTruth, earlier: Mapping[str, Reconstruction]
    ) -> Reconstruction:
        """Reconstruct one lens; see `Method`."""
        del earlier
        own = RIMReconstructor(
            self.reconstructor.encoder,
            self.reconstructor.recurrence,
            lens_model=truth.lens_model,
            light_model=truth.light_model,
            device=self.reconstructor.device,
        )
        return own.reconstruct(
            truth.observation, num_iterations=self.num_iterations, known=truth.known
        )


@dataclass(frozen=True)
class EncoderAlone:
    """Medians of the encoder's posterior, with the recurrence's source for them.

    No parameter is touched after the encoder; the intervals are those of its posterior.

    Parameters
    ----------
    reconstructor : RIMReconstructor
        Gives the networks.
    """

    reconstructor: RIMReconstructor

    def __call__(
        self, truth: LensTruth, earlier: Mapping[str, Reconstruction]
    ) -> Reconstruction:
        """Reconstruct one lens; see `Method`."""
        del earlier
        encoder = self.reconstructor.encoder
        own = RIMReconstructor(
            encoder, self.reconstructor.recurrence, device=self.reconstructor.device
        )
        samples = own.encode(truth.observation, seed=truth.index)
        medians = {name: float(np.median(chain)) for name, chain in samples.items()}
        result = own.reconstruct(truth.observation, known=medians)
        # what was held is not known, which is what the steps' errors are for
        provenance = result.provenance | {"parameters_known": False}
        return replace(result, samples=samples, provenance=provenance)


@dataclass(frozen=True)
class RIMInferred:
    """Encoder and recurrence, everything inferred.

    Parameters
    ----------
    reconstructor : RIMReconstructor
        Gives the networks.
    num_iterations : int
        As for `RIMReconstructor.reconstruct`.
    """

    reconstructor: RIMReconstructor
    num_iterations: int

    def __call__(
        self, truth: LensTruth, earlier: Mapping[str, Reconstruction]
    ) -> Reconstruction:
        """Reconstruct one lens; see `Method`."""
        del earlier
        return self.reconstructor.reconstruct(
            truth.observation, num_iterations=self.num_iterations, seed=truth.index
        )


@dataclass(frozen=True)
class Refined:
    """The refinement, from the image alone or from an earlier method's result.

    Parameters
    ----------
    refiner : LensRefiner
        What refines.
    start : str or None
        Name of the method that it starts from; blind if None.
    """

    refiner: LensRefiner
    start: str | None

    def __call__(
        self, truth: LensTruth, earlier: Mapping[str, Reconstruction]
    ) -> Reconstruction:
        """Reconstruct one lens; see `Method`."""
        start = None
        if self.start is not None:
            if self.start not in earlier:
                raise ValueError(f"start must be a result of {self.start!r}, which failed")
            first = earlier[self.start]
            start = first.lens | {f"light_{name}": v for name, v in first.light.items()}
        return self.refiner.refine(truth.observation, start=start, seed=truth.index)


_INFERRED = "RIM, lens inferred"


def rim_methods(reconstructor: RIMReconstructor, num_iterations: int = 10) -> dict[str, Method]:
    """The networks: with the lens known before and after training, and with it inferred.

    Parameters
    ----------
    reconstructor : RIMReconstructor
        What is judged.
    num_iterations : int, optional
        As for `RIMReconstructor.reconstruct`.

    Returns
    -------
    dict of str to Method
    """
    return {
        "untrained RIM, lens known": RIMKnown(_untrained(reconstructor), num_iterations),
        "RIM, lens known": RIMKnown(reconstructor, num_iterations),
        "encoder alone": EncoderAlone(reconstructor),
        _INFERRED: RIMInferred(reconstructor, num_iterations),
    }


def map_methods(
    refiner: LensRefiner, starts: tuple[str, ...] = ("blind",)
) -> dict[str, Method]:
    """The refinement.

    Parameters
    ----------
    refiner : LensRefiner
        What is judged.
    starts : tuple of {"blind", "rim"}, optional
        Where from; `rim_methods` has to come before for ``"rim"``.

    Returns
    -------
    dict of str to Method

    Raises
    ------
    ValueError
        If a start is neither.
    """
    known = {"blind": None, "rim": _INFERRED}
    for start in starts:
        if start not in known:
            raise ValueError(f"a start must be one of {', '.join(known)}, got {start!r}")
    return {f"refined, {start} start": Refined(refiner, known[start]) for start in starts}


@functools.lru_cache(maxsize=1)
def _untrained(reconstructor: RIMReconstructor) -> RIMReconstructor:
    """The same with fresh weights of the recurrence: what training is measured against."""
    recurrence = reconstructor.recurrence
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        fresh: Any = load_plugins().networks.create(recurrence.backend)
        network = fresh.build(**recurrence.architecture).eval()
    return RIMReconstructor(
        reconstructor.encoder,
        replace(recurrence, network=network, sha256=""),
        lens_model=reconstructor.lens_model,
        light_model=reconstructor.light_model,
        device=reconstructor.device,
    )

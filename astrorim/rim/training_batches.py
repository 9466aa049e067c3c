"""Where a trainer's batches come from: drawn on the fly, or read from shards.

Batch number i is the same whenever it is asked for, so that a training run that was
interrupted goes on as if it had not been.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Protocol

import torch

from astrorim.exceptions import SimulationError
from astrorim.rim.batches import join_batches

if TYPE_CHECKING:
    from astrorim.interfaces import SimulatedLenses, Simulator
    from astrorim.rim.shards import ShardDataset

__all__ = ["VALIDATION_SEED", "DrawnBatches", "StoredBatches", "TrainingBatches"]

VALIDATION_SEED = 10**9 - 1
"""Seed of the lenses that drawn batches are validated on; training uses those below."""

_VALIDATION_SHARE = 10


class TrainingBatches(Protocol):
    """What a trainer asks for."""

    name: str
    """Name of the simulator, for the weights' provenance."""

    lens_model: str
    """Name of the lens model of all lenses."""

    light_model: str
    """Name of the lens-light model of all lenses."""

    def training(self, step: int, number: int) -> SimulatedLenses:
        """Batch of one training step, of ``number`` lenses."""

    def validation(self, number: int) -> SimulatedLenses:
        """At most ``number`` lenses that are never trained on."""

    def sample(self, number: int) -> SimulatedLenses:
        """At most ``number`` lenses of the training set, to standardise features with."""

    def identity(self) -> dict[str, Any]:
        """What must be equal for a run to be resumed, as plain JSON types."""


class DrawnBatches:
    """Lenses drawn by a simulator when they are needed.

    Parameters
    ----------
    simulator : Simulator
        Draws them.
    seed : int
        Of the dataset that is trained on.
    pixel_scales : tuple of float, arcsec
        Range that the pixel scale of each batch is drawn from.
    """

    def __init__(
        self, simulator: Simulator, *, seed: int, pixel_scales: tuple[float, float]
    ) -> None:
        self.simulator = simulator
        self.seed = seed
        self.pixel_scales = pixel_scales
        self.name = simulator.name
        self.lens_model = simulator.lens_model
        self.light_model = simulator.light_model

    def training(self, step: int, number: int) -> SimulatedLenses:
        """Lenses ``step * number`` onwards of the dataset."""
        return self._draw(step, number, self.seed)

    def validation(self, number: int) -> SimulatedLenses:
        """Lenses of a dataset of their own."""
        return self._draw(0, number, VALIDATION_SEED)

    def sample(self, number: int) -> SimulatedLenses:
        """First lenses of the dataset, at the middle of the pixel scales."""
        return self.simulator.simulate(
            number,
            seed=self.seed,
            start=0,
            pixel_scale=sum(self.pixel_scales) / 2,
            supersampling=1,
        )

    def identity(self) -> dict[str, Any]:
        """Simulator, seed and pixel scales."""
        return {
            "simulator": self.name,
            "seed": self.seed,
            "pixel_scales": list(self.pixel_scales),
        }

    def _draw(self, step: int, number: int, seed: int) -> SimulatedLenses:
        low, high = self.pixel_scales
        generator = torch.Generator().manual_seed(seed * 2_000_003 + step)
        fraction = float(torch.rand((), generator=generator))
        return self.simulator.simulate(
            number,
            seed=seed,
            start=step * number,
            pixel_scale=low + fraction * (high - low),
            supersampling=2,
        )


class StoredBatches:
    """Lenses read from shards, again and again in another order.

    The last tenth of the dataset is kept for validation. Each pass over the others begins
    at another lens and takes the batches in another order, so that a batch is read from
    neighbouring places on the disk.

    Parameters
    ----------
    dataset : ShardDataset
        Of a seed below 10^9 - 1.

    Raises
    ------
    SimulationError
        If the seed is one of validation or evaluation, or there are fewer than two lenses.
    """

    def __init__(self, dataset: ShardDataset) -> None:
        where = str(dataset.directory)
        if not 0 <= dataset.seed < VALIDATION_SEED:
            raise SimulationError(
                f"seed of the shards must be below 10^9 - 1 for training, got {dataset.seed} "
                f"in {where!r}; seeds above are kept for validation and evaluation"
            )
        if dataset.number < 2:
            raise SimulationError(
                f"{where!r} must hold at least 2 lenses, one to train on and one to validate "
                f"on, got {dataset.number}; simulate more"
            )
        self.dataset = dataset
        self.number = dataset.number - max(1, dataset.number // _VALIDATION_SHARE)
        self.name = str(dataset.facts["simulator"])
        self.lens_model = str(dataset.facts["lens_model"])
        self.light_model = str(dataset.facts["light_model"])

    def training(self, step: int, number: int) -> SimulatedLenses:
        """Batch of a step.

        Parameters
        ----------
        step : int
            From zero.
        number : int
            Batch size.

        Returns
        -------
        SimulatedLenses

        Raises
        ------
        SimulationError
            If there are fewer lenses than a batch has.
        """
        if number > self.number:
            raise SimulationError(
                f"batch_size must be at most {self.number}, the lenses in "
                f"{str(self.dataset.directory)!r} without those for validation, got {number}"
            )
        batches = self.number // number
        epoch, position = divmod(step, batches)
        generator = torch.Generator().manual_seed(self.dataset.seed * 2_000_003 + epoch)
        shift = int(torch.randint(self.number, (), generator=generator))
        order = torch.randperm(batches, generator=generator)
        start = (shift + int(order[position]) * number) % self.number
        before_end = min(number, self.number - start)
        parts = [self.dataset.read(start, before_end)]
        if before_end < number:
            parts.append(self.dataset.read(0, number - before_end))
        return join_batches(parts)

    def validation(self, number: int) -> SimulatedLenses:
        """First of the lenses that are kept for validation."""
        kept = self.dataset.number - self.number
        return self.dataset.read(self.number, min(number, kept))

    def sample(self, number: int) -> SimulatedLenses:
        """First lenses of the training set."""
        return self.dataset.read(0, min(number, self.number))

    def identity(self) -> dict[str, Any]:
        """Simulator and seed, and the digests of all shards."""
        return {
            "simulator": self.name,
            "seed": self.dataset.seed,
            "shards": [entry.sha256 for entry in self.dataset.entries],
        }

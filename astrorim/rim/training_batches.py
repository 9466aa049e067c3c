"""Where a trainer's batches come from: drawn on the fly, or read from shards.

Batch number i is the same whenever it is asked for, so that a training run that was
interrupted goes on as if it had not been.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Protocol

import torch

from astrorim.exceptions import SimulationError
from astrorim.rim.batches import consecutive, join_batches

if TYPE_CHECKING:
    from collections.abc import Mapping

    from astrorim.interfaces import SimulatedLenses, Simulator
    from astrorim.rim.shards import ShardDataset

__all__ = [
    "VALIDATION_SEED",
    "DrawnBatches",
    "MixedBatches",
    "StoredBatches",
    "TrainingBatches",
]

VALIDATION_SEED = 10**9 - 1
"""Seed of the lenses that drawn batches are validated on; training uses those below."""

_VALIDATION_SHARE = 10


class TrainingBatches(Protocol):
    """What a trainer asks for."""

    name: str
    """Name of the simulator, or of several, for the weights' provenance."""

    lens_model: str
    """Name of the lens model of all lenses; of several, separated by commas."""

    light_model: str
    """Name of the lens-light model of all lenses."""

    def training(self, step: int, number: int) -> SimulatedLenses:
        """Batch of one training step, of ``number`` lenses."""

    def validation(self, number: int) -> dict[str, SimulatedLenses]:
        """At most ``number`` lenses of each kind that are never trained on, by its name."""

    def sample(self, number: int) -> list[SimulatedLenses]:
        """Batches of the training set, ``number`` lenses of each kind, to look at first."""

    def identity(self) -> dict[str, Any]:
        """What must be equal for a run to be resumed, as plain JSON types."""


class DrawnBatches:
    """Lenses drawn by a simulator when they are needed.

    Parameters
    ----------
    simulator : Simulator
        Draws them. One of several instruments keeps their pixel scales.
    seed : int
        Of the dataset that is trained on.
    pixel_scales : tuple of float, arcsec
        Range that the pixel scale of the lenses drawn at once is drawn from.
    device : str, optional
        Where lenses are simulated and trained on.
    at_once : int, optional
        Least number of lenses that are drawn at once and handed out in several batches: a
        GPU is busy with hundreds only. By default those of one batch.
    """

    def __init__(
        self,
        simulator: Simulator,
        *,
        seed: int,
        pixel_scales: tuple[float, float],
        device: str = "cpu",
        at_once: int = 1,
    ) -> None:
        if at_once < 1:
            raise ValueError(f"at_once must be at least 1, got {at_once}")
        self.simulator = simulator
        self.seed = seed
        self.pixel_scales = pixel_scales
        self.device = device
        self.at_once = at_once
        self.name = simulator.name
        self.lens_model = simulator.lens_model
        self.light_model = simulator.light_model
        self._drawn: tuple[tuple[int, int], SimulatedLenses] | None = None

    def training(self, step: int, number: int) -> SimulatedLenses:
        """Lenses ``step * number`` onwards of the dataset."""
        batches = -(-self.at_once // number)
        draw, position = divmod(step, batches)
        key = (draw, batches * number)
        if self._drawn is None or self._drawn[0] != key:
            self._drawn = None  # its memory is free before more is asked for
            self._drawn = (key, self._draw(*key, self.seed))
        return consecutive(self._drawn[1], position * number, number)

    def validation(self, number: int) -> dict[str, SimulatedLenses]:
        """Lenses of a dataset of their own."""
        return {self.name: self._draw(0, number, VALIDATION_SEED)}

    def sample(self, number: int) -> list[SimulatedLenses]:
        """First lenses of the dataset, at the middle of the pixel scales."""
        return [
            self.simulator.simulate(
                number,
                seed=self.seed,
                start=0,
                pixel_scale=self._pixel_scale(0.5),
                supersampling=1,
                device=self.device,
            )
        ]

    def identity(self) -> dict[str, Any]:
        """Simulator, seed, pixel scales and how many are drawn at once."""
        return {
            "simulator": self.name,
            "seed": self.seed,
            "pixel_scales": list(self.pixel_scales),
            "at_once": self.at_once,
        }

    def _pixel_scale(self, fraction: float) -> float | None:
        if len(set(self.simulator.pixel_scales)) > 1:
            return None
        low, high = self.pixel_scales
        return low + fraction * (high - low)

    def _draw(self, step: int, number: int, seed: int) -> SimulatedLenses:
        generator = torch.Generator().manual_seed(seed * 2_000_003 + step)
        fraction = float(torch.rand((), generator=generator))
        return self.simulator.simulate(
            number,
            seed=seed,
            start=step * number,
            pixel_scale=self._pixel_scale(fraction),
            supersampling=2,
            device=self.device,
        )


class MixedBatches:
    """Batches of several kinds of lenses, each batch of one kind, in turn.

    Parameters
    ----------
    parts : mapping of str to DrawnBatches
        The kinds by their names, for the log of the validation.

    Raises
    ------
    ValueError
        If there is no part, or they have different models of the lens light.
    """

    def __init__(self, parts: Mapping[str, DrawnBatches]) -> None:
        if not parts:
            raise ValueError("parts must hold at least one kind of lenses, got none")
        self.parts = dict(parts)
        self.name = ", ".join(self.parts)
        own = list(self.parts.values())
        self.lens_model = ", ".join(dict.fromkeys(part.lens_model for part in own))
        lights = dict.fromkeys(part.light_model for part in own)
        if len(lights) > 1:
            raise ValueError(
                f"parts must have the same lens light, got {', '.join(lights)}; train on those "
                "of one at a time"
            )
        self.light_model = own[0].light_model
        self._order = own

    def training(self, step: int, number: int) -> SimulatedLenses:
        """Batch ``step // n`` of the part ``step % n`` of n."""
        turn, which = divmod(step, len(self._order))
        return self._order[which].training(turn, number)

    def validation(self, number: int) -> dict[str, SimulatedLenses]:
        """Lenses of every part."""
        return {
            name: next(iter(part.validation(number).values()))
            for name, part in self.parts.items()
        }

    def sample(self, number: int) -> list[SimulatedLenses]:
        """First lenses of every part."""
        return [batch for part in self._order for batch in part.sample(number)]

    def identity(self) -> dict[str, Any]:
        """What the parts are."""
        return {"parts": {name: part.identity() for name, part in self.parts.items()}}


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

    def validation(self, number: int) -> dict[str, SimulatedLenses]:
        """First of the lenses that are kept for validation."""
        kept = self.dataset.number - self.number
        return {self.name: self.dataset.read(self.number, min(number, kept))}

    def sample(self, number: int) -> list[SimulatedLenses]:
        """First lenses of the training set."""
        return [self.dataset.read(0, min(number, self.number))]

    def identity(self) -> dict[str, Any]:
        """Simulator and seed, and the digests of all shards."""
        return {
            "simulator": self.name,
            "seed": self.dataset.seed,
            "shards": [entry.sha256 for entry in self.dataset.entries],
        }

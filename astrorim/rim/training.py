"""Training that can be stopped at any moment and resumed exactly.

Batch number i of a run is always the same lenses, for a simulator those from i B to
(i + 1) B - 1 of its dataset, and its random augmentation is seeded by i: where a run was
interrupted leaves no trace.
"""

from __future__ import annotations

import csv
import json
import math
import platform
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import torch
from safetensors import safe_open
from safetensors.torch import save_file

from astrorim.exceptions import CheckpointError
from astrorim.interfaces import Simulator
from astrorim.rim.checkpoint import Checkpoint, save_checkpoint
from astrorim.rim.training_batches import VALIDATION_SEED, DrawnBatches, TrainingBatches

if TYPE_CHECKING:
    from torch import nn

    from astrorim.interfaces import NetworkBackend
    from astrorim.rim.objectives import Objective

__all__ = ["Trainer", "TrainingOptions"]

_VALIDATION_NUMBER = 64
_STATE = "state.safetensors"
_WEIGHTS = "weights.safetensors"
_LOG = "log.csv"
_NUMBERS = "astrorim"


@dataclass(frozen=True)
class TrainingOptions:
    """How to train.

    Parameters
    ----------
    output_dir : str
        Where weights, state and log go.
    minutes : float
        Time budget, over all resumed runs; the learning rate falls to zero at its end.
    batch_size : int, optional
        Lenses simulated for a step.
    learning_rate : float, optional
        Peak of the schedule: a linear warm-up, then a half cosine.
    seed : int, optional
        Of the dataset; below 10^9 - 1, since validation and evaluation own the others.
    pixel_scales : tuple of float, optional
        Range of the detector's pixel scale, arcsec, drawn per batch.
    warm_up : int, optional
        Steps of the warm-up.
    decay : float, optional
        Of the exponential moving average of the weights.
    clip : float, optional
        Largest norm of the gradient.
    report_minutes : float, optional
        Between validations, each of which writes a checkpoint.
    num_threads : int, optional
        Threads to compute with; torch's own choice when zero.
    mixed_precision : bool, optional
        Whether the networks are evaluated in bfloat16; physics and losses stay in
        float32.
    wide_light : bool, optional
        Whether the encoder also sees lens galaxies much brighter and larger than the
        simulator draws, as real ones are.

    Raises
    ------
    ValueError
        If a value is out of its range.
    """

    output_dir: str
    minutes: float
    batch_size: int = 16
    learning_rate: float = 1e-3
    seed: int = 1
    pixel_scales: tuple[float, float] = (0.04, 0.04)
    warm_up: int = 50
    decay: float = 0.995
    clip: float = 1.0
    report_minutes: float = 2.0
    num_threads: int = 0
    mixed_precision: bool = False
    wide_light: bool = False

    def __post_init__(self) -> None:
        if not 0 <= self.seed < VALIDATION_SEED:
            raise ValueError(
                f"seed must be between 0 and 10^9 - 2 for training, got {self.seed}; "
                "10^9 - 1 is kept for validation, seeds above for evaluation"
            )
        for name in ("minutes", "batch_size", "learning_rate", "clip", "report_minutes"):
            if not getattr(self, name) > 0:
                raise ValueError(f"{name} must be positive, got {getattr(self, name)}")
        if not 0 <= self.decay < 1:
            raise ValueError(f"decay must be at least 0 and below 1, got {self.decay}")


class _MixedPrecision:
    """A network evaluated in bfloat16, its attributes as they are."""

    def __init__(self, network: nn.Module) -> None:
        self._network = network

    def __call__(self, *inputs: Any) -> Any:
        with torch.autocast("cpu", torch.bfloat16):
            return self._network(*inputs)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._network, name)


class Trainer:
    """Trains one network on lenses drawn on the fly or stored.

    Parameters
    ----------
    backend : NetworkBackend
        Builds the network.
    architecture : dict of str to int
        Options of the backend.
    objective : Objective
        What the network is trained to do.
    simulator : Simulator or TrainingBatches
        Draws the lenses, or gives batches of them.
    options : TrainingOptions
        How to train. Its pixel scales are a simulator's only.
    """

    def __init__(
        self,
        backend: NetworkBackend,
        architecture: dict[str, int],
        objective: Objective,
        simulator: Simulator | TrainingBatches,
        options: TrainingOptions,
    ) -> None:
        self.objective = objective
        self.batches: TrainingBatches
        if isinstance(simulator, Simulator):
            self.batches = DrawnBatches(
                simulator, seed=options.seed, pixel_scales=options.pixel_scales
            )
        else:
            self.batches = simulator
        self.options = options
        self.backend = backend
        self.architecture = backend.architecture() | architecture
        torch.manual_seed(options.seed)
        self.network = backend.build(**self.architecture)
        if options.mixed_precision:
            self.network.to(memory_format=torch.channels_last)  # type: ignore[call-overload]
        self._trained: Any = self.network
        if options.mixed_precision:
            self._trained = _MixedPrecision(self.network)
        self.average = backend.build(**self.architecture)
        self.average.load_state_dict(self.network.state_dict())
        self.optimizer = torch.optim.AdamW(
            self.network.parameters(), lr=options.learning_rate, weight_decay=1e-5
        )
        self.step_number = 0
        self.minutes_used = 0.0
        self.directory = Path(options.output_dir)

    def run(self, report: Callable[[str], None] = print) -> Checkpoint:
        """Train until the time budget is used up.

        Parameters
        ----------
        report : callable, optional
            Receives one line per validation.

        Returns
        -------
        Checkpoint
            The averaged weights with their provenance; also in ``weights.safetensors``.
        """
        self.directory.mkdir(parents=True, exist_ok=True)
        if self.options.num_threads:
            torch.set_num_threads(self.options.num_threads)
        validation = self.batches.validation(_VALIDATION_NUMBER)
        begun = last_report = time.monotonic()
        losses: list[float] = []
        checkpoint = None
        while self.minutes_used < self.options.minutes or checkpoint is None:
            losses.append(self._train_step())
            now = time.monotonic()
            self.minutes_used += (now - begun) / 60
            begun = now
            finished = self.minutes_used >= self.options.minutes
            if finished or now - last_report > 60 * self.options.report_minutes:
                with torch.no_grad():
                    measures = self.objective.evaluate(self.average.eval(), validation)
                mean_loss = sum(losses) / len(losses)
                checkpoint = self._save(mean_loss, measures)
                text = "  ".join(f"{name} {value:.4g}" for name, value in measures.items())
                report(
                    f"{self.minutes_used:6.1f} min  step {self.step_number}  "
                    f"train {mean_loss:.4f}  {text}"
                )
                losses = []
                last_report = begun = time.monotonic()
        return checkpoint

    def resume(self) -> bool:
        """Take up a run that was interrupted.

        Returns
        -------
        bool
            Whether there was one in the output directory.

        Raises
        ------
        CheckpointError
            If the stored run was of another network, objective or dataset.
        """
        path = self.directory / _STATE
        if not path.is_file():
            return False
        with safe_open(path, framework="pt") as file:
            stored = json.loads(file.metadata()[_NUMBERS])
            tensors = {key: file.get_tensor(key) for key in file.keys()}  # noqa: SIM118
        same = self._identity()
        if stored["identity"] != same:
            raise CheckpointError(
                f"the run in {str(self.directory)!r} is of another kind: stored "
                f"{stored['identity']}, asked for {same}; choose another output directory"
            )
        parts: dict[str, dict[str, torch.Tensor]] = {"network": {}, "average": {}}
        moments: dict[int, dict[str, torch.Tensor]] = {}
        for key, tensor in tensors.items():
            part, name = key.split("|", 1)
            if part == "optimizer":
                index, entry = name.split("|")
                moments.setdefault(int(index), {})[entry] = tensor
            else:
                parts[part][name] = tensor
        self.network.load_state_dict(parts["network"])
        self.average.load_state_dict(parts["average"])
        state = self.optimizer.state_dict()
        state["state"] = moments
        self.optimizer.load_state_dict(state)
        self.step_number = stored["step_number"]
        self.minutes_used = stored["minutes_used"]
        return True

    def _identity(self) -> dict[str, Any]:
        return {
            "backend": self.backend.name,
            "architecture": self.architecture,
            "batch_size": self.options.batch_size,
            "wide_light": self.options.wide_light,
            **self.batches.identity(),
        }

    def _learning_rate(self) -> float:
        progress = min(self.minutes_used / self.options.minutes, 1.0)
        warm = min(1.0, (self.step_number + 1) / self.options.warm_up)
        fall = 0.5 * (1 + math.cos(math.pi * progress))
        return self.options.learning_rate * warm * (fall + 0.01)

    def _train_step(self) -> float:
        options = self.options
        with torch.no_grad():
            batch = self.batches.training(self.step_number, options.batch_size)
        generator = torch.Generator().manual_seed(options.seed + 7919 * self.step_number)
        for group in self.optimizer.param_groups:
            group["lr"] = self._learning_rate()
        self.network.train()
        loss = self.objective.loss(self._trained, batch, generator)
        self.optimizer.zero_grad()
        loss.backward()
        norm = torch.nn.utils.clip_grad_norm_(self.network.parameters(), options.clip)
        if torch.isfinite(norm):
            self.optimizer.step()
        self.step_number += 1
        decay = min(options.decay, (1 + self.step_number) / (10 + self.step_number))
        with torch.no_grad():
            pairs = zip(self.average.parameters(), self.network.parameters(), strict=True)
            for average, current in pairs:
                average.lerp_(current, 1 - decay)
        return float(loss.detach())

    def _save(self, loss: float, measures: dict[str, float]) -> Checkpoint:
        system = self.objective.system
        checkpoint = Checkpoint(
            network=self.average,
            backend=self.backend.name,
            role=self.objective.role,
            architecture=self.architecture,
            lens_model=system.lens.name,
            light_model=system.light.name if system.light is not None else "",
            parameters=list(system.parameters.names),
            settings=self.objective.settings(),
            provenance={
                "simulator": self.batches.name,
                "options": asdict(self.options) | {"output_dir": ""},
                "steps": self.step_number,
                "lenses_seen": self.step_number * self.options.batch_size,
                "minutes": round(self.minutes_used, 2),
                "hardware": f"{platform.machine()} CPU, {torch.get_num_threads()} thread(s)",
                "torch": torch.__version__,
                "measures": {name: float(value) for name, value in measures.items()},
            },
        )
        save_checkpoint(checkpoint, self.directory / _WEIGHTS)
        self._save_state()
        new = not (self.directory / _LOG).exists()
        row = {"minutes": self.minutes_used, "step": self.step_number, "loss": loss} | measures
        with (self.directory / _LOG).open("a", newline="", encoding="utf-8") as file:
            writer = csv.DictWriter(file, fieldnames=list(row))
            if new:
                writer.writeheader()
            writer.writerow(row)
        return checkpoint

    def _save_state(self) -> None:
        tensors = {}
        networks: tuple[tuple[str, nn.Module], ...] = (
            ("network", self.network),
            ("average", self.average),
        )
        for part, module in networks:
            for name, tensor in module.state_dict().items():
                tensors[f"{part}|{name}"] = tensor.detach().clone().contiguous()
        for index, entries in self.optimizer.state_dict()["state"].items():
            for name, tensor in entries.items():
                tensors[f"optimizer|{index}|{name}"] = tensor.detach().clone().contiguous()
        numbers = {
            "identity": self._identity(),
            "step_number": self.step_number,
            "minutes_used": self.minutes_used,
        }
        temporary = self.directory / f".{_STATE}.tmp"
        save_file(tensors, temporary, metadata={_NUMBERS: json.dumps(numbers)})
        temporary.replace(self.directory / _STATE)

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
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

import torch
from safetensors import safe_open
from safetensors.torch import save_file

from astrorim.exceptions import CheckpointError
from astrorim.interfaces import Simulator
from astrorim.rim.checkpoint import Checkpoint, save_checkpoint
from astrorim.rim.training_batches import DrawnBatches, TrainingBatches

if TYPE_CHECKING:
    from torch import nn

    from astrorim.interfaces import NetworkBackend, SimulatedLenses
    from astrorim.rim.objectives import Objective
    from astrorim.rim.training_options import TrainingOptions

__all__ = ["Trainer"]

_VALIDATION_NUMBER = 64
_STATE = "state.safetensors"
_WEIGHTS = "weights.safetensors"
_LOG = "log.csv"
_NUMBERS = "astrorim"


class _MixedPrecision:
    """A network evaluated in bfloat16, its attributes as they are."""

    def __init__(self, network: nn.Module, device: torch.device) -> None:
        self._network = network
        self._device = device

    def __call__(self, *inputs: Any) -> Any:
        with torch.autocast(self._device.type, torch.bfloat16):
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
    start_from : Checkpoint, optional
        Weights to begin with; fresh ones by default.

    Raises
    ------
    CheckpointError
        If the weights to begin with are those of another network.
    """

    def __init__(
        self,
        backend: NetworkBackend,
        architecture: dict[str, int],
        objective: Objective,
        simulator: Simulator | TrainingBatches,
        options: TrainingOptions,
        start_from: Checkpoint | None = None,
    ) -> None:
        self.objective = objective
        self.batches: TrainingBatches
        self.device = torch.device(options.device)
        if isinstance(simulator, Simulator):
            self.batches = DrawnBatches(
                simulator,
                seed=options.seed,
                pixel_scales=options.pixel_scales,
                device=options.device,
                at_once=options.at_once,
            )
        else:
            self.batches = simulator
        self.options = options
        self.backend = backend
        self.architecture = backend.architecture() | architecture
        torch.manual_seed(options.seed)
        self.network = backend.build(**self.architecture).to(self.device)
        if options.mixed_precision:
            self.network.to(memory_format=torch.channels_last)  # type: ignore[call-overload]
        self._trained: Any = self.network
        if options.mixed_precision:
            self._trained = _MixedPrecision(self.network, self.device)
        self.start_from = start_from
        if start_from is not None:
            self._check_same_network(start_from)
            self.network.load_state_dict(start_from.network.state_dict())
        self.average = backend.build(**self.architecture).to(self.device)
        self.average.load_state_dict(self.network.state_dict())
        self.optimizer = torch.optim.AdamW(
            self.network.parameters(),
            lr=options.learning_rate,
            weight_decay=1e-5,
            fused=self.device.type == "cuda",
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
                measures, text = self._validate(validation)
                mean_loss = sum(losses) / len(losses)
                checkpoint = self._save(mean_loss, measures)
                report(
                    f"{self.minutes_used:6.1f} min  step {self.step_number}  "
                    f"train {mean_loss:.4f}  {text}"
                )
                losses = []
                last_report = time.monotonic()
        return checkpoint

    def _validate(self, batches: dict[str, SimulatedLenses]) -> tuple[dict[str, float], str]:
        """All measures, and those worth reading; of several kinds of lenses by kind."""
        network, objective = self.average.eval(), self.objective
        with torch.no_grad():
            found = {kind: objective.evaluate(network, own) for kind, own in batches.items()}
        if len(found) == 1:
            (shown,) = found.values()
            measures = shown
        else:
            shown = {kind: own[objective.headline] for kind, own in found.items()}
            measures = {
                f"{kind} {name}": value
                for kind, own in found.items()
                for name, value in own.items()
            }
        return measures, "  ".join(f"{name} {value:.4g}" for name, value in shown.items())

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
        # load_state_dict brings them to the networks' device
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

    def _check_same_network(self, checkpoint: Checkpoint) -> None:
        given = (checkpoint.backend, checkpoint.architecture)
        if given != (self.backend.name, self.architecture):
            raise CheckpointError(
                f"weights to start from must be of {self.backend.name!r} with "
                f"{self.architecture}, got {given[0]!r} with {given[1]}; name that network and "
                "no other size"
            )

    def _identity(self) -> dict[str, Any]:
        begun = self.start_from.sha256 if self.start_from is not None else ""
        return {
            "start_from": begun,
            "backend": self.backend.name,
            "architecture": self.architecture,
            "batch_size": self.options.batch_size,
            "wide_light": self.options.wide_light,
            "masks": self.options.masks,
            "copies": self.options.copies,
            "num_steps": self.options.num_steps,
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
        generator = torch.Generator(self.device)
        generator.manual_seed(options.seed + 7919 * self.step_number)
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
            torch._foreach_lerp_(
                list(self.average.parameters()), list(self.network.parameters()), 1 - decay
            )
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
                "hardware": self._hardware(),
                "torch": torch.__version__,
                "started_from": self._origin(),
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

    def _origin(self) -> dict[str, Any] | None:
        """Where the weights that training began with come from."""
        if self.start_from is None:
            return None
        past = self.start_from.provenance
        kept = ("steps", "lenses_seen", "minutes", "hardware", "simulator", "started_from")
        return {"sha256": self.start_from.sha256} | {name: past.get(name) for name in kept}

    def _hardware(self) -> str:
        if self.device.type == "cuda":
            return torch.cuda.get_device_name(self.device)
        return f"{platform.machine()} CPU, {torch.get_num_threads()} thread(s)"

    def _save_state(self) -> None:
        tensors = {}
        networks: tuple[tuple[str, nn.Module], ...] = (
            ("network", self.network),
            ("average", self.average),
        )
        for part, module in networks:
            for name, tensor in module.state_dict().items():
                tensors[f"{part}|{name}"] = tensor.detach().cpu().clone().contiguous()
        for index, entries in self.optimizer.state_dict()["state"].items():
            for name, tensor in entries.items():
                own = tensor.detach().cpu().clone().contiguous()
                tensors[f"optimizer|{index}|{name}"] = own
        numbers = {
            "identity": self._identity(),
            "step_number": self.step_number,
            "minutes_used": self.minutes_used,
        }
        temporary = self.directory / f".{_STATE}.tmp"
        save_file(tensors, temporary, metadata={_NUMBERS: json.dumps(numbers)})
        temporary.replace(self.directory / _STATE)

"""`RIMReconstructor`: from observations to reconstructions with trained networks."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, overload

import numpy as np
import torch

from astrorim.exceptions import CheckpointError, ObservationError
from astrorim.lensing.forward import ForwardModel
from astrorim.lensing.system import LensSystem
from astrorim.plugins import load_plugins
from astrorim.results.quality import ENCODER_DISAGREEMENT, TRAINING_DISTANCE
from astrorim.rim.checkpoint import Checkpoint, load_checkpoint
from astrorim.rim.codec import ParameterCodec
from astrorim.rim.joint import JointOptions, JointResult, infer_jointly
from astrorim.rim.orientation import (
    canonical_symmetries,
    is_covariant,
    turn_data,
    turn_result,
    turn_samples,
)
from astrorim.rim.outcome import as_numpy, build_reconstruction
from astrorim.rim.parameter_step import from_coordinates, is_positive, to_coordinates
from astrorim.rim.start import Start, encoder_samples, encoder_start, known_start
from astrorim.rim.symmetries import inverse_symmetry
from astrorim.rim.tensors import batch_observations
from astrorim.rim.training_range import encoder_disagreement, training_distance

if TYPE_CHECKING:
    from torch import Tensor

    from astrorim.lensing.forward import ImageData
    from astrorim.observation import LensObservation
    from astrorim.plugins import Plugins
    from astrorim.results import Reconstruction

__all__ = ["RIMReconstructor", "check_usable"]

_ENCODER = "flow-encoder"
_RECURRENCE = "unet-gru"
_WORKING_FRAME = 128
_NUM_SAMPLES = 512


class RIMReconstructor:
    """Reconstructs lenses with a parameter encoder and a Recurrent Inference Machine.

    Use `load` to make one.

    Parameters
    ----------
    encoder, recurrence : Checkpoint
        The two trained networks.
    lens_model : str, optional
        Lens model to fit; the encoder's own by default. Parameters that the encoder
        does not know start at the middle of their prior.
    light_model : str, optional
        Lens-light model; the encoder's own by default.
    device : str, optional
        ``"cpu"``, ``"cuda"``, or ``"auto"`` for a GPU where there is one.
    plugins : Plugins, optional
        Where names are looked up; the installed ones by default.

    Raises
    ------
    CheckpointError
        If the networks are not an encoder and a recurrence.
    """

    def __init__(
        self,
        encoder: Checkpoint,
        recurrence: Checkpoint,
        *,
        lens_model: str | None = None,
        light_model: str | None = None,
        device: str = "auto",
        plugins: Plugins | None = None,
    ) -> None:
        for checkpoint, role in ((encoder, "encoder"), (recurrence, "recurrence")):
            if checkpoint.role != role:
                raise CheckpointError(f"{role} must have that role, got {checkpoint.role!r}")
        plugins = plugins or load_plugins()
        if device == "auto":
            device = "cuda" if torch.cuda.is_available() else "cpu"
        self.device = device
        self.encoder = encoder
        self.recurrence = recurrence
        encoder.network.to(device)
        recurrence.network.to(device)
        self._trained = LensSystem(
            plugins.lens_models.resolve(encoder.lens_model),
            plugins.light_models.create(encoder.light_model),
        )
        if list(self._trained.parameters.names) != encoder.parameters:
            raise CheckpointError(
                f"the encoder's parameters {encoder.parameters} are not those of "
                f"{encoder.lens_model!r} and {encoder.light_model!r}: "
                f"{list(self._trained.parameters.names)}"
            )
        self.lens_model = plugins.lens_models.canonical_name(lens_model or encoder.lens_model)
        self.light_model = light_model or encoder.light_model
        self.system = LensSystem(
            plugins.lens_models.resolve(self.lens_model),
            plugins.light_models.resolve(self.light_model),
        )
        self._turns = is_covariant(self.system) and is_covariant(self._trained)
        self._codec = ParameterCodec(
            self._trained.parameters, encoder.settings["mean"], encoder.settings["std"]
        )

    @classmethod
    def load(
        cls,
        encoder: str | os.PathLike[str] | None = None,
        recurrence: str | os.PathLike[str] | None = None,
        *,
        lens_model: str | None = None,
        light_model: str | None = None,
        device: str = "auto",
        plugins: Plugins | None = None,
    ) -> RIMReconstructor:
        """Load trained networks, the shipped ones by default.

        Parameters
        ----------
        encoder, recurrence : path-like or str, optional
            Checkpoints that training wrote, or names of networks that weights come with,
            such as ``"conv-gru"``, a recurrence trained on every simulator.
        lens_model, light_model, device, plugins : optional
            See the class.

        Returns
        -------
        RIMReconstructor

        Raises
        ------
        CheckpointError
            If weights are missing or unfit.
        UnknownNameError
            If a model is not registered.
        """
        plugins = plugins or load_plugins()
        loaded = []
        for path, name, role in (
            (encoder, _ENCODER, "encoder"),
            (recurrence, _RECURRENCE, "recurrence"),
        ):
            file = _weights_file(name if path is None else path, plugins)
            if file is None:
                raise CheckpointError(
                    f"no weights come with {str(path or name)!r}; pass {role}= a file"
                )
            loaded.append(load_checkpoint(file, plugins, role=role))
        return cls(
            *loaded,
            lens_model=lens_model,
            light_model=light_model,
            device=device,
            plugins=plugins,
        )

    @overload
    def reconstruct(
        self,
        observations: LensObservation,
        *,
        num_iterations: int = ...,
        seed: int = ...,
        known: Mapping[str, float] | None = ...,
    ) -> Reconstruction: ...

    @overload
    def reconstruct(
        self,
        observations: Sequence[LensObservation],
        *,
        num_iterations: int = ...,
        seed: int = ...,
        known: Mapping[str, float] | None = ...,
    ) -> list[Reconstruction]: ...

    def reconstruct(
        self,
        observations: LensObservation | Sequence[LensObservation],
        *,
        num_iterations: int = 10,
        seed: int = 0,
        known: Mapping[str, float] | None = None,
    ) -> Reconstruction | list[Reconstruction]:
        """Reconstruct one lens, or several in batches.

        Parameters
        ----------
        observations : LensObservation or sequence of them
            Each with unit, noise, PSF and pixel scale.
        num_iterations : int, optional
            Rounds of the joint inference of source and parameters.
        seed : int, optional
            Of the posterior samples.
        known : mapping of str to float, optional
            Parameters of lens and lens light (``light_`` prefixed) by internal name, in
            declared units, all of them: they are held and only the source is inferred.

        Returns
        -------
        Reconstruction or list of Reconstruction
            In the order of the observations.

        Raises
        ------
        ObservationError
            If an observation lacks what is needed; the message says what to pass.
        ValueError
            If ``known`` does not name every parameter, or names one that is none.
        """
        single = not isinstance(observations, Sequence)
        everything: list[LensObservation] = [observations] if single else list(observations)  # type: ignore[list-item]
        for observation in everything:
            check_usable(observation)
        groups: dict[tuple, list[int]] = {}
        for index, observation in enumerate(everything):
            key = (observation.data.shape, observation.psf_supersampling)
            groups.setdefault(key, []).append(index)
        results: list[Reconstruction | None] = [None] * len(everything)
        for members in groups.values():
            batch = [everything[i] for i in members]
            names = [o.name or f"lens_{i:05d}" for i, o in zip(members, batch, strict=True)]
            outcomes = self._reconstruct(batch, names, num_iterations, seed, known)
            for i, result in zip(members, outcomes, strict=True):
                results[i] = result
        return results[0] if single else results  # type: ignore[return-value]

    def _reconstruct(
        self,
        observations: list[LensObservation],
        names: list[str],
        num_iterations: int,
        seed: int,
        known: Mapping[str, float] | None,
    ) -> list[Reconstruction]:
        batch = batch_observations(observations, size=_WORKING_FRAME, device=self.device)
        settings = self.recurrence.settings
        options = JointOptions(
            num_rounds=num_iterations,
            source_size=settings["source_size"],
            num_steps=settings["num_steps"],
            fixed=known is not None,
        )
        names_of = self.system.parameters.names
        turns = self._symmetries(batch.data)
        data = turn_data(batch.data, turns)
        model = ForwardModel(self.system, data)
        generator = torch.Generator().manual_seed(seed)
        start = self.start(data, generator)
        if known is not None:
            start = known_start(start, self.system, known, batch.unit_flux, turns)
        outcome = infer_jointly(
            self.recurrence.network,
            model,
            start,
            options,
        )
        unlike = self._unlike(outcome, start, data) if known is None else [{}] * len(names)
        samples = turn_samples(
            self._samples(outcome, generator, held=known is not None),
            names_of,
            [inverse_symmetry(turn) for turn in turns],
        )
        outcome = turn_result(outcome, names_of, turns)
        provenance = self._provenance(options, seed)
        return [
            self._result(
                i,
                name,
                observation,
                batch.unit_flux[i],
                outcome,
                samples[:, i],
                provenance | unlike[i],
            )
            for i, (name, observation) in enumerate(zip(names, observations, strict=True))
        ]

    def _unlike(
        self, outcome: JointResult, start: Start, data: ImageData
    ) -> list[dict[str, float]]:
        """How unlike the training population each lens is, where that can be told."""
        values = outcome.values
        measured = {
            ENCODER_DISAGREEMENT: encoder_disagreement(values, start, self.system, self._codec),
            TRAINING_DISTANCE: training_distance(values, data, self.system, self._codec),
        }
        return [
            {key: float(v[i]) for key, v in measured.items() if bool(v[i].isfinite())}
            for i in range(len(values))
        ]

    def _symmetries(self, data: ImageData) -> list[int]:
        """How each image is turned before a network sees it."""
        return canonical_symmetries(data) if self._turns else [0] * len(data)

    def start(self, data: ImageData, generator: torch.Generator) -> Start:
        """Where the joint inference of a batch begins, according to the encoder."""
        return encoder_start(self.encoder, self._codec, self.system, data, generator)

    def encode(self, observation: LensObservation, *, seed: int = 0) -> dict[str, np.ndarray]:
        """Posterior of the encoder alone, before the image is looked at by its likelihood.

        Parameters
        ----------
        observation : LensObservation
            With unit, noise, PSF and pixel scale.
        seed : int, optional
            Of the samples.

        Returns
        -------
        dict of str to ndarray, (S,), declared units
            Samples of each of the encoder's parameters; flux in the observation's unit.

        Raises
        ------
        ObservationError
            If the observation lacks what is needed; the message says what to pass.
        """
        check_usable(observation)
        batch = batch_observations([observation], size=_WORKING_FRAME, device=self.device)
        generator = torch.Generator().manual_seed(seed)
        turns = self._symmetries(batch.data)
        turned = turn_data(batch.data, turns)
        samples = turn_samples(
            encoder_samples(self.encoder, self._codec, turned, generator),
            self._trained.parameters.names,
            [inverse_symmetry(turn) for turn in turns],
        )[:, 0]
        return {
            p.name: as_numpy(samples[:, column], batch.unit_flux[0] if p.linear else 1.0)
            for column, p in enumerate(self._trained.parameters)
        }

    def _samples(
        self, outcome: JointResult, generator: torch.Generator, *, held: bool
    ) -> Tensor:
        """Posterior samples (S, B, P): Gaussian in step coordinates, calibrated widths."""
        values = outcome.values
        shape = (_NUM_SAMPLES, *values.shape)
        if held:
            return values.expand(shape)
        # The same draws for every lens: its result does not depend on the others.
        draws = torch.randn(_NUM_SAMPLES, 1, shape[2], generator=generator)
        draws = draws.to(values).expand(shape)
        factors = self.recurrence.settings.get("error_factors", {})
        factor = values.new_tensor(
            [float(factors.get(p.name, 1.0)) for p in self.system.parameters]
        )
        scale = outcome.covariance.diagonal(dim1=1, dim2=2).sqrt()
        correlation = outcome.covariance / (scale[:, :, None] * scale[:, None, :])
        root = torch.linalg.cholesky_ex(
            correlation.double() + 1e-9 * torch.eye(values.shape[1]).to(values).double()
        ).L.to(values)
        shaped = (root @ draws[..., None])[..., 0]
        low, high = self.system.supports(values)
        positive = is_positive(self.system.parameters, values)
        place = to_coordinates(values, positive)
        samples = from_coordinates(place + shaped * scale * factor, positive)
        return torch.minimum(torch.maximum(samples, low), high)

    def _provenance(self, options: JointOptions, seed: int) -> dict[str, Any]:
        import astrorim

        return {
            "astrorim": astrorim.__version__,
            "torch": str(torch.__version__),
            "encoder": {"backend": self.encoder.backend, "sha256": self.encoder.sha256},
            "recurrence": {
                "backend": self.recurrence.backend,
                "sha256": self.recurrence.sha256,
            },
            "trained_on": self.encoder.provenance.get("simulator", ""),
            "num_iterations": options.num_rounds,
            "parameters_known": options.fixed,
            "seed": seed,
            "stage": "amortised",
        }

    def _result(
        self,
        index: int,
        name: str,
        observation: LensObservation,
        unit_flux: float,
        outcome: JointResult,
        samples: Tensor,
        provenance: dict[str, Any],
    ) -> Reconstruction:
        """One lens of a batch in its observation's own unit."""
        values = outcome.values[index : index + 1]
        source_steps = [as_numpy(s[index], unit_flux) for s in outcome.source_steps]
        return build_reconstruction(
            self.system,
            observation,
            name=name,
            models=(self.lens_model, self.light_model),
            values=values,
            frames=outcome.frames.select(torch.tensor([index]).to(values.device)),
            source=outcome.source[index : index + 1],
            samples=samples,
            unit_flux=unit_flux,
            steps={
                "reduced_chi2": as_numpy(outcome.chi2[index]),
                "source": np.stack(source_steps).astype(np.float32),
            },
            provenance=provenance,
        )


def _weights_file(given: str | os.PathLike[str], plugins: Plugins) -> Path | None:
    """A file, or the weights of the backend of that name; a file of that name goes first."""
    path = Path(given)
    name = os.fspath(given)
    if not path.exists() and name in plugins.networks:
        return plugins.networks.create(name).weights()
    return path


def check_usable(observation: LensObservation) -> None:
    """Raise unless an observation has all that an inference needs.

    Parameters
    ----------
    observation : LensObservation
        What is to be reconstructed.

    Raises
    ------
    ObservationError
        If PSF or noise is missing, or the image is smaller than 32 pixels.
    """
    observation.check()
    name = observation.name or "the observation"
    if observation.psf is None:
        raise ObservationError(
            f"{name} has no PSF; pass psf= a FITS file or an array with an odd side"
        )
    if not observation.has_noise:
        raise ObservationError(
            f"{name} has no noise; pass uncertainty= a FITS file or array of standard "
            "deviations, or measure it with astrorim.observation.with_measured_noise"
        )
    if min(observation.data.shape) < 32:
        raise ObservationError(
            f"{name} must be at least 32 pixels a side, got shape {observation.data.shape}"
        )

"""Trainers put together from the names of plugins."""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch

from astrorim.exceptions import CheckpointError
from astrorim.interfaces import Simulator
from astrorim.lensing.system import LensSystem
from astrorim.plugins.lens_models import parse_composite
from astrorim.rim.codec import ParameterCodec
from astrorim.rim.labels import encoder_labels
from astrorim.rim.light_augmentation import LightRange, redraw_light
from astrorim.rim.objectives import EncoderObjective, RecurrenceObjective, image_data
from astrorim.rim.recurrence import NUM_CELL_INPUTS
from astrorim.rim.training import Trainer
from astrorim.rim.training_batches import DrawnBatches, TrainingBatches

if TYPE_CHECKING:
    from collections.abc import Sequence

    from astrorim.interfaces import SimulatedLenses
    from astrorim.plugins import Plugins
    from astrorim.rim.checkpoint import Checkpoint
    from astrorim.rim.training_options import TrainingOptions

__all__ = ["START_SPREAD", "encoded_system", "make_trainer", "system_of"]

START_SPREAD = {
    "theta_E": 0.025,
    "e1": 0.03,
    "e2": 0.03,
    "x0": 0.008,
    "y0": 0.008,
    "gamma1": 0.02,
    "gamma2": 0.02,
    "light_amplitude": 0.06,
    "light_half_light_radius": 0.05,
    "light_sersic_index": 0.05,
    "light_e1": 0.015,
    "light_e2": 0.015,
    "light_x0": 0.003,
    "light_y0": 0.003,
}
"""Errors of the start that the recurrence is trained to stand: an encoder's typical ones.
Relative for positive parameters, absolute in the parameter's unit for the others."""

_CODEC_SAMPLE = 512
_KIND_SAMPLE = 64
"""Lenses that tell which components all of a kind have."""


def system_of(simulated: SimulatedLenses, plugins: Plugins) -> LensSystem:
    """The lens and light models of simulated lenses."""
    return LensSystem(
        plugins.lens_models.resolve(simulated.lens_model),
        plugins.light_models.create(simulated.light_model),
    )


def encoded_system(sample: SimulatedLenses, plugins: Plugins) -> LensSystem:
    """What an encoder can be trained to infer: the components that every lens has.

    Labelled components, of which a lens may have some and another none, are left out, and
    so is a halo that only some lenses have; what they do to the images then is part of the
    variety that the encoder learns to see past.

    Parameters
    ----------
    sample : SimulatedLenses
        Lenses of the training set.
    plugins : Plugins
        Where names are looked up.

    Returns
    -------
    LensSystem
    """
    kept = []
    for label, name in parse_composite(sample.lens_model):
        component = plugins.lens_models.create(name)
        always = not label and all(
            bool((sample.lens[parameter.name] > parameter.support[0]).all())
            for parameter in component.parameters
            if parameter.name in sample.lens
        )
        if always:
            kept.append(name)
    return LensSystem(
        plugins.lens_models.resolve("+".join(kept)),
        plugins.light_models.create(sample.light_model),
    )


def make_trainer(
    network: str,
    simulator: Simulator | TrainingBatches,
    options: TrainingOptions,
    plugins: Plugins,
    architecture: dict[str, int] | None = None,
    start_from: Checkpoint | None = None,
) -> Trainer:
    """Put a trainer together.

    Parameters
    ----------
    network : str
        Registered network backend; its role decides the objective.
    simulator : Simulator or TrainingBatches
        Draws the lenses, or gives batches of them.
    options : TrainingOptions
        How to train.
    plugins : Plugins
        Where names are looked up.
    architecture : dict of str to int, optional
        Options of the backend that differ from its defaults, or from those of
        ``start_from``.
    start_from : Checkpoint, optional
        Weights to begin with, with their standardisation; fresh ones by default.

    Returns
    -------
    Trainer
        Not yet started; call its ``resume`` to take up an interrupted run.

    Raises
    ------
    CheckpointError
        If the weights to begin with are those of another network.
    ValueError
        If the lenses are of several kinds that have no model in common.
    """
    backend = plugins.networks.create(network)
    if start_from is not None and start_from.backend != backend.name:
        raise CheckpointError(
            f"weights to start from must be of {backend.name!r}, got those of "
            f"{start_from.backend!r}; name that network"
        )
    sizes = dict(start_from.architecture if start_from is not None else {})
    sizes |= architecture or {}
    if isinstance(simulator, Simulator):
        simulator = DrawnBatches(
            simulator,
            seed=options.seed,
            pixel_scales=options.pixel_scales,
            device=options.device,
            at_once=options.at_once,
        )
    # The standardisation comes from lenses of the training set, so it is reproducible.
    standardise = backend.role == "encoder" and start_from is None
    samples = simulator.sample(_CODEC_SAMPLE if standardise else _KIND_SAMPLE)
    system = _common_system(samples, plugins)
    if backend.role == "recurrence":
        # Every component bends the light of the arcs that the source is inferred from.
        sizes.setdefault("channels_in", NUM_CELL_INPUTS)
        objective = RecurrenceObjective(
            system,
            systems={sample.lens_model: system_of(sample, plugins) for sample in samples},
            num_steps=options.num_steps,
            spread=START_SPREAD,
            masks=options.masks,
        )
        return Trainer(backend, sizes, objective, simulator, options, start_from)
    sizes.setdefault("num_parameters", len(system.parameters))
    light_range = LightRange() if options.wide_light else None
    if start_from is None:
        codec = _fitted_codec(system, samples, light_range, options.seed)
    else:
        own = start_from.settings
        codec = ParameterCodec(system.parameters, own["mean"], own["std"])
    full = backend.architecture() | sizes
    encoder = EncoderObjective(
        system,
        codec,
        full["frame"],
        full["psf_frame"],
        copies=options.copies,
        light_range=light_range,
        masks=options.masks,
    )
    return Trainer(backend, sizes, encoder, simulator, options, start_from)


def _fitted_codec(
    system: LensSystem,
    samples: Sequence[SimulatedLenses],
    light_range: LightRange | None,
    seed: int,
) -> ParameterCodec:
    """Standardisation by lenses of every kind, as the encoder is shown them."""
    fitted = []
    for sample in samples:
        values = encoder_labels(system, sample)
        if light_range is not None:
            generator = torch.Generator(values.device).manual_seed(seed)
            values, _, _ = redraw_light(system, sample, light_range, generator, values)
        fitted.append((values, image_data(sample)))
    codec = ParameterCodec(system.parameters)
    codec.fit(*fitted)
    return codec


def _common_system(samples: Sequence[SimulatedLenses], plugins: Plugins) -> LensSystem:
    """What an encoder can infer about lenses of every kind."""
    systems = [encoded_system(sample, plugins) for sample in samples]
    names = {system.lens.name for system in systems}
    if len(names) > 1:
        raise ValueError(
            "simulators must draw lenses with the same components that every lens has, got "
            f"{', '.join(sorted(names))}; train on those of one at a time"
        )
    return systems[0]

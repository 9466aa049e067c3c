"""Trainers put together from the names of plugins."""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch

from astrorim.interfaces import Simulator
from astrorim.lensing.system import LensSystem
from astrorim.plugins.lens_models import parse_composite
from astrorim.rim.codec import ParameterCodec
from astrorim.rim.light_augmentation import LightRange, redraw_light
from astrorim.rim.objectives import EncoderObjective, RecurrenceObjective, image_data
from astrorim.rim.recurrence import NUM_CELL_INPUTS
from astrorim.rim.training import Trainer, TrainingOptions
from astrorim.rim.training_batches import DrawnBatches, TrainingBatches

if TYPE_CHECKING:
    from astrorim.interfaces import SimulatedLenses
    from astrorim.plugins import Plugins

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


def system_of(simulator: Simulator | TrainingBatches, plugins: Plugins) -> LensSystem:
    """The lens and light models that a simulator draws."""
    return LensSystem(
        plugins.lens_models.resolve(simulator.lens_model),
        plugins.light_models.create(simulator.light_model),
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
        Options of the backend that differ from its defaults.

    Returns
    -------
    Trainer
        Not yet started; call its ``resume`` to take up an interrupted run.
    """
    backend = plugins.networks.create(network)
    sizes = dict(architecture or {})
    if backend.role == "recurrence":
        # Every component bends the light of the arcs that the source is inferred from.
        system = system_of(simulator, plugins)
        sizes.setdefault("channels_in", NUM_CELL_INPUTS)
        objective = RecurrenceObjective(system, spread=START_SPREAD)
        return Trainer(backend, sizes, objective, simulator, options)
    # The standardisation comes from lenses of the training set, so it is reproducible.
    if isinstance(simulator, Simulator):
        simulator = DrawnBatches(
            simulator, seed=options.seed, pixel_scales=options.pixel_scales
        )
    sample = simulator.sample(_CODEC_SAMPLE)
    system = encoded_system(sample, plugins)
    sizes.setdefault("num_parameters", len(system.parameters))
    codec = ParameterCodec(system.parameters)
    light_range = LightRange() if options.wide_light else None
    values = system.stack(sample.lens, sample.light)
    if light_range is not None:
        generator = torch.Generator().manual_seed(options.seed)
        values, _, _ = redraw_light(system, sample, light_range, generator)
    codec.fit(values, image_data(sample))
    full = backend.architecture() | sizes
    encoder = EncoderObjective(
        system, codec, full["frame"], full["psf_frame"], light_range=light_range
    )
    return Trainer(backend, sizes, encoder, simulator, options)

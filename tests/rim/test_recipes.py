from __future__ import annotations

import pytest
import torch

from astrorim.exceptions import UnknownNameError
from astrorim.rim.objectives import EncoderObjective, RecurrenceObjective, image_data
from astrorim.rim.recipes import START_SPREAD, make_trainer, system_of
from astrorim.rim.training_options import TrainingOptions

ENCODER = {"frame": 32, "psf_frame": 9, "width": 8, "context": 16, "transforms": 1}


@pytest.fixture
def options(tmp_path):
    return TrainingOptions(str(tmp_path), 1e9, batch_size=2, pixel_scales=(0.1, 0.1))


def test_system_is_what_the_simulator_draws(simulator, plugins):
    system = system_of(simulator, plugins)
    assert (system.lens.name, system.light.name) == ("sie+shear", "sersic")


def test_spread_of_the_start_names_every_parameter(simulator, plugins):
    assert set(START_SPREAD) == set(system_of(simulator, plugins).parameters.names)


def test_recurrence_is_put_together(simulator, plugins, options):
    trainer = make_trainer("unet-gru", simulator, options, plugins, {"fine": 4})
    assert isinstance(trainer.objective, RecurrenceObjective)
    assert trainer.architecture["fine"] == 4
    assert trainer.architecture["channels_in"] == 6


@pytest.mark.parametrize("wide_light", [False, True])
def test_encoder_is_put_together_and_trains(simulator, plugins, tmp_path, wide_light):
    options = TrainingOptions(
        str(tmp_path), 1e9, batch_size=2, pixel_scales=(0.1, 0.1), wide_light=wide_light
    )
    trainer = make_trainer("flow-encoder", simulator, options, plugins, ENCODER)
    assert isinstance(trainer.objective, EncoderObjective)
    assert trainer.objective.frame == 32
    assert trainer.architecture["num_parameters"] == 14
    assert torch.isfinite(torch.tensor(trainer._train_step()))


def test_parameters_are_standardised_on_lenses_of_the_training_set(simulator, plugins, options):
    trainer = make_trainer("flow-encoder", simulator, options, plugins, ENCODER)
    sample = simulator.simulate(512, seed=options.seed, pixel_scale=0.1, supersampling=1)
    values = trainer.objective.system.stack(sample.lens, sample.light)
    latents = trainer.objective.codec.encode(values, image_data(sample))
    torch.testing.assert_close(latents.mean(0), torch.zeros(14), rtol=0, atol=1e-3)
    torch.testing.assert_close(latents.std(0), torch.ones(14), rtol=1e-3, atol=0)


@pytest.mark.parametrize("name", ["enhanced"])
def test_networks_train_on_lenses_with_components_that_some_lack(name, plugins, options):
    simulator = plugins.simulators.create(name)
    encoder = make_trainer("flow-encoder", simulator, options, plugins, ENCODER)
    assert encoder.objective.system.lens.name == "sie+shear"
    assert torch.isfinite(torch.tensor(encoder._train_step()))
    recurrence = make_trainer("unet-gru", simulator, options, plugins, {"fine": 4})
    complete = recurrence.objective.system_of(simulator)
    assert complete.lens.name == simulator.lens_model
    assert torch.isfinite(torch.tensor(recurrence._train_step()))


def test_unknown_network_lists_what_exists(simulator, plugins, options):
    with pytest.raises(UnknownNameError, match="'resnet'; available: .*flow-encoder"):
        make_trainer("resnet", simulator, options, plugins)

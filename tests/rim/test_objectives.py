from __future__ import annotations

from dataclasses import replace

import pytest
import torch

from astrorim.lensing import ForwardModel, SourceFrames
from astrorim.rim.codec import ParameterCodec
from astrorim.rim.objectives import (
    EncoderObjective,
    RecurrenceObjective,
    _operator_between,
    footprint_errors,
    image_data,
    true_source,
)
from astrorim_plugins.networks.flow_encoder import FlowEncoder

SPREAD = {"theta_E": 0.03, "e1": 0.05, "x0": 0.01, "light_amplitude": 0.05}


@pytest.fixture
def recurrence(system):
    return RecurrenceObjective(system, source_size=16, num_steps=3, spread=SPREAD)


@pytest.fixture
def encoder_objective(system, values, data):
    codec = ParameterCodec(system.parameters)
    codec.fit((values, data))
    return EncoderObjective(system, codec, frame=32, psf_frame=9)


@pytest.fixture
def encoder():
    torch.manual_seed(1)
    sizes = {"frame": 32, "psf_frame": 9, "width": 8, "context": 16, "transforms": 1}
    return FlowEncoder().build(**sizes).double()


@pytest.fixture
def draw(generator):
    return torch.Generator().manual_seed(4)


def test_images_are_those_of_the_simulator(simulated):
    data = image_data(simulated)
    assert torch.equal(data.image, simulated.image)
    assert data.good.all()


def test_true_source_is_the_mean_over_each_pixel(simulated, deviation):
    frames = SourceFrames(simulated.source_centre, simulated.pixel_scale / 2, 16)
    fine = true_source(simulated, frames, 16)
    coarse = true_source(simulated, frames)
    assert coarse.shape == (3, 16, 16)
    assert deviation("source averaged over 2 x 2", (coarse - fine).abs().max() / 80) < 0.01


def test_error_of_a_source_counts_inside_its_footprint_alone():
    truth = torch.zeros(1, 8, 8)
    truth[:, 2:4, 2:4] = 2.0
    wrong_outside = truth.clone()
    wrong_outside[:, 6:] = 9.0
    assert footprint_errors(wrong_outside, truth).tolist() == [0.0]
    torch.testing.assert_close(footprint_errors(0.7 * truth, truth), torch.tensor([0.3]))
    torch.testing.assert_close(footprint_errors(0 * truth, truth), torch.tensor([1.0]))


def test_recurrence_starts_half_of_the_lenses_at_the_truth(recurrence, simulated, values, draw):
    many = values.repeat(100, 1)
    lenses = replace(simulated, pixel_scale=simulated.pixel_scale.repeat(100))
    moved = recurrence._perturbed(many, lenses, draw)
    exact = (moved == many).all(dim=1).float().mean()
    assert 0.4 < exact < 0.6
    untouched = [i for i, p in enumerate(recurrence.system.parameters) if p.name not in SPREAD]
    assert torch.equal(moved[:, untouched], many[:, untouched])
    low, high = recurrence.system.supports(many)
    assert ((moved >= low) & (moved <= high)).all()


def test_recurrence_is_unrolled_step_by_step(recurrence, cell, simulated):
    sources, truth = recurrence.unroll(cell, simulated)
    assert len(sources) == 3
    assert all(s.shape == truth.shape == (3, 16, 16) for s in sources)
    assert not torch.equal(sources[0], sources[2])


def test_same_generator_gives_the_same_loss(recurrence, cell, simulated):
    losses = [
        recurrence.loss(cell, simulated, torch.Generator().manual_seed(n)) for n in (8, 8, 9)
    ]
    assert losses[0] == losses[1]
    assert losses[0] != losses[2]


@pytest.mark.parametrize("unit", [1e-10, 1e6])
def test_loss_of_the_recurrence_does_not_depend_on_the_unit(
    recurrence, cell, simulated, draw, unit
):
    scaled = replace(
        simulated,
        image=unit * simulated.image,
        noise=unit * simulated.noise,
        noise_free=unit * simulated.noise_free,
        lens_light=unit * simulated.lens_light,
        light=dict(simulated.light) | {"amplitude": unit * simulated.light["amplitude"]},
        source=lambda x, y: unit * simulated.source(x, y),
    )
    loss = recurrence.loss(cell, simulated, torch.Generator().manual_seed(8))
    other = recurrence.loss(cell, scaled, torch.Generator().manual_seed(8))
    torch.testing.assert_close(other, loss, rtol=1e-9, atol=0)


def test_evaluation_reports_the_error_of_the_source(recurrence, cell, simulated):
    with torch.no_grad():
        measures = recurrence.evaluate(cell, simulated)
    sources, truth = recurrence.unroll(cell, simulated)
    expected = footprint_errors(sources[-1], truth).median()
    assert measures["source_error"] == pytest.approx(float(expected.detach()), rel=1e-9)
    assert recurrence.settings() == {"source_size": 16, "num_steps": 3}


def test_loss_of_the_encoder_trains_it(encoder_objective, encoder, simulated, draw):
    optimizer = torch.optim.Adam(encoder.parameters(), 3e-3)
    losses = []
    for _ in range(12):
        loss = encoder_objective.loss(encoder, simulated, draw)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        losses.append(float(loss.detach()))
    assert sum(losses[-3:]) < sum(losses[:3]) - 3


def test_evaluation_of_the_encoder_is_finite(encoder_objective, encoder, simulated):
    with torch.no_grad():
        measures = encoder_objective.evaluate(encoder, simulated)
    assert set(measures) == {"loss", "theta_E_error", "e1", "gamma1", "x0"}
    assert torch.isfinite(torch.tensor(list(measures.values()))).all()
    settings = encoder_objective.settings()
    assert settings["mean"] == encoder_objective.codec.mean
    assert (settings["frame"], settings["psf_frame"]) == (32, 9)


def test_lenses_of_an_unknown_model_are_refused(recurrence, simulated):
    with pytest.raises(ValueError, match="among sie\\+shear, got 'sis'; name it in systems"):
        recurrence.system_of(replace(simulated, lens_model="sis"))


def test_lengths_are_perturbed_in_proportion_to_the_pixels(recurrence, simulated, values):
    column = recurrence.system.parameters.index_of("x0")
    moves = []
    for factor in (1, 5):
        lenses = replace(simulated, pixel_scale=factor * simulated.pixel_scale)
        moved = recurrence._perturbed(values, lenses, torch.Generator().manual_seed(6))
        moves.append((moved - values)[:, column])
    assert moves[0].abs().max() > 0
    torch.testing.assert_close(moves[1], 5 * moves[0], rtol=1e-9, atol=0)


def test_masked_pixels_do_not_matter_to_the_recurrence(recurrence, cell, simulated):
    good = torch.ones_like(simulated.image)
    good[:, :8] = 0
    sources, _ = recurrence.unroll(cell, simulated, good=good)
    spoilt = simulated.image.clone()
    spoilt[:, :8] = 1e3
    others, _ = recurrence.unroll(cell, replace(simulated, image=spoilt), good=good)
    torch.testing.assert_close(others[-1], sources[-1], rtol=1e-9, atol=0)


def test_masks_change_the_loss(recurrence, encoder_objective, cell, encoder, simulated):
    for objective, network in ((recurrence, cell), (encoder_objective, encoder)):
        losses = [
            o.loss(network, simulated, torch.Generator().manual_seed(2)).item()
            for o in (objective, replace(objective, masks=True))
        ]
        assert losses[0] != losses[1]


def test_positions_between_right_and_wrong_are_close_to_those_traced(
    recurrence, simulated, values, data
):
    model = ForwardModel(recurrence.system, data)
    begin = recurrence._perturbed(values, simulated, torch.Generator().manual_seed(3))
    frames = SourceFrames(simulated.source_centre, simulated.pixel_scale / 2, 16)
    right, wrong = model.trace(values), model.trace(begin)
    halfway = _operator_between(model, frames, right, wrong, 0.5)
    exact = model.source_operator((values + begin) / 2, frames)
    source = true_source(simulated, frames)
    peak = exact.apply(source).max()
    change = (model.source_operator(begin, frames).apply(source) - exact.apply(source)).abs()
    error = (halfway.apply(source) - exact.apply(source)).abs()
    assert error.max() < 0.05 * peak
    assert error.max() < 0.2 * change.max()

from __future__ import annotations

from dataclasses import replace

import pytest
import torch

from astrorim.lensing import ForwardModel
from astrorim.rim import recurrence
from astrorim.rim.source_frames import frames_from_arcs


@pytest.fixture
def unroll(system, values, simulated, place, cell):
    """Steps of the recurrence, and the source's scale, for data in some unit."""

    def run(data, unit=1.0, num_steps=3, cell=cell):
        scaled = replace(data, image=unit * data.image, noise=unit * data.noise)
        model = ForwardModel(system, scaled)
        frames = frames_from_arcs(model, values, unit * simulated.lens_light, 16, **place)
        operator = model.source_operator(values, frames)
        weight = scaled.weight
        arcs = scaled.image - unit * simulated.lens_light
        preconditioner = recurrence.Preconditioner.of(operator, weight)
        projection = preconditioner.back_projection(operator, weight * arcs)
        states = [recurrence.start(cell, projection)]
        for _ in range(num_steps):
            states.append(
                recurrence.step(cell, states[-1], operator, preconditioner, weight, arcs)
            )
        return states

    return run


@pytest.mark.parametrize("unit", [1e-20, 1e6])
def test_steps_do_not_depend_on_the_unit(unroll, data, deviation, unit):
    error = 0.0
    for own, other in zip(unroll(data), unroll(data, unit), strict=True):
        error = max(error, float((own.source - other.source).abs().max().detach()))
        torch.testing.assert_close(other.amplitude, unit * own.amplitude, rtol=1e-12, atol=0)
        torch.testing.assert_close(
            other.brightness, unit * own.brightness, rtol=1e-9, atol=1e-9 * unit
        )
    assert deviation("source in units of its amplitude", error) < 1e-10


def test_start_is_half_the_positive_part_of_the_projection(cell, generator, dtype):
    projection = torch.randn(2, 16, 16, generator=generator, dtype=dtype)
    state = recurrence.start(cell, projection)
    torch.testing.assert_close(
        state.brightness, projection.clamp_min(0) / 2, rtol=1e-12, atol=1e-15
    )
    assert state.source.max() <= 0.5
    assert all(not memory.any() for memory in state.memory)


@pytest.mark.parametrize("level", [0.0, -3.0])
def test_start_without_light_is_blank_and_finite(cell, dtype, level):
    state = recurrence.start(cell, torch.full((2, 16, 16), level, dtype=dtype))
    assert not state.brightness.any()
    assert torch.isfinite(state.amplitude).all()
    assert (state.amplitude > 0).all()


def test_untrained_cell_leaves_the_source(unroll, data, plugins):
    fresh = plugins.networks.create("unet-gru").build(channels_in=6, fine=4, middle=4, coarse=4)
    states = unroll(data, cell=fresh.double())
    assert torch.equal(states[-1].source, states[0].source)


def test_sensitivity_is_that_of_a_uniform_source(system, data, values, simulated, place):
    model = ForwardModel(system, data)
    frames = frames_from_arcs(model, values, simulated.lens_light, 16, **place)
    operator = model.source_operator(values, frames)
    preconditioner = recurrence.Preconditioner.of(operator, data.weight)
    # the back-projection of a uniform source is uniform, up to the floor of 2 %
    uniform = operator.apply(torch.full((3, 16, 16), 5.0, dtype=values.dtype))
    projection = preconditioner.back_projection(operator, data.weight * uniform)
    largest = preconditioner.sensitivity.amax(dim=(-2, -1), keepdim=True)
    expected = 5 / (1 + 0.02 * largest / preconditioner.sensitivity)
    torch.testing.assert_close(projection, expected, rtol=1e-10, atol=1e-10)


def test_masked_pixels_have_no_influence(unroll, data):
    good = data.good.clone()
    good[:, 8:12, 4:9] = 0
    masked = replace(data, good=good)
    other = replace(
        masked,
        image=torch.where(good > 0, data.image, 1e9),
        noise=torch.where(good > 0, data.noise, 1e-9),
    )
    assert torch.equal(unroll(other)[-1].brightness, unroll(masked)[-1].brightness)


def test_training_gradient_goes_through_the_network_alone(unroll, data, cell):
    unroll(data)[-1].brightness.sum().backward()
    gradients = [p.grad for p in cell.parameters()]
    assert all(g is not None and torch.isfinite(g).all() for g in gradients)
    assert any(g.any() for g in gradients)


def test_wholly_masked_lens_stays_finite(unroll, data):
    states = unroll(replace(data, good=torch.zeros_like(data.good)))
    assert torch.isfinite(states[-1].brightness).all()

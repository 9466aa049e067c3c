from __future__ import annotations

from dataclasses import replace

import pytest
import torch

from astrorim.lensing import ForwardModel
from astrorim.rim.joint import JointOptions, infer_jointly
from astrorim.rim.parameter_step import is_positive
from astrorim.rim.start import Start

START_ERROR = 0.02
OPTIONS = JointOptions(num_rounds=2, source_size=16, num_steps=2, num_early_steps=1)


@pytest.fixture
def start(values):
    return values + START_ERROR * values.abs() * torch.tensor([1.0, -1.0]).repeat(7)


@pytest.fixture
def spread(system, values):
    positive = is_positive(system.parameters, values)
    return torch.where(positive, 2 * START_ERROR, 2 * START_ERROR * values.abs() + 1e-3)


@pytest.fixture
def infer(system, cell, place):
    def run(data, values, spread, options=OPTIONS, place=place, candidates=None):
        start = Start(values, spread, **place, candidates=candidates)
        return infer_jointly(cell, ForwardModel(system, data), start, options)

    return run


@pytest.mark.parametrize(
    "name", ["num_rounds", "source_size", "num_steps", "num_early_steps", "num_parameter_steps"]
)
def test_numbers_below_one_are_refused(name):
    with pytest.raises(ValueError, match=f"{name} must be at least 1, got 0"):
        JointOptions(**{name: 0})


def test_result_has_the_shapes_it_declares(infer, data, start, spread, system):
    result = infer(data, start, spread)
    number = len(system.parameters)
    assert result.values.shape == (3, number)
    assert result.covariance.shape == (3, number, number)
    assert result.source.shape == (3, 16, 16)
    assert result.chi2.shape == (3, 3)
    assert len(result.source_steps) == 2
    assert torch.equal(result.source, result.source_steps[-1])
    assert not result.source.requires_grad


def test_known_parameters_are_held(infer, data, values, spread):
    result = infer(data, values, spread, replace(OPTIONS, fixed=True))
    assert torch.equal(result.values, values)
    assert result.chi2.shape == (3, 1)


def test_last_chi_square_is_that_of_the_result(infer, system, data, start, spread):
    result = infer(data, start, spread)
    model = ForwardModel(system, data)
    chi2 = model.chi2(model.render(result.source, result.values, result.frames))
    torch.testing.assert_close(result.chi2[:, -1], chi2 / 32**2, rtol=1e-9, atol=0)


@pytest.mark.parametrize("unit", [1e-10, 1e6])
def test_result_does_not_depend_on_the_unit(infer, system, data, start, spread, unit):
    column = system.parameters.index_of("light_amplitude")
    factor = torch.ones_like(start[0])
    factor[column] = unit
    scaled = replace(data, image=unit * data.image, noise=unit * data.noise)
    own, other = infer(data, start, spread), infer(scaled, start * factor, spread)
    torch.testing.assert_close(other.values / factor, own.values, rtol=1e-6, atol=1e-8)
    torch.testing.assert_close(other.chi2, own.chi2, rtol=1e-6, atol=0)
    torch.testing.assert_close(other.source / unit, own.source, rtol=1e-5, atol=1e-6)


def test_lenses_of_a_batch_do_not_meet(infer, data, start, spread, place):
    together = infer(data, start, spread)
    index = torch.tensor([1])
    own_place = {key: value[index] for key, value in place.items()}
    alone = infer(data.select(index), start[index], spread[index], place=own_place)
    torch.testing.assert_close(alone.values, together.values[index], rtol=1e-7, atol=1e-9)
    torch.testing.assert_close(alone.source, together.source[index], rtol=1e-6, atol=1e-7)


def test_background_is_part_of_the_model(infer, data, start, spread):
    level = torch.tensor([0.1, -0.2, 0.3], dtype=start.dtype)
    raised = replace(data, image=data.image + level[:, None, None], background=level)
    own, other = infer(data, start, spread), infer(raised, start, spread)
    torch.testing.assert_close(other.values, own.values, rtol=1e-6, atol=1e-8)


def test_masked_pixels_have_no_influence(infer, data, start, spread):
    good = data.good.clone()
    good[:, 8:12, 4:9] = 0
    masked = replace(data, good=good)
    other = replace(
        masked,
        image=torch.where(good > 0, data.image, 1e9),
        noise=torch.where(good > 0, data.noise, 1e9),
    )
    results = [infer(d, start, spread) for d in (masked, other)]
    assert torch.equal(results[0].values, results[1].values)
    assert torch.equal(results[0].source, results[1].source)


def test_best_of_several_starts_goes_on(infer, system, data, start, spread):
    # two candidates with a wrong Einstein radius, the good one in another place per lens
    wrong = start.clone()
    wrong[:, system.parameters.index_of("theta_E")] *= 1.4
    candidates = torch.stack([wrong, wrong, wrong])
    for lens, place in enumerate((2, 0, 1)):
        candidates[place, lens] = start[lens]
    chosen = infer(data, start, spread, candidates=candidates)
    alone = infer(data, start, spread, candidates=start[None])
    torch.testing.assert_close(chosen.values, alone.values, rtol=1e-7, atol=1e-9)
    torch.testing.assert_close(chosen.chi2, alone.chi2, rtol=1e-7, atol=0)

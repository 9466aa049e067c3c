"""Tests of the evidence of whole models."""

from __future__ import annotations

import math
from dataclasses import replace

import numpy as np
import pytest
import torch

from astrorim.inference.lens_fit import LensFit
from astrorim.inference.model_evidence import log_model_evidence, source_log_bayes_factor
from astrorim.inference.refinement import RefinementOptions, evaluate, refine
from astrorim.lensing.forward import ForwardModel
from astrorim.lensing.interpolation import SourceFrames
from astrorim.lensing.system import LensSystem
from astrorim.plugins import load_plugins
from astrorim.rim.objectives import image_data

_SIGNED = RefinementOptions(max_steps=12, tolerance=1e-4, tempered=False, nonnegative=False)


@pytest.fixture(scope="module")
def lens(small_batch):
    """Model, pixels and true parameters of a simulated lens."""
    plugins = load_plugins()
    system = LensSystem(
        plugins.lens_models.resolve("sie+shear"), plugins.light_models.create("sersic")
    )
    model = ForwardModel(system, image_data(small_batch))
    truth = system.stack(small_batch.lens, small_batch.light).float()
    return model, torch.ones(model.shape, dtype=torch.bool), truth


def _without_arcs(model, batch):
    arcs = batch.noise_free - batch.lens_light
    ratio = float(model.data.noise.median() / batch.noise.median())
    image = model.data.image - ratio * arcs.to(model.data.image)
    return model.changed(data=replace(model.data, image=image))


@pytest.mark.parametrize("correlated", [True, False])
def test_the_evidence_knows_whether_noise_is_correlated(lens, correlated):
    """Of the galaxy alone; both models have a chi-square of one a pixel for their own noise."""
    model, used, truth = lens
    noise = torch.randn(1, *model.shape, generator=torch.Generator().manual_seed(5))
    kernel = torch.tensor([[0.3, 0.2], [0.6, 0.2]])
    kernel = kernel / kernel.norm()
    wide = torch.nn.functional.pad(kernel[None, None], (1, 1, 1, 1))
    correlation = torch.nn.functional.conv2d(wide, kernel[None, None])[0, 0].double().numpy()
    if correlated:
        padded = torch.nn.functional.pad(noise[None], (0, 1, 0, 1), mode="circular")
        noise = torch.nn.functional.conv2d(padded, kernel[None, None])[0]
    image = model.lens_light(truth) + model.data.noise * noise
    model = model.changed(data=replace(model.data, image=image))
    held = tuple(p.name for p in model.system.parameters if not p.linear)
    logs = []
    for assumed in (correlation, None):
        fit = LensFit(model, used, 0, correlation=assumed)
        state = refine(fit, truth, None, held=held, options=_SIGNED)
        logs.append(log_model_evidence(fit, state))
    gain = logs[0] - logs[1]
    expected = LensFit(model, used, 0, correlation=correlation).log_whitening
    assert expected > 300
    if correlated:
        assert gain == pytest.approx(expected, rel=0.2)
    else:
        assert gain < -0.5 * expected


def test_evidence_is_the_integral_over_the_parameters(lens, small_batch):
    """One parameter moves: its evidence is integrated by the trapezoidal rule."""
    model, used, truth = lens
    model = _without_arcs(model, small_batch)
    held = tuple(p.name for p in model.system.parameters if p.name != "light_x0")
    fit = LensFit(model, used, 0)
    state = refine(fit, truth, None, held=held, options=_SIGNED)
    place = model.system.parameters.index_of("light_x0")
    column = fit.nonlinear.index(place)
    middle = float(state.values[0, place])
    width = float(state.covariance[column, column]) ** 0.5
    steps = np.linspace(-7, 7, 57) * width
    low, high = model.system.parameters[place].prior
    logs, prior = [], (high - low) / math.sqrt(12)
    for step in steps:
        values = state.values.clone()
        values[0, place] = middle + step
        at = evaluate(fit, values, None, 1.0, nonnegative=False)
        others = state.objective - state.inversion.objective - (middle / prior) ** 2
        penalty = others + (float(values[0, place]) / prior) ** 2
        logs.append(at.inversion.log_evidence - 0.5 * penalty)
    peak = max(logs)
    integral = np.trapezoid(np.exp(np.array(logs) - peak), steps)
    expected = peak + math.log(integral / (prior * math.sqrt(2 * math.pi)))
    # float32 images leave the chi-square of thousands of pixels uncertain by some 1e-3.
    assert log_model_evidence(fit, state) == pytest.approx(expected, abs=0.02)


def test_arcs_ask_for_a_source_and_a_lone_galaxy_does_not(lens, small_batch):
    model, used, truth = lens
    theta_e = float(small_batch.lens["theta_E"][0])
    frames = SourceFrames(torch.zeros(1, 2), torch.tensor([2 * theta_e / 16]), 16)
    options = RefinementOptions(max_steps=4, tempered=False)
    with_arcs = refine(fit := LensFit(model, used, 16), truth, frames, options=options)
    assert source_log_bayes_factor(fit, with_arcs) > 100
    lone = _without_arcs(model, small_batch)
    without = refine(fit := LensFit(lone, used, 16), truth, frames, options=options)
    assert source_log_bayes_factor(fit, without) < 5


def test_a_solution_without_covariance_is_refused(lens):
    model, used, truth = lens
    fit = LensFit(model, used, 0)
    with pytest.raises(ValueError, match="must have a covariance"):
        log_model_evidence(fit, evaluate(fit, truth, None, 1.0))

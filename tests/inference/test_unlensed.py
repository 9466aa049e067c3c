"""Tests of the comparison of a lens with a galaxy of free shape and stars."""

from __future__ import annotations

import math
from dataclasses import replace

import pytest
import torch

from astrorim.inference import unlensed
from astrorim.inference.lens_fit import LensFit
from astrorim.inference.refinement import RefinementOptions, evaluate, refine
from astrorim.inference.unlensed import lensing_odds, light_deviations
from astrorim.lensing.forward import ForwardModel
from astrorim.lensing.interpolation import SourceFrames
from astrorim.lensing.system import LensSystem
from astrorim.plugins import load_plugins
from astrorim.rim.objectives import image_data

_STEPS = RefinementOptions(max_steps=3, tempered=False)


@pytest.fixture(scope="module")
def scene(small_batch):
    """Model of a simulated lens, its true parameters, and its arcs."""
    plugins = load_plugins()
    system = LensSystem(
        plugins.lens_models.resolve("sie+shear"), plugins.light_models.create("sersic")
    )
    model = ForwardModel(system, image_data(small_batch))
    truth = system.stack(small_batch.lens, small_batch.light).float()
    amplitude = system.parameters.index_of("light_amplitude")
    ratio = float(model.data.noise.median() / small_batch.noise.median())
    truth[0, amplitude] *= ratio
    arcs = ratio * (small_batch.noise_free - small_batch.lens_light).to(model.data.image)
    return model, truth, arcs


@pytest.fixture(scope="module")
def solution(scene, small_batch):
    """Function that fits a lens and a source to the galaxy with something added."""
    model, truth, arcs = scene
    theta_e = float(small_batch.lens["theta_E"][0])
    frames = SourceFrames(torch.zeros(1, 2), torch.tensor([3 * theta_e / 16]), 16)

    def solve(added):
        data = replace(model.data, image=model.data.image - arcs + added)
        fit = LensFit(model.changed(data=data), torch.ones(model.shape, dtype=torch.bool), 16)
        return fit, refine(fit, truth, frames, options=_STEPS)

    return solve


def test_arcs_ask_for_a_lens(scene, solution):
    assert lensing_odds(*solution(scene[2])).log_bayes_factor > 100


def test_a_star_beside_a_galaxy_asks_for_none(scene, solution):
    """At a place between pixels; the lens's source makes up for it otherwise."""
    model = scene[0]
    points = model.data.image.new_zeros(
        1, *((side + 2 * model.margin) * model.sampling for side in model.shape)
    )
    middle = points.shape[1] // 2
    points[0, middle + 10 : middle + 12, middle - 9] = 1.0
    star = model.observe(points, model.sampling)
    star = star * 60 * float(model.data.noise.median()) / star.max()
    odds = lensing_odds(*solution(star))
    assert odds.num_stars >= 1
    assert odds.log_bayes_factor < 0


def test_a_galaxy_of_another_shape_asks_for_none(scene, solution, monkeypatch):
    model, truth, _ = scene
    x, y = (p[:, model.margin : -model.margin, model.margin : -model.margin]
            for p in model.positions(1))  # fmt: skip
    radius = torch.hypot(x, y)
    light = model.lens_light(truth)
    arms = radius**2 / (0.2 + radius**2) * torch.cos(3 * torch.atan2(y, x) + 1)
    added = 0.6 * light * arms
    fit, state = solution(added)
    assert lensing_odds(fit, state).log_bayes_factor < 0
    monkeypatch.setattr(unlensed, "_DEVIATION", 1e-6)
    assert lensing_odds(fit, state).log_bayes_factor > 10


def test_deviations_are_a_share_of_the_light(scene, solution):
    """Those without angle add up to the light's own image, to the overlap of the bumps."""
    fit, state = solution(scene[2])
    columns = light_deviations(fit, state.values)
    own = fit.light_design(state.values)[0]
    own = fit.whitened(own) * state.values[0, fit.linear]
    rings = columns[:: 2 * unlensed._ORDERS + 1].sum(dim=0) / unlensed._DEVIATION
    x, y = fit.positions
    radius = torch.hypot(x, y)
    ratio = (rings / own)[(radius > 0.3) & (radius < 1)]
    # The sum of Gaussians 0.6 of their spacing wide; the PSF mixes radii.
    expected = torch.full_like(ratio, 0.6 * (2 * math.pi) ** 0.5)
    torch.testing.assert_close(ratio, expected, rtol=0.02, atol=0)


def test_a_solution_without_source_or_covariance_is_refused(scene, solution):
    model, truth, arcs = scene
    fit, state = solution(arcs)
    with pytest.raises(ValueError, match="must have a covariance"):
        lensing_odds(fit, replace(state, covariance=None))
    bare = LensFit(model, fit.used, 0)
    with pytest.raises(ValueError, match="must have a source"):
        lensing_odds(bare, evaluate(bare, truth, None, 1.0))


def test_arcs_without_lens_light_are_compared_with_stars_alone(ring):
    whole = ring()
    fit = LensFit(whole.model, whole.used, whole.frames.size)
    state = refine(fit, whole.values, whole.frames, options=_STEPS)
    assert light_deviations(fit, whole.values).shape == (0, fit.num_pixels)
    odds = lensing_odds(fit, state)
    assert odds.log_bayes_factor > 100
    assert 0 < odds.num_stars <= unlensed._MOST_STARS

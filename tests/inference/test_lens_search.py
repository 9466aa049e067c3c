"""Tests of the whole refinement on a simulated lens."""

from __future__ import annotations

import torch

from astrorim.inference.lens_search import SearchOptions, fit_lens
from astrorim.inference.refinement import evaluate
from astrorim.lensing.forward import ForwardModel
from astrorim.lensing.system import LensSystem
from astrorim.plugins import load_plugins
from astrorim.rim.objectives import image_data


def test_refinement_ends_at_the_truth(small_batch):
    """Einstein radius to half a per cent from a tenth too large, residuals white."""
    plugins = load_plugins()
    system = LensSystem(
        plugins.lens_models.resolve("sie+shear"), plugins.light_models.create("sersic")
    )
    model = ForwardModel(system, image_data(small_batch))
    used = torch.ones(model.shape, dtype=torch.bool)
    truth = system.stack(small_batch.lens, small_batch.light).float()
    place = system.parameters.index_of("theta_E")
    start = truth.clone()
    start[0, place] *= 1.1
    for name in ("e1", "e2", "gamma1", "gamma2"):
        start[0, system.parameters.index_of(name)] = 0.0
    options = SearchOptions(source_size=20, max_steps=5)
    fit, state = fit_lens(model, used, start, options)
    error = abs(float(state.values[0, place] / truth[0, place]) - 1)
    assert error < 0.005
    assert state.inversion.chi2 / fit.num_pixels < 1.05
    at_truth = evaluate(fit, truth, state.frames, state.inversion.strength)
    assert state.objective < at_truth.objective + 2
    column = fit.nonlinear.index(place)
    assert 0 < float(state.covariance[column, column]) ** 0.5 < 0.01

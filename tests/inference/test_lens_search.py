"""Tests of the whole refinement, of its start and of its descent, on simulated lenses."""

from __future__ import annotations

from functools import cache

import pytest
import torch

from astrorim.inference.blind_start import (
    StartOptions,
    incredibility,
    search_starts,
)
from astrorim.inference.coarse_images import coarse_model
from astrorim.inference.lens_fit import LensFit
from astrorim.inference.lens_search import SearchOptions, fit_lens
from astrorim.inference.light_fit import fit_light
from astrorim.inference.refinement import evaluate
from astrorim.lensing.forward import ForwardModel
from astrorim.lensing.system import LensSystem
from astrorim.plugins import load_plugins
from astrorim.rim.objectives import image_data

_SEED, _INDEX = 10**9, 2


@cache
def _lens():
    plugins = load_plugins()
    system = LensSystem(
        plugins.lens_models.resolve("sie+shear"), plugins.light_models.create("sersic")
    )
    simulated = plugins.simulators.create("foundation").simulate(1, seed=_SEED, start=_INDEX)
    model = ForwardModel(system, image_data(simulated))
    truth = system.stack(simulated.lens, simulated.light).float()
    return model, torch.ones(model.shape, dtype=torch.bool), truth


@cache
def _start():
    model, used, _ = _lens()
    return search_starts(model, used, fit_light(model, used), StartOptions(num_peaks=2))


def test_light_is_not_taken_from_the_arcs():
    """The galaxy's centre and flux near it are found under a bright ring."""
    model, used, truth = _lens()
    values = fit_light(model, used)
    names = model.system.parameters.names
    for name in ("light_x0", "light_y0"):
        place = names.index(name)
        assert abs(float(values[0, place] - truth[0, place])) < 0.02
    middle = model.shape[0] // 2
    core = (0, slice(middle - 5, middle + 5), slice(middle - 5, middle + 5))
    ratio = model.lens_light(values)[core].sum() / model.lens_light(truth)[core].sum()
    assert 0.8 < float(ratio) < 1.25


def test_blind_start_finds_the_basin():
    """The image alone gives the Einstein radius to a few percent."""
    model, _, truth = _lens()
    place = model.system.parameters.index_of("theta_E")
    best = _start()[0]
    assert abs(float(best.values[0, place] / truth[0, place]) - 1) < 0.02
    coarse = coarse_model(model, 2)
    fit = LensFit(coarse, torch.ones(coarse.shape, dtype=torch.bool), 16)
    scores = [incredibility(fit, state) for state in _start()]
    assert scores == sorted(scores)


@pytest.mark.slow
def test_refinement_ends_at_the_truth():
    """Einstein radius to 0.3 %, residuals white, no worse than the truth itself."""
    model, used, truth = _lens()
    options = SearchOptions(
        source_size=24, max_steps=6, num_followed=1, start=StartOptions(num_peaks=1)
    )
    fit, state = fit_lens(model, used, _start()[0].values, options)
    place = model.system.parameters.index_of("theta_E")
    error = abs(float(state.values[0, place] / truth[0, place]) - 1)
    assert error < 0.003
    assert state.inversion.chi2 / fit.num_pixels < 1.05
    at_truth = evaluate(fit, truth, state.frames, state.inversion.strength)
    assert state.objective < at_truth.objective + 2
    column = fit.nonlinear.index(place)
    assert 0 < float(state.covariance[column, column]) ** 0.5 < 0.003

"""Tests of the whole refinement on a simulated lens."""

from __future__ import annotations

import math
from dataclasses import replace
from types import SimpleNamespace

import pytest
import torch

from astrorim.exceptions import AstroRIMError
from astrorim.inference import lens_search
from astrorim.inference.blind_start import StartOptions
from astrorim.inference.compact_source import CompactFit
from astrorim.inference.lens_fit import LensFit
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
    # a cusp convolved on a coarser grid than the PSF's would not fit
    assert fit.model.sampling == small_batch.psf_supersampling == 4
    at_truth = evaluate(fit, truth, state.frames, state.inversion.strength)
    assert state.objective < at_truth.objective + 2
    column = fit.nonlinear.index(place)
    assert 0 < float(state.covariance[column, column]) ** 0.5 < 0.01


@pytest.fixture
def failing(monkeypatch):
    """Function after which descents with so many source pixels a side fail, some of them."""

    def arrange(size, times):
        failures = iter(range(times))
        refine = lens_search.refine

        def sometimes(fit, *args, **options):
            if fit.size == size and next(failures, None) is not None:
                raise AstroRIMError("no exchanges left")
            return refine(fit, *args, **options)

        monkeypatch.setattr(lens_search, "refine", sometimes)

    return arrange


def _searched(ring, **options):
    start = StartOptions(theta_e_range=(0.8, 1.3), num_radii=3, num_steps=3, num_more_steps=2)
    wanted = SearchOptions(source_size=10, max_steps=2, early_steps=2, start=start, **options)
    return fit_lens(ring.model, ring.used, None, wanted)[1]


def test_a_start_that_fails_is_named(ring, failing, monkeypatch):
    monkeypatch.setattr(lens_search, "search_starts", _two_starts)
    failing(lens_search._EARLY_SIZE, 1)
    (note,) = _searched(ring(), adaptive=False).notes
    assert note == "the start at theta_E 1.05 arcsec failed: no exchanges left"


def test_finer_pixels_that_fail_are_named(ring, failing, monkeypatch):
    monkeypatch.setattr(lens_search, "search_starts", _two_starts)
    monkeypatch.setattr(lens_search, "_SIGNIFICANT", -math.inf)
    failing(15, 1)
    state = _searched(ring())
    assert state.notes == ("a source of 15 x 15 pixels failed: no exchanges left",)
    assert state.source_frames.size == 10


def test_a_darker_prior_that_fails_is_named(ring, failing, monkeypatch):
    """It is tried on as many pixels as the one before it."""
    monkeypatch.setattr(lens_search, "search_starts", _two_starts)
    own = lens_search._on_pixels

    def darker_fails(*args):
        if args[-1] == lens_search._DARKEST:
            raise AstroRIMError("no exchanges left")
        return own(*args)

    monkeypatch.setattr(lens_search, "_on_pixels", darker_fails)
    (note,) = _searched(ring(), adaptive=False).notes
    assert note.startswith("a source of 10 x 10 pixels that may be as faint as 0.001 of its")


def test_a_search_without_failure_has_no_notes(ring, monkeypatch):
    monkeypatch.setattr(lens_search, "search_starts", _two_starts)
    assert _searched(ring(), adaptive=False).notes == ()


def test_a_search_all_of_whose_starts_fail_says_why(ring, failing, monkeypatch):
    monkeypatch.setattr(lens_search, "search_starts", _two_starts)
    failing(lens_search._EARLY_SIZE, 2)
    with pytest.raises(AstroRIMError, match="no exchanges left"):
        _searched(ring())


def _two_starts(model, used, values, options):
    """Two compact sources behind lenses near the true one, of 1 arcsec."""
    values = torch.zeros(2, len(model.system.parameters))
    values[:, model.system.parameters.index_of("theta_E")] = torch.tensor([1.05, 0.98])
    fit = CompactFit(model, used, {})
    return fit.begin(values)


@pytest.mark.parametrize(("poor", "number"), [(math.inf, 1), (0.0, 2)])
def test_a_poor_start_is_begun_anew_as_the_light_is(small_batch, monkeypatch, poor, number):
    """Without the shear and offset that a source of few Gaussians bent the lens to."""
    plugins = load_plugins()
    system = LensSystem(
        plugins.lens_models.resolve("sie+shear"), plugins.light_models.create("sersic")
    )
    model = ForwardModel(system, image_data(small_batch))
    used = torch.ones(model.shape, dtype=torch.bool)
    bent = system.stack(small_batch.lens, small_batch.light).float()
    names = system.parameters.names
    for name, value in (("x0", 0.1), ("gamma1", -0.16), ("e1", -0.3)):
        bent[0, names.index(name)] = value
    own, begun = lens_search.refine, []

    def refine(fit, values, *args, **options):
        begun.append(dict(zip(names, values[0].tolist(), strict=True)))
        return own(fit, values, *args, **options)

    monkeypatch.setattr(lens_search, "refine", refine)
    monkeypatch.setattr(lens_search, "_POOR", poor)
    fit = CompactFit(model, used, {})
    options = SearchOptions(early_steps=2)
    lens_search._best_of(model, used, fit.begin(bent), options, None)
    assert len(begun) == number + 1  # and the last one from the best
    assert begun[0]["gamma1"] == pytest.approx(-0.16)
    if number == 2:
        plain = begun[1]
        assert plain["gamma1"] == plain["gamma2"] == 0
        assert plain["theta_E"] == begun[0]["theta_E"]
        for name, share in (("x0", 1), ("y0", 1), ("e1", 0.5), ("e2", 0.5)):
            assert plain[name] == pytest.approx(share * plain[f"light_{name}"])


@pytest.mark.parametrize("gain", [3.0, -3.0])
def test_other_pixels_or_priors_are_kept_for_their_evidence(monkeypatch, gain):
    def solved(log_evidence):
        return None, SimpleNamespace(inversion=SimpleNamespace(log_evidence=log_evidence))

    found, other = solved(-100.0), solved(-100.0 + gain)
    monkeypatch.setattr(lens_search, "_on_pixels", lambda *_: other)
    kept = lens_search._better_on_pixels(None, found, 32, 12)
    assert kept is (other if gain > 0 else found)


def test_a_misfit_of_the_arcs_does_not_drown_in_the_frame(ring):
    """The same excess of chi-square counts on the arcs, and not on the sky."""
    case = ring()
    fit = LensFit(case.model, case.used, 12)
    strength = fit.problem(case.values, case.frames).best_strength()
    state = evaluate(fit, case.values, case.frames, strength)
    design = state.inversion.problem.design.first(144)
    arcs = (design @ state.inversion.mean[:144]).abs()
    order = arcs.argsort(descending=True)
    number = int((arcs > lens_search._BRIGHT).sum())
    assert 3 * number < len(arcs)

    def misfit(places):
        residual = torch.ones(len(arcs))
        residual[places] = 1.5
        inversion = replace(state.inversion, residual=residual)
        return lens_search._misfit(fit, replace(state, inversion=inversion))

    assert misfit(order[:number]) > misfit(order[-number:]) + 3

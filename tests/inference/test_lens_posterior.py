"""Samples of the exact posterior of one lens."""

from __future__ import annotations

import math
from dataclasses import replace

import pytest
import torch

from astrorim.inference import lens_posterior
from astrorim.inference.laplace import WIDENED, laplace_samples
from astrorim.inference.lens_fit import LensFit
from astrorim.inference.lens_posterior import SamplingOptions, _Posterior, sample_lens
from astrorim.inference.refinement import RefinementOptions, refine
from astrorim.inference.source_pixels import expected_like, frames_of_source
from astrorim.lensing.forward import ForwardModel
from astrorim.lensing.system import LensSystem
from astrorim.plugins import load_plugins
from astrorim.rim.parameter_step import from_coordinates


@pytest.fixture
def solved(ring):
    """A ring fitted without the limit that no pixel be negative.

    So bright that a deviation is small beside the source's pixels: between their centres
    the interpolation has kinks, across which no posterior is Gaussian.
    """
    case = ring(signal=400.0, number=8)
    fit = LensFit(case.model, case.used, 8)
    options = RefinementOptions(nonnegative=False, tempered=False, tolerance=0.01)
    return fit, refine(fit, case.values, case.frames, options=options)


@pytest.fixture
def shining(ring):
    """A ring around a galaxy that shines, its pixels where its source is steep."""
    case = ring(signal=40.0, number=10)
    plugins = load_plugins()
    system = LensSystem(case.model.system.lens, plugins.light_models.resolve("sersic"))
    galaxy = {"amplitude": 20.0, "half_light_radius": 0.4, "sersic_index": 1.5}
    values = [galaxy.get(p.name.removeprefix("light_"), 0.0) for p in system.parameters]
    values = torch.tensor([values])
    values[:, : case.values.shape[1]] = case.values
    data = case.model.data
    light = ForwardModel(system, data).lens_light(values)
    model = ForwardModel(system, replace(data, image=data.image + light))
    options = RefinementOptions(max_steps=6, tempered=False, nonnegative=False)
    fit = LensFit(model, case.used, 10)
    state = refine(fit, values, case.frames, options=options)
    frames = frames_of_source(fit, state, 12)
    fit = LensFit(model, case.used, 12, expected=expected_like(fit, state))
    return fit, refine(fit, state.values, frames, options=options)


@pytest.fixture
def target(solved):
    fit, state = solved
    return _Posterior(fit, state, state.source_frames)


def test_density_is_the_evidence_with_the_prior_of_the_parameters(solved, target):
    """Source and amplitudes go out of it: the closed form with dense matrices."""
    fit, state = solved
    place, covariance = target.maximum(state)
    other = place + 0.5 * torch.linalg.cholesky(covariance)[:, 0]

    def closed_form(place):
        values = state.values.clone()
        values[0, fit.nonlinear] = from_coordinates(place, target.positive).to(values)
        problem = fit.problem(values, state.source_frames)
        prior = problem.prior_precision(target.strength)
        design = problem.design @ torch.eye(len(prior))
        covariance = torch.linalg.inv(prior)
        covariance = design.double() @ covariance @ design.double().mT
        covariance += torch.eye(len(covariance))
        away = place - target.mean
        data = problem.data.double()
        return -0.5 * float(
            data @ torch.linalg.solve(covariance, data)
            + torch.linalg.slogdet(covariance)[1]
            + len(data) * math.log(2 * math.pi)
            + (target.precision * away**2).sum()
        )

    assert target(place)[0] == pytest.approx(closed_form(place), rel=1e-4)
    fall = target(place)[0] - target(other)[0]
    assert fall == pytest.approx(closed_form(place) - closed_form(other), rel=0.02, abs=0.02)


def test_force_is_the_slope_of_the_density(solved, target):
    """By central differences, but for the determinant's slope, which is small."""
    _, state = solved
    place, covariance = target.maximum(state)
    root = torch.linalg.cholesky(covariance)
    place = place + 0.5 * root.sum(dim=1)
    force = root.mT @ target(place)[1]
    h = 0.1
    slopes = torch.tensor(
        [(target(place + h * d)[0] - target(place - h * d)[0]) / (2 * h) for d in root.mT]
    )
    assert (slopes - force).abs().max() < 0.1
    assert force.abs().max() > 0.3


def test_outside_the_support_there_is_nothing(solved, target):
    fit, state = solved
    place, _ = target.maximum(state)
    place[fit.nonlinear.index(fit.model.system.parameters.index_of("e1"))] = 0.9
    assert target(place)[0] == -torch.inf
    assert target(target.inside(place))[0] > -torch.inf


def test_amplitudes_are_drawn_from_their_gaussian(shining):
    """Mean and deviation given the other parameters, the source summed out."""
    fit, state = shining
    target = _Posterior(fit, state, state.source_frames)
    place, _ = target.maximum(state)
    target(place)
    draws = target.values(place.repeat(2000, 1), torch.Generator().manual_seed(4))
    inversion = target._solved(draws[:1]).inversion
    mean, deviation = inversion.mean[-1], inversion.covariance()[-1, -1].sqrt()
    (column,) = fit.linear
    assert float(mean) > 5
    pull = (draws[:, column].double() - mean) / deviation
    assert abs(float(pull.mean())) < 4 / 2000**0.5
    assert float(pull.std()) == pytest.approx(1, abs=0.07)


def test_samples_agree_with_the_gaussian_where_the_posterior_is_one(solved):
    """Means and deviations agree to four times their own errors; so do the chains.

    The Gaussian's samples are wider than its curvature says, by a known factor.
    """
    fit, state = solved
    options = SamplingOptions(num_chains=1, num_warmup=10, num_draws=400, target_ess=None)
    drawn = sample_lens(fit, state, torch.Generator().manual_seed(2), options)
    gaussian = laplace_samples(fit, state, 4000, torch.Generator().manual_seed(3))
    assert drawn.values.shape == (400, len(fit.model.system.parameters))
    assert drawn.ess.min() > 100
    assert drawn.r_hat.max() < 1.1
    assert drawn.pixel_scatter == 0
    deviation = gaussian.std(0) / WIDENED
    shift = ((drawn.values.mean(0) - gaussian.mean(0)) / deviation).abs().numpy()
    assert (shift < 4 / drawn.ess**0.5).all()
    ratio = (drawn.values.std(0) / deviation).numpy()
    assert (abs(ratio - 1) < 0.05 + 4 / (2 * drawn.ess) ** 0.5).all()


def test_each_chain_has_its_own_pixels(shining, monkeypatch):
    """The samples are of all choices, and say how far these are apart."""
    fit, state = shining
    met = []

    class Noted(_Posterior):
        def __call__(self, place):
            met.append(self.frames.centre)
            return super().__call__(place)

    monkeypatch.setattr(lens_posterior, "_Posterior", Noted)
    options = SamplingOptions(num_chains=3, num_warmup=4, num_draws=30, target_ess=None)
    drawn = sample_lens(fit, state, torch.Generator().manual_seed(2), options)
    assert met[:3] == met[3:6] == met[-3:]
    centres = torch.cat(met[:3])
    assert torch.equal(centres[:1], state.source_frames.centre)
    assert torch.pdist(centres).min() > 0.01 * state.source_frames.pixel_scale
    chains = drawn.values.reshape(3, 30, -1)
    lens = chains[..., : fit.model.system.num_lens]
    scatter = lens.mean(1).std(0) / lens.std(1).square().mean(0).sqrt()
    assert drawn.pixel_scatter == pytest.approx(float(scatter.max()), rel=1e-5)


def test_a_solution_without_source_has_no_samples(solved):
    fit, state = solved
    bare = type(state)(state.values, None, state.inversion, 0.0)
    with pytest.raises(ValueError, match="must have a source"):
        sample_lens(fit, bare, torch.Generator().manual_seed(0))

"""Samples of the exact posterior of one lens."""

from __future__ import annotations

import pytest
import torch

from astrorim.inference.laplace import WIDENED, laplace_samples
from astrorim.inference.lens_fit import LensFit
from astrorim.inference.lens_posterior import SamplingOptions, _Posterior, sample_lens
from astrorim.inference.refinement import RefinementOptions, refine


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


def test_gradient_is_that_of_the_density(solved):
    """By central differences along random directions, two chains at once."""
    fit, state = solved
    target = _Posterior(fit, state, 2)
    centre = target.centre(state)
    generator = torch.Generator().manual_seed(1)
    root = torch.linalg.cholesky(target.covariance(state.inversion, state))
    noise = torch.randn(2, len(centre), generator=generator, dtype=torch.float64)
    places = centre + 0.5 * noise @ root.mT
    direction = torch.randn(2, len(centre), generator=generator, dtype=torch.float64) @ root.mT
    _, gradient = target(places)
    h = 1e-2  # the images are float32
    up, down = (target(places + sign * h * direction)[0] for sign in (1, -1))
    difference = (up - down) / (2 * h)
    exact = (gradient * direction).sum(dim=1)
    assert difference.tolist() == pytest.approx(exact.tolist(), rel=0.05, abs=0.3)


def test_density_is_that_of_the_linear_problem(solved):
    """Along source pixels it is the Gaussian of the inversion, exactly."""
    fit, state = solved
    target = _Posterior(fit, state, 1)
    centre = target.centre(state)[None]
    problem, q = state.inversion.problem, len(fit.nonlinear)
    system = problem.gram + problem.prior_precision(state.inversion.strength)
    step = torch.zeros_like(centre)
    width = system.diagonal()[27] ** -0.5
    step[0, q + 27] = 3 * width
    fall = float(target(centre)[0] - target(centre + step)[0])
    assert fall == pytest.approx(4.5, rel=0.01)


def test_outside_the_support_there_is_nothing(solved):
    fit, state = solved
    target = _Posterior(fit, state, 1)
    place = target.centre(state)[None]
    place[0, fit.nonlinear.index(fit.model.system.parameters.index_of("e1"))] = 0.9
    assert float(target(place)[0]) == -torch.inf
    inside = target.inside(place)
    assert float(target(inside)[0]) > -torch.inf


def test_samples_agree_with_the_gaussian_where_the_posterior_is_one(solved):
    """Means and deviations agree to four times their own errors; so do the chains.

    The Gaussian's samples are wider than its curvature says, by a known factor.
    """
    fit, state = solved
    options = SamplingOptions(num_chains=4, num_warmup=30, num_draws=300, target_ess=None)
    drawn = sample_lens(fit, state, torch.Generator().manual_seed(2), options)
    gaussian = laplace_samples(fit, state, 4000, torch.Generator().manual_seed(3))
    assert drawn.values.shape == (1200, len(fit.model.system.parameters))
    assert drawn.ess.min() > 50
    assert drawn.r_hat.max() < 1.1
    deviation = gaussian.std(0) / WIDENED
    shift = ((drawn.values.mean(0) - gaussian.mean(0)) / deviation).abs().numpy()
    assert (shift < 4 / drawn.ess**0.5).all()
    ratio = (drawn.values.std(0) / deviation).numpy()
    assert (abs(ratio - 1) < 0.05 + 4 / (2 * drawn.ess) ** 0.5).all()


def test_a_solution_without_source_has_no_samples(solved):
    fit, state = solved
    bare = type(state)(state.values, None, state.inversion, 0.0)
    with pytest.raises(ValueError, match="must have a source"):
        sample_lens(fit, bare, torch.Generator().manual_seed(0))

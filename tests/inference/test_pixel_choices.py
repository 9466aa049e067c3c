"""Tests of solutions on other pixels of the source."""

from __future__ import annotations

import pytest
import torch

from astrorim.inference.laplace import laplace_samples
from astrorim.inference.lens_fit import LensFit
from astrorim.inference.pixel_choices import (
    PixelChoices,
    other_frames,
    solve_on_other_pixels,
)
from astrorim.inference.refinement import RefinementOptions, at_mean, refine
from astrorim.inference.source_pixels import expected_like, frames_of_source


@pytest.fixture
def solved(ring):
    """A ring fitted on pixels that follow its source."""
    case = ring(signal=30.0)
    options = RefinementOptions(max_steps=6, tempered=False)
    fit = LensFit(case.model, case.used, 12)
    state = refine(fit, case.values, case.frames, options=options)
    frames = frames_of_source(fit, state, 16)
    fit = LensFit(case.model, case.used, 16, expected=expected_like(fit, state))
    return fit, refine(fit, state.values, frames, options=options)


def _generator(seed=0):
    return torch.Generator().manual_seed(seed)


def test_other_frames_differ_by_less_than_a_pixel(solved):
    frames = solved[1].source_frames
    generator = _generator()
    for _ in range(20):
        other = other_frames(frames, generator)
        assert other.size == frames.size
        shift = (other.centre - frames.centre).abs() / frames.pixel_scale
        assert 0 < float(shift.max()) <= 1
        assert 0.97 <= float(other.half / frames.half) <= 1.08


def test_even_frames_are_refused(ring):
    with pytest.raises(ValueError, match="must have a density"):
        other_frames(ring().frames, _generator())


def test_solutions_agree_within_their_errors(solved):
    """A smooth, well sampled source: its pixels hardly matter."""
    fit, state = solved
    choices = solve_on_other_pixels(fit, state, _generator(), 5)
    assert choices.places.shape == (5, len(fit.nonlinear))
    column = fit.nonlinear.index(fit.model.system.parameters.index_of("theta_E"))
    assert 0 < float(choices.scatter[column]) < 1
    error = choices.covariances[:, column, column].sqrt()
    solution = state.values[0, fit.model.system.parameters.index_of("theta_E")].double().log()
    assert bool(((choices.places[:, column] - solution).abs() < 2 * error).all())
    expected = state.covariance[column, column].sqrt().expand(5)
    torch.testing.assert_close(error, expected, rtol=0.2, atol=0)


def test_the_mean_of_samples_is_solved_anew(solved):
    """In step coordinates, on the solution's own pixels; hardly worse than the best fit."""
    fit, state = solved
    choices = solve_on_other_pixels(fit, state, _generator(), 4)
    samples = laplace_samples(fit, state, 400, _generator(), choices)
    middle = at_mean(fit, state, samples)
    place = fit.model.system.parameters.index_of("theta_E")
    theta_e = float(samples[:, place].log().mean().exp())
    assert float(middle.values[0, place]) == pytest.approx(theta_e, rel=1e-5)
    assert middle.frames is state.frames
    assert middle.inversion.strength == state.inversion.strength
    assert 0 <= middle.objective - state.objective < len(fit.nonlinear)


def test_one_choice_has_no_scatter(solved):
    with pytest.raises(ValueError, match="at least 2, got 1"):
        solve_on_other_pixels(*solved, _generator(), 1)


def test_samples_hold_the_scatter_between_choices(solved):
    fit, state = solved
    column = fit.nonlinear.index(place := fit.model.system.parameters.index_of("theta_E"))
    centre = state.values[0, fit.nonlinear].double()
    centre[column] = centre[column].log()
    moved = centre.repeat(3, 1)
    moved[:, column] += torch.tensor([0.1, 0.2, 0.3], dtype=torch.float64)
    choices = PixelChoices(moved, state.covariance.expand(3, -1, -1))
    draws = laplace_samples(fit, state, 4000, _generator(), choices)[:, place].log()
    alone = laplace_samples(fit, state, 4000, _generator())[:, place].log()
    between = 0.1**2 * 1.25  # variance of 0, 1, 2 and 3 tenths
    assert float(draws.var()) == pytest.approx(float(alone.var()) + between, rel=0.02)
    assert float(draws.mean() - alone.mean()) == pytest.approx(0.15, abs=0.002)

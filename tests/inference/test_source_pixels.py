"""Frames of the pixel source and its expected brightness."""

from __future__ import annotations

from dataclasses import replace

import pytest
import torch

from astrorim.inference.lens_fit import LensFit
from astrorim.inference.refinement import evaluate
from astrorim.inference.source_pixels import expected_like, frames_of_source, source_frames
from astrorim.lensing.interpolation import SourceFrames

_N = 12


def _state(case, theta_e, frames=None):
    values = case.values.clone()
    values[0, case.model.system.parameters.index_of("theta_E")] = theta_e
    fit = LensFit(case.model, case.used, _N)
    frames = frames or case.frames
    strength = fit.problem(values, frames).best_strength()
    return fit, evaluate(fit, values, frames, strength)


def _middle_scale(frames):
    """Side of the pixels in the frame's middle, arcsec: stretched frames resolve it finely."""
    x, y = frames.centre[:, :1], frames.centre[:, 1:]
    return float(1 / frames.pixels_per_arcsec(x, y)[0])


def test_frame_of_the_arcs_holds_the_source(ring):
    case = ring()
    frames = source_frames(case.model, case.values, _N)
    assert torch.hypot(*(frames.centre[0] - torch.tensor([0.05, 0.0]))) < 0.15
    assert 0.25 < float(frames.half[0]) <= 1.4


def test_frame_follows_the_source(ring):
    """Found from a frame off centre; finer as the source is known better, never wider."""
    case = ring()
    wide = SourceFrames(torch.tensor([[0.2, -0.15]]), torch.tensor([0.12]), _N)
    fit, state = _state(case, 1.0, wide)
    frames = frames_of_source(fit, state, _N)
    assert torch.hypot(*(frames.centre[0] - torch.tensor([0.05, 0.0]))) < 0.1
    assert _middle_scale(frames) < 0.13
    assert float(frames.half[0]) <= 1.2 + 1e-6
    _, state = _state(case, 1.0, frames)
    again = frames_of_source(fit, state, _N)
    assert 0.5 < _middle_scale(again) / _middle_scale(frames) < 1.1
    torch.testing.assert_close(again.half, frames.half)


def test_pixels_that_follow_the_source_are_more_evident(ring):
    """Than even ones in the same wide frame."""
    case = ring()
    fit, state = _state(case, 1.0)
    chosen = frames_of_source(fit, state, _N)

    def evidence(frames):
        problem = fit.problem(state.values, frames)
        return problem.invert(problem.best_strength()).log_evidence

    assert evidence(chosen) > evidence(chosen._replace(density=None)) + 5


def test_frame_needs_a_source(ring):
    case = ring()
    fit, state = _state(case, 1.0)
    with pytest.raises(ValueError, match="must have a source"):
        frames_of_source(fit, type(state)(state.values, None, state.inversion, 0.0), _N)


def test_a_solution_is_expected_where_it_is_bright(ring):
    case = ring()
    fit, state = _state(case, 1.0)
    expected = expected_like(fit, state)
    at = torch.tensor([[[0.05, 0.45]]]), torch.tensor([[[0.0, 0.4]]])
    middle, edge = expected(*at).flatten().tolist()
    assert middle > 20 * abs(edge)
    assert float(expected(torch.full((1, 1, 1), 9.0), torch.zeros(1, 1, 1))) == 0


def test_what_the_residual_asks_of_a_dark_pixel_is_expected_there(ring):
    """A companion of twelve deviations appears, one of three is taken for noise."""
    case = ring()
    fit, state = _state(case, 1.0)
    inversion = state.inversion
    corner = 2 * _N + 2
    one = torch.zeros(inversion.problem.design.shape[1])
    one[corner] = 1.0
    image = inversion.problem.design @ one
    x, y = (place[:, 2:3, 2:3] for place in state.source_frames.coordinates())
    before = float(expected_like(fit, state)(x, y))
    found = []
    for deviations in (3.0, 12.0):
        amplitude = deviations / float(image.norm())
        changed = replace(inversion, residual=inversion.residual + amplitude * image)
        expected = expected_like(fit, replace(state, inversion=changed))
        found.append((float(expected(x, y)) - before) / amplitude)
    faint, bright = found
    assert faint == pytest.approx(0, abs=1e-6)
    assert bright > 0.8 / 9  # of its own 3 x 3 pixels, perhaps beside neighbours

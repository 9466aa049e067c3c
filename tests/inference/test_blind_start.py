"""Tests of what the blind start concludes from arcs, frames and rival solutions."""

from __future__ import annotations

import math
from dataclasses import dataclass

import pytest
import torch

from astrorim.inference.blind_start import (
    arc_radii,
    frames_of_source,
    incredibility,
    ranked,
    theta_e_range,
)
from astrorim.inference.lens_fit import LensFit
from astrorim.inference.refinement import evaluate
from astrorim.lensing.forward import ForwardModel, ImageData
from astrorim.lensing.interpolation import SourceFrames
from astrorim.lensing.system import LensSystem
from astrorim.plugins import load_plugins

_SIDE, _SCALE, _N = 48, 0.1, 12


@dataclass
class _Case:
    model: ForwardModel
    values: torch.Tensor
    frames: SourceFrames

    @property
    def used(self):
        return torch.ones(_SIDE, _SIDE, dtype=torch.bool)


def _ring(theta_e=1.0, signal=50.0):
    """A compact source behind a singular isothermal lens, next to no noise."""
    plugins = load_plugins()
    system = LensSystem(plugins.lens_models.resolve("sie"), None)
    names = system.parameters.names
    values = torch.zeros(1, len(names))
    values[0, names.index("theta_E")] = theta_e
    psf = torch.zeros(1, 3, 3)
    psf[0, 1, 1] = 1
    blank = torch.zeros(1, _SIDE, _SIDE)
    data = ImageData(blank, blank + 1, blank + 1, psf, 1, torch.tensor([_SCALE]))
    frames = SourceFrames(torch.tensor([[0.05, 0.0]]), torch.tensor([0.08]), _N)
    index = torch.arange(_N) - (_N - 1) / 2
    source = torch.exp(-0.5 * (index[:, None] ** 2 + index**2) / 1.5**2)
    model = ForwardModel(system, data)
    image = model.source_operator(values, frames).apply(source[None])
    image = image * signal / image.max()
    noise = torch.randn(image.shape, generator=torch.Generator().manual_seed(1))
    data = ImageData(image + noise, blank + 1, blank + 1, psf, 1, torch.tensor([_SCALE]))
    return _Case(ForwardModel(system, data), values, frames)


def test_radii_of_the_arcs_are_those_of_the_ring():
    case = _ring(theta_e=1.1)
    inner, median, outer = arc_radii(case.model, case.used, case.values, (0.05, 0.5, 0.95))
    assert inner < median < outer
    assert median == pytest.approx(1.1, abs=0.1)
    low, high = theta_e_range(case.model, case.used, case.values)
    assert low < 1.1 < high
    assert high / low < 3


def test_without_arcs_every_radius_is_possible():
    case = _ring(signal=0.0)
    used = torch.zeros(_SIDE, _SIDE, dtype=torch.bool)
    assert arc_radii(case.model, used, case.values, (0.5,)) is None
    low, high = theta_e_range(case.model, used, case.values)
    assert (low, high) == pytest.approx((3 * _SCALE, 0.85 * _SIDE / 2 * _SCALE))


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


def test_frame_follows_the_source():
    """Found from a frame off centre and too large; then stable."""
    case = _ring()
    wide = SourceFrames(torch.tensor([[0.3, -0.2]]), torch.tensor([0.16]), _N)
    fit, state = _state(case, 1.0, wide)
    frames = frames_of_source(fit, state, _N)
    assert torch.hypot(*(frames.centre[0] - torch.tensor([0.05, 0.0]))) < 0.1
    assert _middle_scale(frames) < 0.13
    _, state = _state(case, 1.0, frames)
    again = frames_of_source(fit, state, _N)
    assert _middle_scale(again) / _middle_scale(frames) == pytest.approx(1, abs=0.25)


def test_frame_needs_a_source():
    case = _ring()
    fit, state = _state(case, 1.0)
    with pytest.raises(ValueError, match="must have a source"):
        frames_of_source(fit, type(state)(state.values, None, state.inversion, 0.0), _N)


def test_the_compact_source_is_preferred():
    """A lens half as strong draws its source like the ring: it comes second."""
    case = _ring()
    fit, right = _state(case, 1.0)
    wide = SourceFrames(torch.tensor([[0.0, 0.0]]), torch.tensor([0.12]), _N)
    _, wrong = _state(case, 0.55, wide)
    assert ranked(fit, [wrong, right]) == [right, wrong]
    difference = incredibility(fit, wrong) - incredibility(fit, right)
    assert difference > math.log(wrong.inversion.chi2 / right.inversion.chi2)

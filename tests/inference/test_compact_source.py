"""A compact source behind the lens: amplitudes, derivatives and descents."""

from __future__ import annotations

import pytest
import torch

from astrorim.inference.compact_source import CompactFit, descend

KNOWN = {"x0": (0.0, 0.02), "y0": (0.0, 0.02)}


def _start(case, theta_e):
    values = case.values.repeat(len(theta_e), 1)
    values[:, case.model.system.parameters.index_of("theta_E")] = torch.tensor(theta_e)
    return values


def test_ring_is_found_from_a_third_too_large_and_too_small(ring):
    case = ring(theta_e=1.0)
    fit = CompactFit(case.model, case.used, KNOWN)
    state = descend(fit, fit.begin(_start(case, [0.7, 1.35])), 25, light_held=True)
    column = case.model.system.parameters.index_of("theta_E")
    assert state.values[:, column].tolist() == pytest.approx([1.0, 1.0], abs=0.01)
    assert state.source[:, 0].tolist() == pytest.approx([0.05, 0.05], abs=0.01)
    assert float((state.chi2 / fit.num_pixels).max()) < 1.3


def test_descents_only_gain(ring):
    case = ring()
    fit = CompactFit(case.model, case.used, KNOWN)
    begin = fit.begin(_start(case, [0.8, 1.2]))
    end = descend(fit, begin, 3, light_held=True)
    assert bool((end.score(fit.num_pixels) < begin.score(fit.num_pixels)).all())


def test_no_amplitude_is_negative(ring):
    case = ring()
    fit = CompactFit(case.model, case.used, KNOWN)
    state = fit.begin(_start(case, [0.6, 1.0, 1.5]))
    assert float(state.amplitudes.min()) >= 0
    assert float(state.amplitudes.max(dim=1).values.min()) > 0


def test_gradient_is_that_of_the_projected_objective(ring):
    """Half of chi-square over its temperature and the prior, by central differences."""
    case = ring(signal=30.0)
    model = case.model.changed(
        data=type(case.model.data)(
            *(
                getattr(case.model.data, name).double()
                for name in ("image", "noise", "good", "psf")
            ),
            1,
            case.model.data.pixel_scale.double(),
        )
    )
    fit = CompactFit(model, case.used, KNOWN)
    values = _start(case, [0.97]).double()
    values[0, 1:3] = torch.tensor([0.05, -0.03])
    state = fit.begin(values)
    gradient, _ = fit.expand(state, light_held=True)
    temperature = float((state.chi2 / fit.num_pixels).clamp_min(1.0))
    # of the source: the lens's own moves the prior of the source's place as well
    for column in range(len(fit.nonlinear), gradient.shape[1]):
        step = torch.zeros_like(gradient)
        step[0, column] = 1e-5
        up = fit.moved(state, step, light_held=True)
        down = fit.moved(state, -step, light_held=True)
        change = (up.chi2 - down.chi2) / temperature + up.penalty - down.penalty
        assert float(change) / 4e-5 == pytest.approx(
            float(gradient[0, column]), rel=2e-3, abs=0.05
        )


def test_brightness_is_that_of_the_gaussians(ring):
    case = ring()
    fit = CompactFit(case.model, case.used, KNOWN)
    state = descend(fit, fit.begin(_start(case, [1.0])), 8, light_held=True)
    x0, y0 = state.source[:, 0].view(1, 1, 1), state.source[:, 1].view(1, 1, 1)
    middle = float(state.brightness(x0, y0))
    assert middle == pytest.approx(float(state.amplitudes.sum()), rel=1e-5)
    assert float(state.brightness(x0 + 1.5, y0)) < 1e-3 * middle

"""Stretches of images."""

from __future__ import annotations

import numpy as np
import pytest

from astrorim.plotting.scaling import asinh_norm, even_ticks, symmetric_norm


def test_asinh_reaches_from_noise_to_peak(rng):
    data = rng.normal(size=(50, 50))
    data[20:30, 20:30] = 500.0
    norm = asinh_norm(data, 1.0)
    assert norm.vmin == -2.0
    assert norm.vmax == pytest.approx(500.0)
    # three times the noise is well above black, and not yet white
    assert 0.1 < norm(3.0) < 0.5


@pytest.mark.parametrize("data", [np.full((4, 4), np.nan), np.zeros((4, 4)), np.ones((4, 4))])
def test_nothing_to_show(data):
    norm = asinh_norm(data)
    assert norm.vmin < norm.vmax


def test_symmetric_is_clipped():
    assert symmetric_norm(np.array([0.1, -0.2])).vmax == 3
    assert symmetric_norm(np.array([1e9, np.nan])).vmax == 9
    assert symmetric_norm(np.array([5.2, -1.0])).vmin == -6


def test_ticks_are_round_and_inside():
    norm = asinh_norm(np.linspace(-1, 100, 1000), 1.0)
    ticks = even_ticks(norm)
    assert 0.0 in ticks
    assert (np.diff(ticks) > 0).all()
    assert norm.vmin <= ticks[0]
    assert ticks[-1] <= norm.vmax

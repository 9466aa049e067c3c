from __future__ import annotations

import pytest
import torch

from astrorim_plugins.simulators.effects import frame_axis, residual_plane, sky_plane


def test_the_axis_runs_from_edge_to_edge(dtype, device):
    like = torch.zeros(1, dtype=dtype, device=device)
    axis = frame_axis(5, like=like)
    assert axis.dtype == dtype
    assert axis.device == like.device
    assert axis.tolist() == pytest.approx([-0.4, -0.2, 0.0, 0.2, 0.4], rel=1e-6)


def test_a_gradient_is_the_change_from_edge_to_edge_in_both_directions(dtype, device):
    """A plane in x alone, as the prior version had, fails for the second lens."""
    gradient_x = torch.tensor([0.03, 0.0], dtype=dtype, device=device)
    gradient_y = torch.tensor([0.0, -0.02], dtype=dtype, device=device)
    factor = sky_plane((12, 20), gradient_x, gradient_y)
    assert factor.shape == (2, 12, 20)
    assert factor.dtype == dtype
    per_column = (factor[0, 0, -1] - factor[0, 0, 0]) / 19
    per_row = (factor[1, -1, 0] - factor[1, 0, 0]) / 11
    assert float(per_column * 20) == pytest.approx(0.03, rel=1e-4)
    assert float(per_row * 12) == pytest.approx(-0.02, rel=1e-4)
    assert torch.equal(factor[0], factor[0, :1].expand(12, -1))
    assert torch.equal(factor[1], factor[1, :, :1].expand(-1, 20))


def test_a_gradient_keeps_the_mean(dtype, device):
    gradient = torch.tensor([0.03, -0.01], dtype=dtype, device=device)
    mean = sky_plane((9, 16), gradient, gradient.flip(0)).mean(dim=(1, 2))
    assert mean.tolist() == pytest.approx([1.0, 1.0], abs=1e-6)


def test_a_residual_is_relative_to_the_sky_and_twice_as_wide(dtype, device):
    slope_x, slope_y, sky = (
        torch.tensor(values, dtype=dtype, device=device)
        for values in ([0.003, -0.001], [0.0, 0.002], [100.0, 40.0])
    )
    plane = residual_plane((10, 10), slope_x, slope_y, sky)
    # The corner pixel's centre lies at 0.9 of the way to the edge.
    corner = [0.9 * 0.003 * 100, 0.9 * (-0.001 + 0.002) * 40]
    assert plane[:, -1, -1].tolist() == pytest.approx(corner, rel=1e-5)
    assert plane.mean(dim=(1, 2)).tolist() == pytest.approx([0.0, 0.0], abs=1e-6)


def test_a_lens_does_not_depend_on_its_batch(dtype, device):
    slopes = torch.tensor([0.01, -0.02, 0.03], dtype=dtype, device=device)
    sky = torch.tensor([5.0, 50.0, 500.0], dtype=dtype, device=device)
    together = residual_plane((6, 8), slopes, slopes.flip(0), sky)
    for i in range(3):
        own = slice(i, i + 1)
        alone = residual_plane((6, 8), slopes[own], slopes.flip(0)[own], sky[own])
        torch.testing.assert_close(together[own], alone)

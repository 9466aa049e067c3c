from __future__ import annotations

import numpy as np
import pytest
import torch

from astrorim_plugins.simulators.photometry import (
    ZERO_POINT,
    arc_visibility,
    counts_from_magnitude,
    first_accepted,
    magnitude_from_counts,
)


def test_the_zero_point_is_one_count_per_second(dtype):
    magnitude = torch.tensor([ZERO_POINT, ZERO_POINT - 2.5], dtype=dtype)
    counts = counts_from_magnitude(magnitude, torch.tensor(1000.0, dtype=dtype))
    torch.testing.assert_close(counts, torch.tensor([1e3, 1e4], dtype=dtype))


def test_magnitudes_come_back_from_counts(dtype):
    magnitude = torch.linspace(18, 26, 9, dtype=dtype)
    exposure = torch.tensor(1234.0, dtype=dtype)
    back = magnitude_from_counts(counts_from_magnitude(magnitude, exposure), exposure)
    torch.testing.assert_close(back, magnitude)


@pytest.mark.parametrize("shape", [(7, 9), (96, 96), (1, 1)])
def test_visibility_is_the_ratio_of_numpy_percentiles(shape, dtype, generator, device):
    images = torch.rand((2, 3, *shape), dtype=dtype, generator=generator, device=device) + 0.1
    first, second = images.cpu().numpy()
    expected = np.percentile(first, 99, axis=(1, 2)) / np.percentile(second, 99, axis=(1, 2))
    np.testing.assert_allclose(arc_visibility(*images).cpu().numpy(), expected, rtol=1e-6)


def test_the_first_accepted_draw_is_kept_else_the_last_is_flagged():
    visibility = torch.tensor([[0.5, 0.1, 0.9], [0.1, 0.2, 0.4], [0.1, 0.2, 0.3]])
    chosen, visible = first_accepted(visibility >= 0.35)
    assert chosen.tolist() == [0, 2, 2]
    assert visible.tolist() == [True, True, False]

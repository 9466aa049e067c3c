from __future__ import annotations

import math

import pytest
import torch

from astrorim_plugins.simulators.effects import pixel_response, vignetting

SHAPE = (96, 80)


def test_two_images_of_a_detector_share_one_pattern(dtype, device):
    """A pattern drawn anew for each image, as in the prior version, does not correlate."""
    deviation = torch.tensor([0.01, 0.015], dtype=dtype, device=device)
    response = pixel_response(SHAPE, 7, deviation) - 1
    torch.testing.assert_close(response[1], 1.5 * response[0], rtol=1e-4, atol=1e-6)
    later = pixel_response(SHAPE, 7, deviation[1:])
    assert torch.equal(later[0] - 1, response[1])


def test_another_detector_has_another_pattern(dtype, device):
    deviation = torch.tensor([0.01], dtype=dtype, device=device)
    patterns = torch.stack(
        [pixel_response(SHAPE, seed, deviation).flatten() - 1 for seed in (7, 8)]
    )
    correlation = float(torch.corrcoef(patterns)[0, 1])
    assert abs(correlation) < 5 / (SHAPE[0] * SHAPE[1]) ** 0.5


def test_the_response_scatters_as_declared(dtype, device):
    deviation = torch.tensor([0.004, 0.015], dtype=dtype, device=device)
    response = pixel_response((200, 200), 3, deviation)
    assert response.dtype == dtype
    assert response.device == deviation.device
    # Five standard errors of 40 000 pixels.
    scatter = response.std(dim=(1, 2)) / deviation
    assert scatter.tolist() == pytest.approx([1.0, 1.0], rel=5 / 80_000**0.5)
    offset = (response.mean(dim=(1, 2)) - 1) / deviation
    assert offset.tolist() == pytest.approx([0.0, 0.0], abs=5 / 200)


def test_neighbouring_pixels_respond_independently(device):
    deviation = torch.tensor([1.0], dtype=torch.float64, device=device)
    pattern = pixel_response((200, 200), 3, deviation)[0] - 1
    for first, second in ((pattern[1:], pattern[:-1]), (pattern[:, 1:], pattern[:, :-1])):
        assert abs(float((first * second).mean())) < 5 / 200


def test_no_deviation_is_a_perfect_detector(dtype, device):
    deviation = torch.zeros(2, dtype=dtype, device=device)
    assert bool((pixel_response((8, 8), 1, deviation) == 1).all())


def test_vignetting_follows_its_law(dtype, device):
    depth = torch.tensor([0.06, 0.08], dtype=dtype, device=device)
    power = torch.tensor([1.4, 1.8], dtype=dtype, device=device)
    factor = vignetting((5, 9), depth, power)
    assert factor.dtype == dtype
    assert factor[:, 2, 4].tolist() == [1.0, 1.0]
    # Three columns and one row from the centre.
    fraction = math.hypot(3, 1) / math.hypot(4.5, 2.5)
    expected = [1 - 0.06 * fraction**1.4, 1 - 0.08 * fraction**1.8]
    assert factor[:, 3, 7].tolist() == pytest.approx(expected, rel=1e-6)
    torch.testing.assert_close(factor, factor.flip(-1))
    torch.testing.assert_close(factor, factor.flip(-2))


def test_vignetting_reaches_its_depth_in_the_corner(device):
    depth = torch.tensor([0.08], dtype=torch.float64, device=device)
    factor = vignetting((2000, 2000), depth, torch.full_like(depth, 1.8))
    assert float(factor[0, 0, 0]) == pytest.approx(1 - 0.08, abs=1e-4)


def test_a_lens_does_not_depend_on_its_batch(dtype, device):
    values = torch.tensor([0.01, 0.05, 0.1], dtype=dtype, device=device)
    power = torch.tensor([1.0, 1.5, 2.0], dtype=dtype, device=device)
    response, shade = pixel_response((6, 8), 5, values), vignetting((6, 8), values, power)
    for i in range(3):
        own = slice(i, i + 1)
        assert torch.equal(response[own], pixel_response((6, 8), 5, values[own]))
        torch.testing.assert_close(shade[own], vignetting((6, 8), values[own], power[own]))

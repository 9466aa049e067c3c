"""Errors of sources and parameters against a truth."""

from __future__ import annotations

import math

import numpy as np
import pytest

from astrorim.grid import SourceGrid
from astrorim.results import metrics

GRID = SourceGrid((48, 48), 0.05)


def gaussian(grid, width=0.25, x0=0.1, y0=-0.05, k=1):
    x, y = grid.coordinates(k)
    image = np.exp(-((x - x0) ** 2 + (y - y0) ** 2) / (2 * width**2))
    ny, nx = grid.shape
    return image.reshape(ny, k, nx, k).mean(axis=(1, 3))


def test_null_baselines():
    """Blank scores exactly 1, the truth 0, twice the truth 1."""
    truth = gaussian(GRID)
    for error in (metrics.source_error, metrics.source_error_frame):
        assert error(np.zeros_like(truth), truth) == 1.0
        assert error(truth, truth) == 0.0
        assert error(2 * truth, truth) == pytest.approx(1.0, rel=1e-12)
    assert metrics.flux_error(np.zeros_like(truth), truth) == -1.0
    assert metrics.source_correlation(np.zeros_like(truth), truth) == 0.0
    assert metrics.source_correlation(3 * truth + 1, truth) == pytest.approx(1.0, abs=1e-12)
    assert metrics.source_ssim(truth, truth) == pytest.approx(1.0, abs=1e-12)
    assert metrics.source_ssim(np.zeros_like(truth), truth) < 0.6


def test_haze_outside_the_footprint_counts_in_the_frame_only():
    truth = gaussian(GRID)
    haze = truth + np.where(metrics.footprint(truth), 0, 0.02)
    assert metrics.source_error(haze, truth) == 0.0
    assert metrics.source_error_frame(haze, truth) > 0.05


def test_footprint_is_dilated_by_one_pixel():
    truth = np.zeros((9, 9))
    truth[4, 4], truth[4, 6] = 1.0, 0.009
    expected = np.zeros((9, 9), bool)
    expected[3:6, 3:6] = True
    np.testing.assert_array_equal(metrics.footprint(truth), expected)


def test_bounding_box_grows_and_is_cut_at_the_edge():
    mask = np.zeros((40, 20), bool)
    mask[10:30, 2:12] = True
    assert metrics.bounding_box(mask) == (slice(10, 30), slice(2, 12))
    assert metrics.bounding_box(mask, margin=0.2) == (slice(8, 32), slice(1, 13))
    assert metrics.bounding_box(mask, margin=1.0) == (slice(0, 40), slice(0, 17))


@pytest.mark.parametrize("scale, shape", [(0.02, (150, 150)), (0.1, (31, 31))])
def test_resampling_conserves_surface_brightness(scale, shape):
    """A smooth source looks the same on finer and coarser grids with other centres."""
    onto = SourceGrid(shape, scale, 0.03, 0.02)
    result = metrics.resample_source(gaussian(GRID, k=4), GRID, onto)
    expected = gaussian(onto, k=4)
    # bilinear interpolation of 0.05 arcsec pixels on a 0.25 arcsec Gaussian
    np.testing.assert_allclose(result, expected, atol=0.015)
    flux = result.sum() * scale**2
    np.testing.assert_allclose(flux, 2 * math.pi * 0.25**2, rtol=2e-3)


def test_resampling_a_constant_gives_that_constant():
    onto = SourceGrid((7, 9), 0.11, 0.2, -0.1)
    result = metrics.resample_source(np.full((3, *GRID.shape), 2.5), GRID, onto)
    assert result.shape == (3, 7, 9)
    np.testing.assert_allclose(result, 2.5, rtol=1e-12)


def test_resampling_onto_the_same_grid_copies():
    source = gaussian(GRID)
    result = metrics.resample_source(source, GRID, GRID)
    np.testing.assert_array_equal(result, source)
    assert result is not source


def test_nothing_beyond_the_frame():
    onto = SourceGrid((8, 8), 0.05, 10.0, 0.0)
    assert not metrics.resample_source(np.ones(GRID.shape), GRID, onto).any()


def test_ssim_agrees_with_its_formula_for_uniform_images():
    """Without structure, the luminance term is left."""
    truth = np.ones((20, 20))
    expected = (2 * 0.5 + 1e-4) / (1.25 + 1e-4)
    assert metrics.source_ssim(0.5 * truth, truth) == pytest.approx(expected, rel=1e-9)


def test_angles_go_the_short_way():
    error = metrics.angle_error([0.02, math.pi - 0.02, 0.3], [math.pi - 0.02, 0.02, 0.1])
    np.testing.assert_allclose(error, [0.04, -0.04, 0.2], atol=1e-12)


def test_relative_error_of_zero_truth_is_unknown():
    np.testing.assert_allclose(metrics.relative_error([1.1, 1.0], [1.0, 0.0]), [0.1, np.nan])


@pytest.mark.parametrize(
    "call, message",
    [
        (lambda: metrics.source_error(np.ones((3, 3)), np.ones((4, 4))), "truth's grid"),
        (lambda: metrics.source_error(np.ones((3, 3)), np.zeros((3, 3))), "positive somewhere"),
        (lambda: metrics.resample_source(np.ones((3, 3)), GRID, GRID), "got \\(3, 3\\)"),
    ],
)
def test_bad_input_is_refused(call, message):
    with pytest.raises(ValueError, match=message):
        call()

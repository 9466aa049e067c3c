from __future__ import annotations

import math

import numpy as np
import pytest
import torch

from astrorim.grid import ImageGrid
from astrorim.lensing import convolve
from astrorim.plugins import load_plugins
from astrorim_plugins.simulators.rendering import SuperGrid, even_length, separable_collect


def kernel_for(grid, fwhm, dtype, size=13):
    zero = torch.zeros(len(fwhm), dtype=dtype)
    sampling = torch.full((len(fwhm),), grid.spacing, dtype=dtype)
    params = {"fwhm": torch.tensor(fwhm, dtype=dtype), "ellipticity": zero, "angle": zero}
    return load_plugins().psfs.create("gaussian").kernel(sampling, size, params)


@pytest.mark.parametrize("supersampling", [1, 2, 4])
def test_sub_pixels_tile_their_pixels_exactly(supersampling):
    """The prior version spread its points from edge to edge, 0.79 % too wide."""
    grid = SuperGrid((5, 8), 0.04, supersampling, margin=0)
    x, y = grid.axes("cpu")
    expected_x, expected_y = ImageGrid((5, 8), 0.04).coordinates(supersampling)
    np.testing.assert_allclose(x.numpy(), expected_x[0], rtol=1e-6)
    np.testing.assert_allclose(y.numpy(), expected_y[:, 0], rtol=1e-6)


def test_the_margin_continues_the_frame():
    inner = SuperGrid((6, 6), 0.05, 2, margin=0).axes("cpu")[0]
    outer = SuperGrid((6, 6), 0.05, 2, margin=3).axes("cpu")[0]
    torch.testing.assert_close(outer[6:-6], inner)


@pytest.mark.parametrize("shape", [(5, 8), (101, 97)])
def test_positions_fold_back_into_the_frame(shape):
    grid = SuperGrid(shape, 0.04, 4, margin=1)
    x, y = grid.positions(2, "cpu")
    columns, rows = grid.axes("cpu")
    assert x.shape[2] == even_length(len(columns) * len(rows))
    assert torch.equal(grid.frame(x)[1], columns.expand(len(rows), -1))
    assert torch.equal(grid.frame(y)[1], rows[:, None].expand(-1, len(columns)))


@pytest.mark.parametrize("supersampling", [1, 2, 4])
def test_collecting_is_convolution_of_a_padded_frame_then_a_sum(
    supersampling, dtype, generator
):
    grid = SuperGrid((7, 10), 0.04, supersampling, margin=6)
    columns, rows = grid.axes("cpu")
    scene = torch.rand((2, 1, len(rows), len(columns)), dtype=dtype, generator=generator)
    kernel = kernel_for(grid, [0.05, 0.09], dtype)
    image = separable_collect(scene, kernel, grid)[:, 0]
    k, m = supersampling, 6 * supersampling
    blurred = convolve(scene[:, 0], kernel)[:, m:-m, m:-m]
    expected = blurred.unflatten(1, (7, k)).unflatten(3, (10, k)).sum(dim=(2, 4))
    torch.testing.assert_close(image, expected * grid.spacing**2)


@pytest.mark.parametrize("supersampling", [1, 2, 4])
def test_the_sum_over_sub_pixels_conserves_flux(supersampling, dtype):
    """The prior version averaged sub-pixels: images 3 mag too faint."""
    grid = SuperGrid((24, 24), 0.04, supersampling, margin=6)
    columns, rows = (axis.to(dtype) for axis in grid.axes("cpu"))
    sigma = 0.06
    scene = torch.exp(-(rows[:, None] ** 2 + columns**2) / (2 * sigma**2))[None, None]
    image = separable_collect(scene, kernel_for(grid, [0.05], dtype), grid)
    assert float(image.sum()) == pytest.approx(2 * math.pi * sigma**2, rel=1e-6)


def test_edges_do_not_darken(dtype):
    """The prior version convolved frames padded with zeros."""
    grid = SuperGrid((9, 9), 0.04, 2, margin=3)
    scene = torch.ones((1, 1, 30, 30), dtype=dtype)
    image = separable_collect(scene, kernel_for(grid, [0.1], dtype), grid)
    torch.testing.assert_close(image, torch.full_like(image, 0.04**2))


@pytest.mark.parametrize("shape", [(30, 31), (6, 9)])
def test_the_refined_core_is_the_mean_of_finer_points(shape, dtype):
    grid = SuperGrid(shape, 0.04, 2, margin=2)

    def brightness(x, y):
        return x.to(dtype) ** 2 + 3 * y.to(dtype) ** 3

    image = grid.frame(brightness(*grid.positions(1, "cpu"))).contiguous()
    before = image.clone()
    grid.refine_core(image, brightness, factor=2)
    finer = SuperGrid(shape, 0.04, 4, margin=2)
    means = torch.nn.functional.avg_pool2d(
        finer.frame(brightness(*finer.positions(1, "cpu"))), 2
    )
    changed = image != before
    assert bool(changed.any())
    torch.testing.assert_close(image[changed], means[changed], rtol=1e-5, atol=1e-7)


def test_long_arrays_are_cut_into_whole_vectors_by_any_usual_number_of_threads():
    for number in (40_000, 173_056, 10**6):
        for threads in (1, 2, 3, 4, 5, 6, 8, 10, 12):
            assert even_length(number) % (32 * threads) == 0
    assert even_length(30_000) == 30_000

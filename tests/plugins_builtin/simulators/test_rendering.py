from __future__ import annotations

import math

import numpy as np
import pytest
import torch

from astrorim.grid import ImageGrid
from astrorim.lensing import convolve
from astrorim.plugins import load_plugins
from astrorim_plugins.simulators.rendering import (
    SuperGrid,
    even_length,
    fourier_collect,
    separable_collect,
)


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
    centre = torch.zeros(2, 1)
    grid.refine_core(image, brightness, factor=2, centre=tuple(centre))
    finer = SuperGrid(shape, 0.04, 4, margin=2)
    means = torch.nn.functional.avg_pool2d(
        finer.frame(brightness(*finer.positions(1, "cpu"))), 2
    )
    changed = image != before
    assert bool(changed.any())
    torch.testing.assert_close(image[changed], means[changed], rtol=1e-5, atol=1e-7)


def test_cores_are_refined_about_their_own_centres():
    grid = SuperGrid((20, 30), 0.1, 1, margin=2)
    image = torch.zeros((2, 24, 34))
    centre = (torch.tensor([0.0, 1.32]), torch.tensor([-0.04, 5.0]))
    grid.refine_core(
        image, lambda x, _: torch.ones_like(x), factor=3, centre=centre, half_width=2
    )
    places = [(own.nonzero().amin(dim=0), own.nonzero().amax(dim=0)) for own in image]
    assert [tuple(map(tuple, map(torch.Tensor.tolist, place))) for place in places] == [
        ((10, 15), (13, 18)),
        ((20, 28), (23, 31)),
    ]


def test_long_arrays_are_cut_into_whole_vectors_by_any_usual_number_of_threads():
    for number in (40_000, 173_056, 10**6):
        for threads in (1, 2, 3, 4, 5, 6, 8, 10, 12):
            assert even_length(number) % (32 * threads) == 0
    assert even_length(30_000) == 30_000


def blurred_directly(scene, kernel, grid):
    """Convolution as a sum, zero outside the scene, then the sum over sub-pixels."""
    k, (ny, nx) = grid.supersampling, grid.shape
    half, start = kernel.shape[-1] // 2, grid.margin * grid.supersampling
    padded = torch.nn.functional.pad(scene, (half,) * 4)
    blurred = torch.stack(
        [
            torch.nn.functional.conv2d(one[:, None], own.flip(0, 1)[None, None])[:, 0]
            for one, own in zip(padded, kernel, strict=True)
        ]
    )
    frame = blurred[..., start : start + ny * k, start : start + nx * k]
    sums = frame.unflatten(2, (ny, k)).unflatten(4, (nx, k)).sum(dim=(3, 5))
    return sums * grid.spacing**2


@pytest.mark.parametrize("supersampling", [1, 2, 3, 4, 5])
@pytest.mark.parametrize(
    ("margin", "size"), [(0, 1), (2, 3), (3, 13), (1, 15), (2, 41), (0, 7), (1, 131)]
)
def test_fourier_collecting_is_direct_convolution_for_any_kernel(
    supersampling, margin, size, generator
):
    """Lopsided kernels, narrower and wider than the margin and wider than the frame."""
    grid = SuperGrid((7, 11), 0.04, supersampling, margin)
    shape = [(n + 2 * margin) * supersampling for n in grid.shape]
    scene = torch.rand((2, 2, *shape), dtype=torch.float64, generator=generator)
    kernel = torch.rand((2, size, size), dtype=torch.float64, generator=generator)
    kernel = kernel / kernel.sum(dim=(1, 2), keepdim=True)
    expected = blurred_directly(scene, kernel, grid)
    image = fourier_collect(scene, kernel, grid)
    torch.testing.assert_close(image, expected, rtol=0, atol=1e-12 * float(expected.max()))


@pytest.mark.parametrize("supersampling", [1, 2, 4])
def test_fourier_and_separable_collecting_agree_for_round_gaussians(supersampling, generator):
    grid = SuperGrid((24, 31), 0.04, supersampling, margin=6)
    columns, rows = grid.axes("cpu")
    shape = (2, 2, len(rows), len(columns))
    scene = torch.rand(shape, dtype=torch.float64, generator=generator)
    kernel = kernel_for(grid, [0.05, 0.09], torch.float64)
    expected = separable_collect(scene, kernel, grid)
    image = fourier_collect(scene, kernel, grid)
    torch.testing.assert_close(image, expected, rtol=0, atol=1e-12 * float(expected.max()))


def test_fourier_collecting_gives_the_same_bits_for_any_batch_and_threads(generator):
    grid = SuperGrid((96, 96), 0.04, 4, margin=8)
    columns, rows = grid.axes("cpu")
    scene = torch.rand((3, 2, len(rows), len(columns)), generator=generator)
    kernel = kernel_for(grid, [0.06, 0.08, 0.1], torch.float32, size=61)
    threads = torch.get_num_threads()
    images = {}
    try:
        for number in (1, 2):
            torch.set_num_threads(number)
            images[number] = fourier_collect(scene, kernel, grid)
    finally:
        torch.set_num_threads(threads)
    assert torch.equal(images[1], images[2])
    assert torch.equal(fourier_collect(scene[1:2], kernel[1:2], grid)[0], images[1][1])


def test_fourier_collecting_in_single_precision_is_good_to_a_millionth_of_the_peak(generator):
    grid = SuperGrid((48, 48), 0.04, 4, margin=8)
    columns, rows = grid.axes("cpu")
    shape = (1, 2, len(rows), len(columns))
    scene = torch.rand(shape, dtype=torch.float64, generator=generator)
    kernel = kernel_for(grid, [0.1], torch.float64, size=61)
    image = fourier_collect(scene.float(), kernel.float(), grid).double()
    expected = fourier_collect(scene, kernel, grid)
    torch.testing.assert_close(image, expected, rtol=0, atol=1e-6 * float(expected.max()))


def test_fourier_collecting_is_differentiable(generator):
    grid = SuperGrid((3, 4), 0.04, 2, margin=1)
    scene = torch.rand((1, 1, 10, 12), dtype=torch.float64, generator=generator)
    kernel = torch.rand((1, 5, 5), dtype=torch.float64, generator=generator)
    scene.requires_grad_()
    kernel.requires_grad_()
    assert torch.autograd.gradcheck(
        lambda one, own: fourier_collect(one, own, grid), (scene, kernel)
    )

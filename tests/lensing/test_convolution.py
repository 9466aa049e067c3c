from __future__ import annotations

import numpy as np
import pytest
import torch
from scipy.signal import convolve2d

from astrorim.lensing.convolution import (
    Convolution,
    bin_kernel,
    bin_pixels,
    convolve,
    spread_pixels,
)

SHAPES = [(8, 8), (9, 7), (6, 11)]


@pytest.fixture
def random(generator, dtype):
    return lambda *size: torch.rand(*size, generator=generator, dtype=dtype)


@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize("size", [1, 3, 5, 13])
def test_convolution_is_the_direct_one_up_to_the_edges(random, deviation, shape, size):
    # the kernel may be larger than the frame
    scene = random(2, shape[0] + size - 1, shape[1] + size - 1)
    kernel = random(2, size, size)
    image = Convolution(kernel, shape).apply(scene)
    direct = [
        convolve2d(s, k, mode="valid")
        for s, k in zip(scene.numpy(), kernel.numpy(), strict=True)
    ]
    assert image.shape == (2, *shape)
    difference = np.abs(image.numpy() - direct).max() / np.max(direct)
    assert deviation("FFT against direct convolution", difference) < 1e-14


@pytest.mark.parametrize("shape", SHAPES)
def test_convolution_of_the_same_size_takes_zero_outside(random, shape):
    scene, kernel = random(1, *shape), random(1, 5, 5)
    direct = convolve2d(scene[0].numpy(), kernel[0].numpy(), mode="same")
    np.testing.assert_allclose(convolve(scene, kernel)[0].numpy(), direct, rtol=1e-12)


def test_one_kernel_serves_a_whole_batch(random):
    scene, kernel = random(3, 10, 10), random(1, 3, 3)
    together = Convolution(kernel, (8, 8)).apply(scene)
    apart = Convolution(kernel.expand(3, 3, 3), (8, 8)).apply(scene)
    torch.testing.assert_close(together, apart, rtol=0, atol=0)


@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize("size", [1, 3, 7])
def test_transpose_of_the_convolution_passes_the_dot_product_test(
    random, deviation, shape, size
):
    operator = Convolution(random(2, size, size), shape)
    scene, image = random(2, shape[0] + size - 1, shape[1] + size - 1), random(2, *shape)
    forth = (operator.apply(scene) * image).sum()
    back = (scene * operator.transpose(image)).sum()
    assert deviation("dot-product test", abs(forth / back - 1)) < 1e-12


def test_float32_convolution_is_good_to_the_seventh_digit(random, deviation):
    scene, kernel = random(1, 40, 40), random(1, 9, 9)
    kernel = kernel / kernel.sum()
    exact = Convolution(kernel, (32, 32)).apply(scene)
    single = Convolution(kernel.float(), (32, 32)).apply(scene.float())
    assert deviation("float32 FFT", (single - exact).abs().max() / exact.max()) < 1e-6


def test_convolution_conserves_flux(random, deviation):
    scene = torch.zeros(2, 30, 30, dtype=torch.float64)
    scene[:, 10:20, 10:20] = random(2, 10, 10)
    kernel = random(2, 7, 7)
    kernel = kernel / kernel.sum(dim=(-2, -1), keepdim=True)
    flux = convolve(scene, kernel).sum(dim=(-2, -1))
    assert deviation("flux", (flux / scene.sum(dim=(-2, -1)) - 1).abs().max()) < 1e-13


@pytest.mark.parametrize("size", [(4, 4), (3, 5)])
def test_even_or_oblong_kernel_is_refused(random, size):
    with pytest.raises(ValueError, match=r"square with an odd side, got \(1, \d, \d\); pad"):
        Convolution(random(1, *size), (8, 8))


@pytest.mark.parametrize("factor", [1, 2, 3, 4])
def test_binning_conserves_flux_and_its_transpose_is_exact(random, deviation, factor):
    fine, coarse = random(2, 5 * factor, 4 * factor), random(2, 5, 4)
    binned = bin_pixels(fine, factor)
    # a mean of brightness: the flux is that over a pixel factor^2 times larger
    torch.testing.assert_close(binned.sum() * factor**2, fine.sum(), rtol=1e-13, atol=0)
    back = (fine * spread_pixels(coarse, factor)).sum()
    assert deviation("dot-product test", abs((binned * coarse).sum() / back - 1)) < 1e-12


@pytest.mark.parametrize("factor", [1, 2, 3, 4, 5])
@pytest.mark.parametrize("size", [1, 3, 7, 9])
def test_binned_kernel_is_exact_for_a_scene_constant_in_each_element(
    random, deviation, factor, size
):
    kernel = random(1, size, size)
    coarse_kernel = bin_kernel(kernel, factor)
    length = coarse_kernel.shape[-1]
    assert length % 2 == 1
    torch.testing.assert_close(coarse_kernel.sum(), kernel.sum(), rtol=1e-13, atol=0)

    margin = length // 2
    coarse = random(1, 6 + 2 * margin, 5 + 2 * margin)
    fine = coarse.repeat_interleave(factor, -1).repeat_interleave(factor, -2)
    crop = margin * factor - size // 2
    fine = fine[:, crop : fine.shape[1] - crop, crop : fine.shape[2] - crop]
    finely = bin_pixels(Convolution(kernel, (6 * factor, 5 * factor)).apply(fine), factor)
    coarsely = Convolution(coarse_kernel, (6, 5)).apply(coarse)
    difference = (finely - coarsely).abs().max() / finely.max()
    assert deviation("coarse against fine convolution", difference) < 1e-13

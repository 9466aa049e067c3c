from __future__ import annotations

import numpy as np
import pytest
import torch
from scipy.interpolate import RegularGridInterpolator

from astrorim.lensing import SourceFrames, SourceSampler
from astrorim.lensing.interpolation import even_pixels

MODES = ["bilinear", "cubic"]


@pytest.fixture
def positions(generator, dtype):
    """Positions inside, at the edge of, and outside the frames."""

    def draw(half=0.5, shape=(9, 7)):
        draws = torch.rand(2, 2, *shape, generator=generator, dtype=dtype)
        return half * (2 * draws[0] - 1), half * (2 * draws[1] - 1)

    return draw


@pytest.mark.parametrize("supersampling", [1, 2, 3])
def test_coordinates_are_those_of_the_source_grid(frames, supersampling):
    x, y = frames.coordinates(supersampling)
    for i in range(2):
        expected_x, expected_y = frames.grid(i).coordinates(supersampling)
        np.testing.assert_allclose(x[i].numpy(), expected_x, rtol=0, atol=1e-15)
        np.testing.assert_allclose(y[i].numpy(), expected_y, rtol=0, atol=1e-15)


def test_frames_of_some_lenses_keep_their_order(frames):
    chosen = frames.select(torch.tensor([1, 0]))
    assert chosen.grid(0) == frames.grid(1)
    assert chosen.grid(1) == frames.grid(0)


@pytest.mark.parametrize("mode", MODES)
def test_pixel_centres_give_the_pixels(source, frames, mode):
    sampler = SourceSampler(*frames.coordinates(), frames, mode)
    torch.testing.assert_close(sampler.apply(source), source, rtol=0, atol=1e-13)


def test_bilinear_interpolation_agrees_with_scipy(source, frames, positions):
    beta_x, beta_y = positions(0.2)
    image = SourceSampler(beta_x, beta_y, frames).apply(source)
    for i in range(2):
        x, y = frames.grid(i).coordinates()
        reference = RegularGridInterpolator((y[:, 0], x[0]), source[i].numpy())
        points = np.stack([beta_y[i].numpy(), beta_x[i].numpy()], axis=-1)
        np.testing.assert_allclose(image[i].numpy(), reference(points), rtol=1e-12)


# torch's cubic kernel does not reproduce planes: it is off by up to sqrt(3)/36 of a step
@pytest.mark.parametrize("mode, slope_error", [("bilinear", 1e-12), ("cubic", 0.0482)])
def test_a_plane_is_reproduced_where_all_neighbours_exist(
    frames, positions, deviation, mode, slope_error
):
    x, y = frames.coordinates()
    beta_x, beta_y = positions(0.15)
    sampler = SourceSampler(beta_x, beta_y, frames, mode)
    torch.testing.assert_close(sampler.apply(0 * x + 2), 0 * beta_x + 2, rtol=1e-14, atol=0)
    for slope_x, slope_y in ((1.0, 0.0), (0.0, 1.0)):
        plane = sampler.apply(slope_x * x + slope_y * y)
        error = plane - (slope_x * beta_x + slope_y * beta_y)
        steps = (error.abs() / frames.pixel_scale[:, None, None]).max()
        assert deviation("error of a plane, in steps between pixels", steps) < slope_error


def test_source_fades_to_zero_over_one_pixel_beyond_the_centres_of_its_edge(dtype):
    frames = SourceFrames(torch.zeros(1, 2, dtype=dtype), torch.ones(1, dtype=dtype), 4)
    x = torch.tensor([[[1.5, 1.75, 2.0, 2.25, 2.5, 3.0, 90.0]]], dtype=dtype)
    image = SourceSampler(x, 0 * x, frames).apply(torch.ones(1, 4, 4, dtype=dtype))
    expected = torch.tensor([[[1.0, 0.75, 0.5, 0.25, 0.0, 0.0, 0.0]]], dtype=dtype)
    torch.testing.assert_close(image, expected, rtol=0, atol=1e-15)


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("shape", [(9, 7), (8, 8), (1, 1)])
def test_transpose_passes_the_dot_product_test(
    source, frames, positions, generator, dtype, deviation, mode, shape
):
    sampler = SourceSampler(*positions(0.5, shape), frames, mode)
    image = torch.rand(2, *shape, generator=generator, dtype=dtype)
    forth = (sampler.apply(source) * image).sum()
    back = (source * sampler.transpose(image)).sum()
    assert deviation("dot-product test", abs(forth - back) / (forth.abs() + 1e-3)) < 1e-12


@pytest.mark.parametrize("mode", MODES)
def test_gradient_is_the_slope_of_the_interpolated_source(
    source, frames, positions, deviation, mode
):
    beta_x, beta_y = positions(0.2)
    slopes = SourceSampler(beta_x, beta_y, frames, mode).gradient(source)
    h = 1e-7
    for axis, slope in enumerate(slopes):
        moved = [
            SourceSampler(
                beta_x + (h * sign if axis == 0 else 0),
                beta_y + (h * sign if axis == 1 else 0),
                frames,
                mode,
            ).apply(source)
            for sign in (1, -1)
        ]
        finite = (moved[0] - moved[1]) / (2 * h)
        error = (slope - finite).abs().max() / finite.abs().max()
        assert deviation("slope against finite differences", error) < 1e-6


@pytest.mark.parametrize("mode", MODES)
def test_source_gradient_of_the_interpolation_is_its_transpose(source, frames, positions, mode):
    sampler = SourceSampler(*positions(), frames, mode)
    image = sampler.apply(source.requires_grad_())
    (gradient,) = torch.autograd.grad(image.sum(), source)
    transposed = sampler.transpose(torch.ones_like(image))
    torch.testing.assert_close(gradient, transposed, rtol=1e-13, atol=1e-15)


def test_unknown_interpolation_lists_what_exists(frames, positions):
    with pytest.raises(ValueError, match="mode must be one of bilinear, cubic, got 'nearest'"):
        SourceSampler(*positions(), frames, "nearest")


@pytest.fixture
def stretched(frames):
    """The same frames with pixels five times smaller in the middle than on average."""
    return frames._replace(stretch=16.0)


def test_stretched_pixels_are_smaller_in_the_middle(stretched):
    n = stretched.size
    x, _ = stretched.coordinates()
    width = x[0, 0].diff()
    middle = float(width[n // 2 - 1])
    assert width.min() == pytest.approx(middle)
    assert float(width[0]) > 3 * middle
    torch.testing.assert_close(width, width.flip(0))


def test_stretched_frames_end_where_even_ones_do(frames, stretched):
    """The outer edges, half a pixel beyond the outermost centres, are those of the frame."""
    edge = stretched.centre + stretched.half[:, None]
    u, v = stretched.pixels(edge[:, :1], edge[:, 1:])
    end = torch.full_like(u, stretched.size - 0.5)
    torch.testing.assert_close(u, end)
    torch.testing.assert_close(v, end)
    torch.testing.assert_close(frames.half, stretched.half)


def test_pixel_coordinates_undo_positions_of_stretched_frames(stretched):
    u, v = stretched.pixels(*stretched.coordinates())
    steps = torch.arange(stretched.size, dtype=u.dtype)
    torch.testing.assert_close(u[0, 0], steps, rtol=0, atol=1e-12)
    torch.testing.assert_close(v[1, :, 0], steps, rtol=0, atol=1e-12)


def test_slopes_are_those_of_the_pixel_coordinates(stretched, positions):
    beta_x, beta_y = (place.requires_grad_() for place in positions())
    u, v = stretched.pixels(beta_x, beta_y)
    slope_x, slope_y = stretched.pixels_per_arcsec(beta_x, beta_y)
    for pixel, place, slope in ((u, beta_x, slope_x), (v, beta_y, slope_y)):
        (exact,) = torch.autograd.grad(pixel.sum(), place)
        torch.testing.assert_close(slope, exact, rtol=1e-12, atol=0)


def test_transpose_and_gradient_hold_on_stretched_frames(
    source, stretched, positions, generator, dtype
):
    beta_x, beta_y = (place.requires_grad_() for place in positions())
    sampler = SourceSampler(beta_x, beta_y, stretched)
    image = torch.rand(beta_x.shape, generator=generator, dtype=dtype)
    with torch.no_grad():
        left = (sampler.apply(source) * image).sum()
        right = (source * sampler.transpose(image)).sum()
    torch.testing.assert_close(left, right, rtol=1e-12, atol=0)
    slope = sampler.gradient(source)
    exact = torch.autograd.grad(sampler.apply(source).sum(), (beta_x, beta_y))
    for mine, theirs in zip(slope, exact, strict=True):
        torch.testing.assert_close(mine.detach(), theirs, rtol=1e-10, atol=1e-12)


def test_stretched_frames_are_no_grid(stretched):
    with pytest.raises(ValueError, match="must be of one size, got stretched ones"):
        stretched.grid(0)


def test_a_stretched_source_is_sampled_on_even_pixels(dtype):
    """Position and flux of a compact Gaussian survive; even frames are left alone."""
    frames = SourceFrames(
        torch.tensor([[0.1, -0.2]], dtype=dtype), torch.tensor([0.1], dtype=dtype), 32, 10.0
    )
    x, y = frames.coordinates()
    sigma = 0.08
    source = torch.exp(-((x - 0.15) ** 2 + (y + 0.2) ** 2) / (2 * sigma**2))
    even, image = even_pixels(frames, source)
    assert even.stretch == 0
    assert float(even.pixel_scale[0]) < 0.05
    flux = float(image.sum()) * float(even.pixel_scale[0]) ** 2
    assert flux == pytest.approx(2 * np.pi * sigma**2, rel=0.03)
    x, y = even.coordinates()
    assert float((image * x).sum() / image.sum()) == pytest.approx(0.15, abs=0.003)
    assert float((image * y).sum() / image.sum()) == pytest.approx(-0.2, abs=0.003)
    same, kept = even_pixels(even, image)
    assert same is even
    assert kept is image

"""Densities of source pixels and their inverses."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from scipy.integrate import quad

from astrorim.lensing import SourceFrames, SourceSampler
from astrorim.lensing.pixel_density import PixelDensity, equidistributed


@pytest.fixture
def density(generator, dtype):
    return PixelDensity(0.1 + torch.rand(2, 2, 9, generator=generator, dtype=dtype))


@pytest.fixture
def uneven(frames, density):
    return frames._replace(density=density)


def test_share_is_the_integral_of_the_density(density, dtype):
    """Against scipy's quadrature of the piecewise linear density."""
    knots = torch.linspace(-1, 1, 9, dtype=dtype).numpy()
    for lens, axis, end in ((0, 0, -0.3), (1, 1, 0.62)):
        values = density.values[lens, axis].numpy()

        def rate(t, values=values):
            return float(np.interp(t, knots, values))

        whole = quad(rate, -1, 1, points=knots, limit=200)[0]
        expected = quad(rate, -1, end, points=knots[knots < end], limit=200)[0] / whole
        share, here = density.share(torch.full((2, 1), end, dtype=dtype), axis)
        assert float(share[lens, 0]) == pytest.approx(expected, abs=1e-9)
        assert float(here[lens, 0]) == pytest.approx(rate(end) / whole, abs=1e-9)


def test_offsets_undo_the_share(density, dtype):
    share = torch.linspace(0, 1, 31, dtype=dtype)
    offsets = density.offsets(share)
    for axis in (0, 1):
        back = density.share(offsets[:, axis], axis)[0]
        torch.testing.assert_close(back, share.expand(2, -1), rtol=0, atol=1e-12)


def test_an_even_density_gives_even_pixels(frames, dtype):
    """Its frames are those without a density, inside and beyond the edges."""
    even = frames._replace(density=PixelDensity(torch.full((2, 2, 5), 3.0, dtype=dtype)))
    x, y = (1.5 * place for place in frames.coordinates(2))
    for mine, theirs in zip(even.pixels(x, y), frames.pixels(x, y), strict=True):
        torch.testing.assert_close(mine, theirs, rtol=0, atol=1e-12)
    for mine, theirs in zip(
        even.pixels_per_arcsec(x, y), frames.pixels_per_arcsec(x, y), strict=True
    ):
        torch.testing.assert_close(mine, theirs)
    for mine, theirs in zip(even.coordinates(), frames.coordinates(), strict=True):
        torch.testing.assert_close(mine, theirs, rtol=0, atol=1e-12)


def test_pixel_coordinates_undo_positions(uneven):
    u, v = uneven.pixels(*uneven.coordinates())
    steps = torch.arange(uneven.size, dtype=u.dtype)
    torch.testing.assert_close(u[0, 0], steps, rtol=0, atol=1e-12)
    torch.testing.assert_close(v[1, :, 0], steps, rtol=0, atol=1e-12)


def test_slopes_are_those_of_the_interpolated_source(uneven, source, generator, dtype):
    places = 0.5 * (2 * torch.rand(2, 2, 9, 7, generator=generator, dtype=dtype) - 1)
    x, y = (place.requires_grad_() for place in places)
    sampler = SourceSampler(x, y, uneven)
    exact = torch.autograd.grad(sampler.apply(source).sum(), (x, y))
    for mine, theirs in zip(sampler.gradient(source), exact, strict=True):
        torch.testing.assert_close(mine.detach(), theirs, rtol=1e-10, atol=1e-12)


def test_frames_of_some_lenses_keep_their_densities(uneven):
    chosen = uneven.select(torch.tensor([1]))
    torch.testing.assert_close(chosen.coordinates()[0][0], uneven.coordinates()[0][1])


def test_uneven_frames_are_no_grid(uneven):
    with pytest.raises(ValueError, match="must be of one size"):
        uneven.grid(0)


@pytest.mark.parametrize("values", [torch.ones(2, 9), torch.zeros(1, 2, 9)])
def test_impossible_densities_are_refused(values):
    with pytest.raises(ValueError, match="values must"):
        PixelDensity(values)


def test_pixels_gather_at_cusps(dtype):
    """Two cusps away from the middle: linear interpolation errs half as much, or less."""
    centre, half = torch.zeros(1, 2, dtype=dtype), torch.ones(1, dtype=dtype)

    def brightness(x, y):
        first = torch.exp(-10 * torch.hypot(x - 0.4, y + 0.3))
        return first + 0.7 * torch.exp(-12 * torch.hypot(x + 0.5, y - 0.2))

    even = SourceFrames(centre, half * 2 / 32, 32)
    uneven = even._replace(density=equidistributed(brightness, centre, half))
    x, y = SourceFrames(centre, half * 2 / 301, 301).coordinates()
    errors = []
    for frames in (even, uneven):
        pixels = brightness(*frames.coordinates())
        error = SourceSampler(x, y, frames).apply(pixels) - brightness(x, y)
        errors.append(float(error.square().mean().sqrt()))
    assert errors[1] < 0.5 * errors[0]


def test_a_source_without_structure_has_even_pixels(dtype):
    density = equidistributed(
        lambda x, y: (x + y) * 0 + 1, torch.zeros(1, 2, dtype=dtype), torch.ones(1, dtype=dtype)
    )
    torch.testing.assert_close(density.values, torch.ones_like(density.values))

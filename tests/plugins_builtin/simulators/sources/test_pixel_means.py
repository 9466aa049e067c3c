"""Means over the pixels of frames that differ from lens to lens."""

from __future__ import annotations

import torch

from astrorim_plugins.simulators.sources.pixel_means import PixelMeans, means_from_neighbours


def grids(dtype, size=20):
    centre = torch.tensor([[0.1, -0.2], [0.0, 0.3]], dtype=dtype)
    return PixelMeans(centre, torch.tensor([0.05, 0.1], dtype=dtype), size)


def brightness_of(sigma):
    def brightness(x, y):
        return torch.exp(-((x - 0.1) ** 2 + (y + 0.1) ** 2) / (2 * sigma**2))

    return brightness


def test_points_are_the_centres_of_the_pixels(dtype):
    x, y = grids(dtype).points()
    torch.testing.assert_close(x.mean(dim=(1, 2)), grids(dtype).centre[:, 0])
    torch.testing.assert_close(y.mean(dim=(1, 2)), grids(dtype).centre[:, 1])
    torch.testing.assert_close(x.diff(dim=2)[:, 0, 0], grids(dtype).pixel_scale)
    torch.testing.assert_close(y.diff(dim=1)[:, 0, 0], grids(dtype).pixel_scale)


def test_finer_points_lie_in_the_pixels(dtype):
    fine, _ = grids(dtype).points(3)
    coarse, _ = grids(dtype).points()
    torch.testing.assert_close(torch.nn.functional.avg_pool2d(fine[:, None], 3)[:, 0], coarse)


def test_neighbours_give_the_mean_of_a_parabola_exactly(dtype):
    """To fourth order: the mean of x^2 over a pixel is x^2 + h^2 / 12."""
    grid = grids(dtype)
    x, y = grid.points()
    means = means_from_neighbours(x**2 + 3 * y**2 + x)
    exact = x**2 + 3 * y**2 + x + 4 * grid.pixel_scale[:, None, None] ** 2 / 12
    inner = (slice(None), slice(1, -1), slice(1, -1))
    torch.testing.assert_close(means[inner], exact[inner])


def test_gaussians_narrower_than_a_pixel_are_integrated_exactly(dtype):
    grid = grids(dtype)
    column = {"amplitude": 2.0, "sigma": 0.012, "x0": 0.13, "y0": 0.02}
    columns = {n: torch.full((2, 1), v, dtype=dtype) for n, v in column.items()}

    def brightness(x, y):
        return 2 * torch.exp(-((x - 0.13) ** 2 + (y - 0.02) ** 2) / (2 * 0.012**2))

    expected = grid.mean_over(brightness, 41)
    torch.testing.assert_close(grid.gaussian_means(**columns), expected, rtol=1e-3, atol=1e-4)


def test_a_refined_square_has_the_means_of_its_finer_points(dtype):
    grid, brightness = grids(dtype), brightness_of(0.03)
    image = torch.zeros((2, 20, 20), dtype=dtype)
    centre = torch.full((2, 1, 1), 0.1, dtype=dtype)
    grid.refine(image, torch.arange(2), centre, -centre, brightness, width=6, number=5)
    exact = grid.mean_over(brightness, 5)
    changed = image != 0
    assert changed.sum(dim=(1, 2)).tolist() == [36, 36]
    torch.testing.assert_close(image[changed], exact[changed])
    assert float((exact - image).max()) < 1e-3 * float(exact.max())


def test_a_square_at_the_border_stays_inside_the_frame(dtype):
    grid = grids(dtype)
    image = torch.zeros((1, 20, 20), dtype=dtype)
    far = torch.full((1, 1, 1), 9.0, dtype=dtype)
    rows = torch.ones(1, dtype=torch.int64)
    grid.refine(image, rows, far, -far, lambda x, _: torch.ones_like(x), width=4, number=2)
    assert image[0].nonzero().amin(dim=0).tolist() == [0, 16]
    assert int(image.sum()) == 16

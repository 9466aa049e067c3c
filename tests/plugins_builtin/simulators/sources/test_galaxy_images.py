from __future__ import annotations

import math

import numpy as np
import pytest
import torch

from astrorim_plugins.simulators.random_streams import RandomStreams
from astrorim_plugins.simulators.sources.galaxy_cleaning import half_light_radius_of
from astrorim_plugins.simulators.sources.galaxy_images import GalaxyCutouts, draw_galaxies
from astrorim_plugins.simulators.sources.galaxy_library import GalaxyLibrary

SIZE = 65


@pytest.fixture(scope="module")
def library():
    """Three galaxies without symmetry, the second of them small, at different scales."""
    y, x = np.mgrid[:SIZE, :SIZE] - (SIZE - 1) / 2
    scales = np.array([0.03, 0.05, 0.04])
    images, radii = [], []
    for i, (width, scale) in enumerate(zip((6.0, 2.0, 5.0), scales, strict=True)):
        r = np.hypot(x + 0.3 * y, y * (1 + 0.2 * i))
        image = np.exp(-(r**2) / (2 * width**2))
        image += 0.5 * np.exp(-((x - 8) ** 2 + (y - 3) ** 2) / 6)
        image += 0.5 * np.exp(-((x + 8) ** 2 + (y + 3) ** 2) / 20)
        image *= np.clip((30 - np.hypot(x, y)) / 8, 0, 1) ** 2
        image /= image.sum()
        images.append(image / scale**2)
        radii.append(half_light_radius_of(image) * scale)
    return GalaxyLibrary(
        torch.tensor(np.array(images), dtype=torch.float32),
        torch.tensor(scales),
        torch.tensor(np.array(radii)),
    )


@pytest.fixture
def galaxies(library, device, dtype):
    """Six galaxies, each image twice, turned and mirrored, with fluxes of 1 to 6."""
    own = library.to(device)
    place = torch.tensor([0.1, -0.2, 0.0, 0.3, 0.05, -0.4], dtype=dtype, device=device)
    return GalaxyCutouts(
        own,
        torch.tensor([0, 1, 2, 0, 1, 2], device=device),
        torch.tensor([0.01, 0.02, 0.015, 0.012, 0.03, 0.011], dtype=dtype, device=device),
        torch.tensor([0.0, 0.7, 2.0, 3.5, 5.0, 6.0], dtype=dtype, device=device),
        torch.tensor([1.0, -1, 1, -1, 1, -1], dtype=dtype, device=device),
        place,
        place.flip(0),
        torch.arange(1.0, 7.0, dtype=dtype, device=device),
    )


def plane(galaxies, step=0.006, size=400):
    """Positions (x, y) of a fine grid about each galaxy, (B, n, n), arcsec."""
    axis = (torch.arange(size).to(galaxies.x0) - (size - 1) / 2) * step
    shape = (len(galaxies), size, size)
    x = (axis[None, None, :] + galaxies.x0[:, None, None]).expand(shape)
    y = (axis[None, :, None] + galaxies.y0[:, None, None]).expand(shape)
    return x, y


def test_flux_is_conserved(galaxies):
    """The brightness integrated over a fine grid is the flux, to 1e-4."""
    flux = galaxies(*plane(galaxies)).sum(dim=(1, 2)) * 0.006**2
    torch.testing.assert_close(flux, galaxies.total_flux(), rtol=1e-4, atol=0)


def test_brightness_is_that_of_the_image_at_its_pixels(galaxies, library):
    """Turned back and mirrored back by hand, the centres of pixels have their values."""
    row, column = 36, 25
    middle = (SIZE - 1) / 2
    along = galaxies.mirrored * (column - middle) * galaxies.scale
    across = (row - middle) * galaxies.scale
    cosine, sine = torch.cos(galaxies.orientation), torch.sin(galaxies.orientation)
    x = galaxies.x0 + cosine * along - sine * across
    y = galaxies.y0 + sine * along + cosine * across
    pixels = library.images[:, row, column].double() * library.pixel_scale**2
    pixels = pixels.to(x)[galaxies.which]
    expected = pixels * galaxies.flux / galaxies.scale**2
    torch.testing.assert_close(
        galaxies(x[:, None], y[:, None])[:, 0], expected, rtol=2e-3, atol=0
    )


def test_the_spline_is_that_of_scipy(galaxies, generator, dtype):
    """An independent evaluation of the same coefficients at random positions."""
    from scipy import ndimage

    x, y = 0.5 * torch.randn((2, 6, 50), dtype=dtype, generator=generator).to(galaxies.x0)
    values = galaxies(x, y)
    size = galaxies.library.coefficients.shape[-1]
    for i in range(len(galaxies)):
        offset = torch.complex(x[i] - galaxies.x0[i], y[i] - galaxies.y0[i])
        turned = offset * torch.exp(-1j * galaxies.orientation[i]) / galaxies.scale[i]
        column = galaxies.mirrored[i] * turned.real + (size - 1) / 2
        row = turned.imag + (size - 1) / 2
        expected = ndimage.map_coordinates(
            galaxies.library.coefficients[galaxies.which[i]].cpu().double().numpy(),
            torch.stack([row, column]).cpu().numpy(),
            order=3, prefilter=False, mode="grid-constant",
        )  # fmt: skip
        expected = torch.as_tensor(expected).to(values)
        expected *= galaxies.flux[i] / galaxies.scale[i] ** 2
        torch.testing.assert_close(values[i], expected, rtol=1e-6, atol=1e-9)


def test_there_is_no_light_beyond_the_reach(galaxies):
    x, y = plane(galaxies)
    radius = torch.hypot(x - galaxies.x0[:, None, None], y - galaxies.y0[:, None, None])
    brightness = galaxies(x, y)
    assert float(brightness.min()) >= 0
    assert not brightness[radius > galaxies.reach()[:, None, None]].any()
    assert float(galaxies(x + 1e6, y).abs().max()) == 0


def test_the_light_ends_before_the_reach_cuts_it(galaxies):
    """Nothing is lost by leaving out positions: the spline itself is zero there."""
    far = galaxies.reach()[:, None, None] * torch.tensor([1.0, 1.1, 3.0]).to(galaxies.x0)
    size = galaxies.library.coefficients.shape[-1]
    pixels = (far / galaxies.scale[:, None, None]).flatten(1)
    which = galaxies.which[:, None].expand_as(pixels)
    for angle in torch.linspace(0, 2 * math.pi, 25).tolist():
        values = galaxies._spline(which, pixels * math.cos(angle), pixels * math.sin(angle))
        assert not values.any()
    assert size == SIZE + 6


def test_the_peak_is_the_largest_brightness(galaxies):
    brightness = galaxies(*plane(galaxies, step=0.003, size=600)).amax(dim=(1, 2))
    torch.testing.assert_close(galaxies.peak(), brightness, rtol=0.02, atol=0)


def test_positions_of_any_shape_give_the_same_brightness(galaxies, generator, dtype):
    x, y = 0.5 * torch.randn((2, 6, 4, 8), dtype=dtype, generator=generator).to(galaxies.x0)
    frame = galaxies(x, y)
    assert frame.shape == x.shape
    assert frame.dtype == x.dtype
    assert frame.device == x.device
    torch.testing.assert_close(galaxies(x.flatten(1), y.flatten(1)), frame.flatten(1))


def test_a_lens_is_the_same_alone_and_in_a_batch(galaxies):
    x, y = plane(galaxies, size=64)
    for rows in (slice(2, 3), torch.tensor([4, 1], device=x.device)):
        torch.testing.assert_close(
            galaxies.select(rows)(x[rows], y[rows]), galaxies(x, y)[rows], rtol=0, atol=0
        )


def test_scaling_and_single_precision(galaxies):
    x, y = plane(galaxies, size=64)
    factor = torch.arange(6).to(x)  # the first lens loses its source
    torch.testing.assert_close(
        galaxies.scaled(factor)(x, y), factor[:, None, None] * galaxies(x, y)
    )
    single = galaxies.to(torch.float32)
    brightness = single(x.float(), y.float())
    assert brightness.dtype == torch.float32
    torch.testing.assert_close(
        brightness.to(x), galaxies(x, y), rtol=1e-3, atol=1e-4 * float(galaxies.peak().max())
    )


def test_components_describe_each_galaxy(galaxies):
    components = galaxies.components()
    assert set(components) == {
        "galaxy_number", "galaxy_half_light_radius", "galaxy_scale", "galaxy_orientation",
        "galaxy_mirrored", "galaxy_x0", "galaxy_y0", "galaxy_flux",
    }  # fmt: skip
    assert all(value.shape == (6,) for value in components.values())
    assert components["galaxy_number"].tolist() == [0, 1, 2, 0, 1, 2]


def test_drawn_galaxies_have_the_wanted_size_and_flux(library, dtype):
    radius = torch.linspace(0.1, 0.4, 8, dtype=dtype)
    zero = torch.zeros_like(radius)
    drawn = draw_galaxies(RandomStreams(5, torch.arange(8)), library, radius, zero, zero)
    torch.testing.assert_close(drawn.components()["galaxy_half_light_radius"], radius)
    images = drawn(*plane(drawn, step=0.02, size=200)).cpu().double().numpy()
    np.testing.assert_allclose(images.sum(axis=(1, 2)) * 4e-4, 1, rtol=1e-3)
    measured = [half_light_radius_of(image) * 0.02 for image in images]
    np.testing.assert_allclose(measured, radius, rtol=0.015)


def test_drawn_galaxies_are_uniform_and_depend_on_their_number_alone(library):
    radius = torch.full((4000,), 0.2, dtype=torch.float64)
    streams = RandomStreams(9, torch.arange(4000))
    drawn = draw_galaxies(streams, library, radius, radius, -radius)
    counts = torch.bincount(drawn.which, minlength=3).double()
    assert float(((counts - 4000 / 3) ** 2 / (4000 / 3)).sum()) < 13.8  # chi-square, P 0.001
    assert set(drawn.mirrored.tolist()) == {-1.0, 1.0}
    assert abs(float(drawn.mirrored.mean())) < 0.06
    quarters = torch.histc(drawn.orientation, 4, 0, 2 * math.pi)
    assert float(((quarters - 1000) ** 2 / 1000).sum()) < 16.3
    again = draw_galaxies(
        RandomStreams(9, torch.tensor([17, 3])),
        library,
        *(v[:2] for v in (radius, radius, -radius)),
    )
    for name, value in again.components().items():
        torch.testing.assert_close(value, drawn.components()[name][[17, 3]], rtol=0, atol=0)


def test_a_cosmos_galaxy_has_no_specks(shared_data):
    """Pixels differ from the mean of their 3 x 3 by less than 4.5 % of the light.

    In the cutouts themselves these are 10 to 35 % within the central half.
    """
    library = GalaxyLibrary.read(shared_data / "galaxies" / "real_galaxy_catalog_23.5.fits")
    images = library.images.double()[:, None]
    means = torch.nn.functional.avg_pool2d(images, 3, stride=1, padding=1)
    rough = (images - means).abs().sum(dim=(1, 2, 3)) / images.sum(dim=(1, 2, 3))
    assert float(rough.max()) < 0.045
    radius = torch.full((10,), 0.2, dtype=torch.float64)
    drawn = draw_galaxies(
        RandomStreams(1, torch.arange(10)), library, radius, 0 * radius, 0 * radius
    )
    flux = drawn(*plane(drawn, step=0.01)).sum(dim=(1, 2)) * 1e-4
    torch.testing.assert_close(flux, torch.ones_like(flux), rtol=1e-3, atol=0)

"""Light that is not lensed: the lens galaxy, a second one, objects in the field."""

from __future__ import annotations

import numpy as np
import pytest
import scipy.stats
import torch

from astrorim.plugins import load_plugins
from astrorim_plugins.simulators.draws.light import draw_neighbours

P_VALUE = 1e-4

RANGES = {
    "foundation": ((0.25, 1.0), (3.0, 5.0), 0.02),
    "enhanced": ((0.25, 1.0), (3.0, 5.0), 0.02),
    "multi-instrument": ((0.25, 1.2), (2.5, 5.0), 0.02),
    "expanded": ((0.25, 1.2), (2.5, 5.0), 0.02),
    "small-lens": ((0.18, 0.9), (2.5, 5.0), 0.02),
    "realistic": ((0.2, 1.0), (2.0, 4.5), 0.015),
}
"""Half-light radius, arcsec; Sersic index; centre minus the mass's, arcsec."""


def assert_uniform(values, low, high):
    values = np.asarray(values).ravel()
    assert scipy.stats.kstest(values, "uniform", args=(low, high - low)).pvalue > P_VALUE


@pytest.fixture
def model():
    return load_plugins().light_models.create("sersic")


@pytest.fixture(params=["small-lens", "realistic"])
def field(request, population_of):
    """A population's name, its values, and its galaxies and stars in a frame 4 by 6."""
    population = population_of(request.param)
    frame = torch.tensor([4.0, 6.0])
    sub_pixel = torch.full_like(population.values["exposure"], 0.01)
    objects = draw_neighbours(population.drawn, population.values, frame, sub_pixel)
    return request.param, population, *objects


@pytest.mark.parametrize("name", RANGES)
def test_lens_light_follows_the_mass(name, population_of):
    radii, indices, offset = RANGES[name]
    population = population_of(name)
    lens, light = population.lens, population.light
    assert_uniform(light["half_light_radius"], *radii)
    assert_uniform(light["sersic_index"], *indices)
    for axis in ("x0", "y0"):
        assert_uniform(light[axis] - lens[axis], -offset, offset)
    for i, component in enumerate(("e1", "e2")):
        ratio = population.drawn["light_ellipticity_ratio"][:, i]
        assert_uniform(light[component] - ratio * lens[component], -0.05, 0.05)
        extreme = torch.stack([0.6 * lens[component], lens[component]])
        assert bool((light[component] > extreme.amin(dim=0) - 0.05).all())
        assert bool((light[component] < extreme.amax(dim=0) + 0.05).all())
    residual = np.corrcoef(light["e1"] - lens["e1"], light["e2"] - lens["e2"])[0, 1]
    assert abs(residual) < 0.05


def test_second_deflectors_have_light_of_their_own(population_of, model):
    """The prior version's had mass alone."""
    population = population_of("expanded")
    second, lens, values = population.second_light, population.lens, population.values
    there = lens["theta_E_second"] != 0
    assert 700 < int(there.sum()) < 900
    flux = model.total_flux(second)[:, 0]
    ratio = lens["theta_E_second"] / values["theta_E"]
    torch.testing.assert_close(flux, ratio**2)
    assert float(flux[there].min()) > 0.25**2 * (1 - 1e-9)
    torch.testing.assert_close(
        second["half_light_radius"][there, 0],
        (population.light["half_light_radius"] * ratio)[there],
    )
    for name in ("x0", "y0", "e1", "e2"):
        assert torch.equal(second[name][:, 0], lens[f"{name}_second"])


@pytest.mark.parametrize("name", [name for name in RANGES if name != "expanded"])
def test_the_others_have_no_second_light(name, population_of):
    assert not population_of(name).second_light


def test_numbers_of_field_objects(field):
    name, population, galaxies, stars = field
    number = (galaxies["amplitude"] != 0).sum(dim=1)
    values = population.values
    wanted = values["num_neighbours"] * values["has_neighbours"]
    if name == "small-lens":
        assert not stars
        assert torch.equal(number, wanted.long())
        chance, numbers = 0.9, range(3, 9)
    else:
        shining = (stars["amplitude"] != 0).sum(dim=1)
        assert torch.equal(number, (4 * wanted.long()) // 5)
        assert torch.equal(number + shining, wanted.long())
        # An object is a galaxy or a star.
        assert not bool(((galaxies["amplitude"] != 0) & (stars["amplitude"] != 0)).any())
        chance, numbers = 0.95, range(4, 12)
    count = np.array([(wanted == n).sum() for n in (0, *numbers)])
    expected = len(wanted) * np.array([1 - chance, *[chance / len(numbers)] * len(numbers)])
    assert scipy.stats.chisquare(count, expected).pvalue > P_VALUE


def test_field_objects_are_uniform_over_the_frame(field):
    _, _, galaxies, stars = field
    assert_uniform(galaxies["x0"], -2, 2)
    assert_uniform(galaxies["y0"], -3, 3)
    if stars:
        assert torch.equal(stars["x0"], galaxies["x0"])


def test_field_objects_have_the_published_brightness(field):
    """Amplitudes are counts in a sub-pixel of 0.01 arcsec."""
    name, _, galaxies, stars = field
    amplitude = galaxies["amplitude"][galaxies["amplitude"] != 0] * 1e-4
    if name == "small-lens":
        assert_uniform(amplitude, 0.02, 0.35)
        assert_uniform(galaxies["half_light_radius"], 0.008, 0.08)
        assert_uniform(galaxies["e1"], -0.4, 0.4)
    else:
        assert_uniform(amplitude, 0.01, 0.3)
        assert_uniform(galaxies["half_light_radius"], 0.006, 0.07)
        assert_uniform(galaxies["e2"], -0.5, 0.5)
        assert_uniform(stars["amplitude"][stars["amplitude"] != 0] * 1e-4, 0.05, 0.4)
        assert_uniform(stars["fwhm"], 0.04, 0.12)
        assert_uniform(stars["beta"], 2.5, 4.5)
    assert_uniform(galaxies["sersic_index"], 0.8, 3.5)

"""Distributions of what `foundation` draws; every test draws without rendering."""

from __future__ import annotations

import math

import numpy as np
import pytest
import scipy.stats
import torch

from astrorim.plugins import load_plugins
from astrorim_plugins.simulators.foundation import Foundation
from astrorim_plugins.simulators.population import draw_population
from astrorim_plugins.simulators.random_streams import RandomStreams
from astrorim_plugins.simulators.ranges import POPULATION

NUMBER = 4000
# Dozens of Kolmogorov-Smirnov tests are made with one seed.
P_VALUE = 1e-3


@pytest.fixture(scope="module")
def population():
    return Foundation().draw(NUMBER, seed=77)


@pytest.fixture(scope="module")
def wide():
    return Foundation(wide_clumps=True).draw(NUMBER, seed=77)


def assert_uniform(values, low, high):
    values = np.asarray(values)
    assert values.min() >= low
    assert values.max() <= high
    assert scipy.stats.kstest(values, "uniform", args=(low, high - low)).pvalue > P_VALUE


@pytest.mark.parametrize(
    "name, low, high",
    [
        ("z_lens", 0.25, 0.70),
        ("z_source", 0.9, 3.0),
        ("source_magnitude", 21.0, 23.2),
        ("exposure", 800.0, 1600.0),
        ("read_noise", 0.8, 1.8),
        ("sky", 0.06, 0.25),
        ("psf_fwhm", 0.06, 0.10),
    ],
)
def test_scalars_are_uniform_over_the_published_ranges(population, name, low, high):
    assert_uniform(population.values[name], low, high)


def test_mass_and_shear_follow_the_published_ranges(population):
    lens = population.lens
    assert_uniform(lens["theta_E"], 0.9, 1.5)
    assert_uniform(lens["x0"], -0.04, 0.04)
    assert_uniform(lens["y0"], -0.04, 0.04)
    assert_uniform(torch.hypot(lens["e1"], lens["e2"]), 0.15, 0.45)
    assert_uniform(torch.atan2(lens["e2"], lens["e1"]) % (2 * math.pi), 0, 2 * math.pi)
    assert_uniform(torch.hypot(lens["gamma1"], lens["gamma2"]), 0, 0.08)
    assert_uniform(torch.atan2(lens["gamma2"], lens["gamma1"]) % (2 * math.pi), 0, 2 * math.pi)


def test_lens_light_follows_the_mass(population):
    lens, light = population.lens, population.light
    assert_uniform(light["half_light_radius"], 0.25, 1.0)
    assert_uniform(light["sersic_index"], 3.0, 5.0)
    for axis in ("x0", "y0"):
        assert_uniform(light[axis] - lens[axis], -0.02, 0.02)
    for component in ("e1", "e2"):
        extreme = torch.stack([0.6 * lens[component], lens[component]])
        assert bool((light[component] > extreme.amin(dim=0) - 0.05).all())
        assert bool((light[component] < extreme.amax(dim=0) + 0.05).all())
    assert np.corrcoef(light["e1"] - lens["e1"], light["e2"] - lens["e2"])[0, 1] < 0.05


def test_light_and_source_have_a_total_flux_of_one(population):
    model = load_plugins().light_models.create("sersic")
    one = torch.ones(NUMBER, dtype=torch.float64)
    torch.testing.assert_close(model.total_flux(population.light), one)
    torch.testing.assert_close(population.source.total_flux(), one)


def test_nine_magnitude_differences_are_drawn_alike(population):
    differences = population.magnitude_differences
    assert differences.shape == (NUMBER, 9)
    for j in range(9):
        assert_uniform(differences[:, j], -0.3, 1.2)
    correlation = np.corrcoef(differences.numpy().T) - np.eye(9)
    assert np.abs(correlation).max() < 0.08


def test_sersic_profiles_follow_the_published_ranges(population):
    profiles = population.source.profiles
    theta_e = population.lens["theta_E"]
    ranges = [(0.20, (0.05, 0.25), (1.0, 3.5)), *[(0.9, (0.04, 0.18), (0.8, 4.0))] * 2]
    for j, (reach, radii, indices) in enumerate(ranges):
        assert_uniform(profiles["half_light_radius"][:, j], *radii)
        assert_uniform(profiles["sersic_index"][:, j], *indices)
        assert_uniform(torch.hypot(profiles["e1"], profiles["e2"])[:, j], 0.0, 0.5)
        for axis in ("x0", "y0"):
            assert_uniform(profiles[axis][:, j] / theta_e, -reach, reach)


def test_amplitude_ratios_of_the_profiles_survive_the_scaling(population):
    amplitude = population.source.profiles["amplitude"]
    exists = amplitude[:, 1] != 0
    ratio = (amplitude[exists, 1] / amplitude[exists, 0]).numpy()
    rng = np.random.default_rng(5)
    expected = rng.uniform(1, 3, 20_000) / rng.uniform(2, 6, 20_000)
    assert scipy.stats.ks_2samp(ratio, expected).pvalue > P_VALUE


def test_numbers_of_components(population):
    extras = (population.source.profiles["amplitude"][:, 1:] != 0).sum(dim=1).numpy()
    assert scipy.stats.chisquare(np.bincount(extras, minlength=3)).pvalue > P_VALUE
    clumps = (population.source.clumps["amplitude"] != 0).sum(dim=1).numpy()
    expected = NUMBER * np.array([0.30, *[0.70 / 4] * 4])
    counts = np.bincount(clumps, minlength=5)
    drawn = expected * counts.sum() / expected.sum()
    assert scipy.stats.chisquare(counts, drawn).pvalue > P_VALUE


def test_clumps_lie_within_two_half_light_radii_of_the_source(population):
    """The prior version scattered them over half of the frame."""
    source = population.source
    dx, dy = (source.clumps[a] - source.profiles[a][:, :1] for a in ("x0", "y0"))
    share = torch.hypot(dx, dy) / source.profiles["half_light_radius"][:, :1]
    assert_uniform((share / 2).square().flatten(), 0, 1)  # uniform over the disc
    assert_uniform(torch.atan2(dy, dx).flatten() % (2 * math.pi), 0, 2 * math.pi)


def test_wide_clumps_scatter_over_the_frame(wide):
    for axis in ("x0", "y0"):
        assert_uniform(wide.source.clumps[axis].flatten(), -0.96, 0.96)


def test_wide_clumps_leave_everything_else_as_it_was(population, wide):
    for name, value in population.lens.items():
        assert torch.equal(value, wide.lens[name])
    assert torch.equal(population.source.profiles["x0"], wide.source.profiles["x0"])
    assert torch.equal(population.source.clumps["sigma"], wide.source.clumps["sigma"])


def test_clump_sizes_and_relative_amplitudes(population):
    source = population.source
    assert_uniform(source.clumps["sigma"].flatten(), 0.024, 0.16)
    # Of lenses without extra profiles, the first clump against the main profile alone.
    alone = (source.profiles["amplitude"][:, 1:] == 0).all(dim=1) & (
        source.clumps["amplitude"][:, 0] != 0
    )
    main = {name: values[alone, :1] for name, values in source.profiles.items()}
    half = 0.005
    peak = source.model.surface_brightness(main["x0"] + half, main["y0"] + half, main)[:, 0]
    relative = (source.clumps["amplitude"][alone, 0] / peak).numpy()
    rng = np.random.default_rng(6)
    expected = rng.uniform(0.05, rng.uniform(0.3, 1.0, 20_000))
    # The clump itself may be read as the maximum by later ones, never by itself.
    assert scipy.stats.ks_2samp(relative, expected).pvalue > P_VALUE


def test_parameters_that_the_population_does_not_know_come_from_their_prior():
    plugins = load_plugins()
    model = plugins.lens_models.resolve("epl+shear")
    light = plugins.light_models.create("sersic")
    streams = RandomStreams(77, torch.arange(NUMBER))
    lens = draw_population(streams, model, light).lens
    slope = next(p for p in model.parameters if p.name == "slope")
    assert_uniform(lens["slope"], *slope.prior)
    assert set(lens) == {p.name for p in model.parameters}
    base = Foundation().draw(NUMBER, seed=77).lens
    assert torch.equal(lens["theta_E"], base["theta_E"])


def test_every_range_is_declared_with_unit_and_description():
    assert Foundation.parameters == tuple(POPULATION)
    for parameter in POPULATION:
        assert parameter.description
        assert parameter.prior[0] < parameter.prior[1]


def test_no_draw_of_ten_thousand_lies_outside_a_support():
    """Labels of the prior version left the ranges of its network in 2 to 10 %."""
    plugins = load_plugins()
    population = Foundation().draw(10_000, seed=12)
    models = (
        (plugins.lens_models.resolve("sie+shear"), population.lens),
        (plugins.light_models.create("sersic"), population.light),
    )
    for model, values in models:
        for parameter in model.parameters:
            low, high = parameter.support
            assert float(values[parameter.name].min()) >= low, parameter.name
            assert float(values[parameter.name].max()) <= high, parameter.name

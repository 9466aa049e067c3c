"""Sources that are drawn: profiles, disks, companions, clumps, the spiral pattern."""

from __future__ import annotations

import math

import numpy as np
import pytest
import scipy.stats
import torch

from astrorim.plugins import load_plugins
from astrorim_plugins.simulators.draws.source import main_radius, source_frame

P_VALUE = 1e-4

NAMES = (
    "foundation",
    "enhanced",
    "multi-instrument",
    "expanded",
    "small-lens",
    "realistic",
)

SPIRALS = {
    "enhanced": (0.35, 0.08),
    "multi-instrument": (0.35, 0.08),
    "expanded": (0.35, 0.06),
    "small-lens": (0.25, 0.06),
    "realistic": (0.5 * 0.7, 0.1),
}
"""Share of the sources and amplitude."""

COMPANIONS = {
    "foundation": (1, 2, 0.9),
    "enhanced": (2, 2, 0.9),
    "multi-instrument": (2, 3, 0.9),
    "expanded": (2, 4, 0.9),
    "small-lens": (2, 2, 0.9),
    "realistic": (2, 3, 1.2),
}
"""Number of the first companion's column, most of them, reach in Einstein radii."""

CLUMPS = {
    "foundation": (0.70, 4),
    "enhanced": (0.75, 5),
    "multi-instrument": (0.75, 5),
    "expanded": (0.75, 5),
    "small-lens": (0.60, 5),
}
"""Probability and most."""

SPIRAL, ELLIPTICAL, IRREGULAR = range(3)


def assert_uniform(values, low, high):
    values = np.asarray(values).ravel()
    assert scipy.stats.kstest(values, "uniform", args=(low, high - low)).pvalue > P_VALUE


@pytest.fixture(params=NAMES)
def name(request):
    return request.param


def test_profiles_lie_where_einstein_radii_say(name, unshifted):
    population = unshifted(name)
    profiles, values = population.source.profiles, population.values
    first, most, reach = COMPANIONS[name]
    for axis in ("x0", "y0"):
        main = profiles[axis][:, 0] / values["theta_E"]
        torch.testing.assert_close(main, values[f"source_offset_{axis[0]}"])
        offset = profiles[axis][:, first:] / values["theta_E"][:, None]
        assert offset.shape[1] == most
        assert_uniform(offset, -reach, reach)


def test_numbers_of_companions(name, population_of):
    first, most, _ = COMPANIONS[name]
    amplitude = population_of(name).source.profiles["amplitude"]
    count = (amplitude[:, first:] != 0).sum(dim=1).numpy()
    assert scipy.stats.chisquare(np.bincount(count, minlength=most + 1)).pvalue > P_VALUE
    # The first ones exist, without gaps.
    there = (amplitude[:, first:] != 0).long()
    assert torch.equal(there, there.cummin(dim=1).values)


def test_amplitude_ratios_survive_the_scaling_to_a_flux_of_one(name, population_of):
    population = population_of(name)
    amplitude, drawn = population.source.profiles["amplitude"], population.drawn
    first = COMPANIONS[name][0]
    weight = drawn.get("bulge_fraction", torch.ones_like(drawn["source_amplitude"]))
    main = (weight * drawn["source_amplitude"])[:, 0]
    there = amplitude[:, first] != 0
    ratio = amplitude[there, first] / amplitude[there, 0]
    torch.testing.assert_close(ratio, (drawn["extra_amplitude"][:, 0] / main)[there])


@pytest.mark.parametrize("name", ["enhanced", "multi-instrument", "expanded", "small-lens"])
def test_bulge_and_disk_share_the_source(name, unshifted):
    population = unshifted(name)
    profiles, values = population.source.profiles, population.values
    bulge, disk = ({key: value[:, j] for key, value in profiles.items()} for j in (0, 1))
    fraction = values["bulge_fraction"]
    torch.testing.assert_close(
        disk["amplitude"] / bulge["amplitude"],
        (1 - fraction) / fraction * values["disk_amplitude_ratio"],
    )
    torch.testing.assert_close(
        disk["half_light_radius"], bulge["half_light_radius"] * values["disk_radius_ratio"]
    )
    assert disk["sersic_index"].unique().tolist() == [1]
    for axis in ("x0", "y0"):
        assert_uniform(disk[axis] - bulge[axis], -0.02, 0.02)
    for component in ("e1", "e2"):
        assert_uniform(disk[component] / bulge[component], 0.8, 1.0)


def test_types_of_sources(population_of):
    population = population_of("realistic")
    profiles, values = population.source.profiles, population.values
    kind = values["source_type"]
    modulus = torch.hypot(profiles["e1"], profiles["e2"])
    turn = torch.atan2(profiles["e2"], profiles["e1"]) / 2
    has_disk = profiles["amplitude"][:, 1] != 0
    assert torch.equal(has_disk, kind == SPIRAL)
    spirals = kind == SPIRAL
    assert_uniform(modulus[spirals, 1], 0.4, 0.8)
    torch.testing.assert_close(modulus[spirals, 0], 0.7 * modulus[spirals, 1])
    apart = (turn[:, 1] - turn[:, 0] + math.pi / 2) % math.pi - math.pi / 2
    assert_uniform(apart[spirals], -0.2, 0.2)
    assert_uniform(modulus[kind == ELLIPTICAL, 0], 0.0, 0.7)
    assert_uniform(modulus[kind == IRREGULAR, 0], 0.0, 0.5)
    assert float(modulus[~spirals, 1].max()) == 0
    clumps = (population.source.clumps["amplitude"] != 0).long()
    own, knots = clumps[:, :7].sum(dim=1), clumps[:, 7:].sum(dim=1)
    assert torch.equal(own > 0, kind == IRREGULAR)
    irregular = own[kind == IRREGULAR].numpy()
    assert scipy.stats.chisquare(np.bincount(irregular)[3:]).pvalue > P_VALUE
    expected = len(knots) * np.array([0.4, *[0.15] * 4])
    assert scipy.stats.chisquare(np.bincount(knots.numpy()), expected).pvalue > P_VALUE


@pytest.mark.parametrize("name", CLUMPS)
def test_numbers_of_clumps(name, population_of):
    probability, most = CLUMPS[name]
    number = (population_of(name).source.clumps["amplitude"] != 0).sum(dim=1).numpy()
    expected = len(number) * np.array([1 - probability, *[probability / most] * most])
    assert scipy.stats.chisquare(np.bincount(number), expected).pvalue > P_VALUE


def test_clumps_lie_within_two_half_light_radii_of_the_source(name, population_of):
    """The prior version scattered them over half of the frame."""
    population = population_of(name)
    source = population.source
    dx, dy = (source.clumps[a] - source.profiles[a][:, :1] for a in ("x0", "y0"))
    share = torch.hypot(dx, dy) / main_radius(population.values)[:, None] / 2
    assert float(share.max()) <= 1 + 1e-9
    assert_uniform(share.square(), 0, 1)  # uniform over the disc
    assert_uniform(torch.atan2(dy, dx) % (2 * math.pi), 0, 2 * math.pi)


def test_the_main_radius_is_that_of_the_disk_where_there_is_one(population_of):
    population = population_of("realistic")
    radius = population.source.profiles["half_light_radius"]
    has_disk = population.values["source_type"] == SPIRAL
    expected = torch.where(has_disk, radius[:, 1], radius[:, 0])
    torch.testing.assert_close(main_radius(population.values), expected)


@pytest.mark.parametrize(
    "name, spread", [("foundation", 0.96), ("expanded", 1.152), ("realistic", 0.96)]
)
def test_wide_clumps_scatter_over_the_frame(name, spread, unshifted):
    """And leave everything else but the scaling as it was."""
    near = unshifted(name).select(slice(0, 2000))
    simulator = load_plugins().simulators.create(name, wide_clumps=True, without=["shift"])
    wide = simulator.draw(2000, seed=77)
    for axis in ("x0", "y0"):
        assert_uniform(wide.source.clumps[axis], -spread, spread)
        torch.testing.assert_close(
            wide.source.profiles[axis], near.source.profiles[axis], rtol=1e-13, atol=0
        )
    torch.testing.assert_close(wide.source.clumps["sigma"], near.source.clumps["sigma"])
    for key, value in near.lens.items():
        torch.testing.assert_close(value, wide.lens[key], rtol=1e-13, atol=0)


def test_clumps_are_relative_to_the_maximum_so_far(population_of):
    """Of lenses without companions, the first clump against the main profile alone."""
    source = population_of("foundation").source
    alone = (source.profiles["amplitude"][:, 1:] == 0).all(dim=1) & (
        source.clumps["amplitude"][:, 0] != 0
    )
    main = {key: values[alone, :1] for key, values in source.profiles.items()}
    half = 0.005
    peak = source.model.surface_brightness(main["x0"] + half, main["y0"] + half, main)[:, 0]
    relative = (source.clumps["amplitude"][alone, 0] / peak).numpy()
    rng = np.random.default_rng(6)
    expected = rng.uniform(0.05, rng.uniform(0.3, 1.0, 20_000))
    assert scipy.stats.ks_2samp(relative, expected).pvalue > P_VALUE


def test_no_clump_outshines_the_pattern_before_it(name, population_of):
    """Each is at most the largest share of a maximum that the clumps before may raise."""
    source = population_of(name).select(slice(0, 500)).source
    number = source.profiles["amplitude"].shape[1]
    if source.num_spiral_profiles is not None:
        number = source.num_spiral_profiles
    half = 0.005
    x, y = (source.profiles[axis][:, :number] + half for axis in ("x0", "y0"))
    x = torch.cat([x, source.clumps["x0"]], dim=1)
    y = torch.cat([y, source.clumps["y0"]], dim=1)
    brightest = source(x, y).amax(dim=1)
    assert bool((source.clumps["amplitude"].amax(dim=1) <= 1.2 * brightest).all())


@pytest.mark.parametrize("name", SPIRALS)
def test_spirals_turn_about_the_source(name, population_of):
    """The prior version's pattern was centred on the frame."""
    share, amplitude = SPIRALS[name]
    source = population_of(name).source
    spiral = source.spiral
    for axis in ("x0", "y0"):
        assert torch.equal(spiral[axis], source.profiles[axis][:, 0])
    assert float(spiral["x0"].std()) > 0.01
    there = spiral["amplitude"] != 0
    assert scipy.stats.binomtest(int(there.sum()), len(there), share).pvalue > P_VALUE
    torch.testing.assert_close(
        spiral["amplitude"][there], torch.full_like(spiral["amplitude"][there], amplitude)
    )
    assert_uniform(spiral["phase"], 0, 2 * math.pi)


def test_arms_wind_by_five_radians_over_two_half_light_radii(population_of):
    population = population_of("realistic")
    turns = population.source.spiral["winding"] * 2 * main_radius(population.values)
    torch.testing.assert_close(turns, torch.full_like(turns, 5.0))
    spirals = population.source.spiral["amplitude"] != 0
    assert bool((population.values["source_type"][spirals] == SPIRAL).all())
    assert population.source.num_spiral_profiles == 2
    for name in SPIRALS:
        if name != "realistic":
            assert not bool(population_of(name).source.spiral["winding"].any())


def test_foundation_has_no_spirals(population_of):
    assert not population_of("foundation").source.spiral


def test_the_frame_of_the_truth_holds_three_half_light_radii(name, population_of):
    source = population_of(name).select(slice(0, 500)).source
    centre, scale = source_frame(source, 128)
    half = 64 * scale[:, None]
    gaussian = math.sqrt(2 * math.log(2)) * source.clumps["sigma"]
    touched = torch.zeros_like(half)
    for table, radius in (
        (source.profiles, source.profiles["half_light_radius"]),
        (source.clumps, gaussian),
    ):
        there = table["amplitude"] != 0
        for i, axis in enumerate(("x0", "y0")):
            edge = (table[axis] - centre[:, i, None]).abs() + 3 * radius
            inside = torch.where(there, edge / half, 0)
            assert float(inside.max()) <= 1 + 1e-9
            touched = torch.maximum(touched, inside.amax(dim=1, keepdim=True))
    # No larger than it must be.
    torch.testing.assert_close(touched, torch.ones_like(touched))

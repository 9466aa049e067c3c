"""The mass that is drawn: shapes, halos, subhalos and a second galaxy."""

from __future__ import annotations

import math

import numpy as np
import pytest
import scipy.stats
import torch

from astrorim.exceptions import SimulationError
from astrorim.plugins import load_plugins
from astrorim_plugins.lens_models.nfw import NFW
from astrorim_plugins.simulators.distances import Distances
from astrorim_plugins.simulators.draws.mass import draw_mass, draw_strength
from astrorim_plugins.simulators.einstein_radius import effective_einstein_radius

P_VALUE = 1e-4

SUBHALOS = {
    "enhanced": (0.70, 1.0, 5, 0.5),
    "multi-instrument": (0.70, 1.0, 5, 0.5),
    "expanded": (0.75, 1.4, 6, 1.0),
    "small-lens": (0.25, 0.7, 4, 0.6),
    "realistic": (0.15, 0.5, 4, 0.5),
}
"""Probability, mean of the Poisson numbers, most of them, reach in Einstein radii."""

GROUPS = {
    "enhanced": (0.18, (0.5, 0.5), (5, 25)),
    "multi-instrument": (0.18, (0.5, 0.5), (5, 25)),
    "expanded": (0.22, (0.16, 0.96), (8, 40)),
    "small-lens": (0.08, (0.15, 0.15), (10, 30)),
}
"""Probability, deflection at the scale radius and scale radius, arcsec."""

HALOS = ("enhanced", "expanded", "realistic")
"""Simulators with halos about the lens galaxy's centre."""


def assert_uniform(values, low, high):
    values = np.asarray(values).ravel()
    assert scipy.stats.kstest(values, "uniform", args=(low, high - low)).pvalue > P_VALUE


@pytest.fixture(params=["foundation", *SUBHALOS])
def population(request, population_of):
    return population_of(request.param)


def test_shapes_have_the_drawn_modulus_and_angle(population):
    values, lens = population.values, population.lens
    for modulus, angle, names in (
        ("ellipticity", "orientation", ("e1", "e2")),
        ("gamma", "gamma_orientation", ("gamma1", "gamma2")),
    ):
        first, second = (lens[name] for name in names)
        torch.testing.assert_close(torch.hypot(first, second), values[modulus])
        assert_uniform(torch.atan2(second, first) % (2 * math.pi), 0, 2 * math.pi)
        turn = torch.atan2(second, first) / 2 - values[angle]
        torch.testing.assert_close(
            torch.cos(2 * turn), torch.ones_like(turn), rtol=0, atol=1e-12
        )


@pytest.mark.parametrize("name", SUBHALOS)
def test_numbers_of_subhalos(name, population_of):
    probability, mean, most, _ = SUBHALOS[name]
    lens = population_of(name).lens
    number = sum((lens[f"theta_E_sub{j}"] != 0).long() for j in range(1, most + 1))
    assert f"theta_E_sub{most + 1}" not in lens
    expected = probability * scipy.stats.poisson.pmf(np.arange(most + 1), mean)
    expected /= scipy.stats.poisson.cdf(most, mean)
    expected[0] += 1 - probability
    count = np.bincount(number.numpy(), minlength=most + 1)
    few = expected * len(number) < 5
    count, expected = (
        np.append(x[~few], x[few].sum()) if few.any() else x
        for x in (count, expected * len(number))
    )
    assert scipy.stats.chisquare(count, expected).pvalue > P_VALUE


@pytest.mark.parametrize("name", SUBHALOS)
def test_subhalos_lie_about_the_lens(name, unshifted):
    """The prior version put them about the origin of the frame."""
    _, _, most, reach = SUBHALOS[name]
    population = unshifted(name)
    lens, theta_e = population.lens, population.values["theta_E"]
    for axis in ("x0", "y0"):
        places = torch.stack([lens[f"{axis}_sub{j}"] for j in range(1, most + 1)])
        about_lens = (places - lens[axis]) / theta_e
        assert float(about_lens.abs().max()) <= reach * (1 + 1e-9)
        assert_uniform(about_lens, -reach, reach)
        # About the origin they would lie farther from the lens than they may.
        assert float((places / theta_e).abs().max()) > reach


@pytest.mark.parametrize("name", GROUPS)
def test_group_halos_deflect_at_their_scale_radius_as_drawn(name, unshifted):
    """A mass sheet, almost, but part of the sky: kept."""
    probability, deflection, radius = GROUPS[name]
    population = unshifted(name)
    lens, values = population.lens, population.values
    there = lens["kappa_s_group"] != 0
    binomial = scipy.stats.binomtest(int(there.sum()), len(there), probability)
    assert binomial.pvalue > P_VALUE
    halo = {
        "kappa_s": lens["kappa_s_group"][there],
        "rs": lens["rs_group"][there],
        "x0": torch.zeros(int(there.sum()), dtype=torch.float64),
        "y0": torch.zeros(int(there.sum()), dtype=torch.float64),
    }
    bend, across = NFW().deflection(halo["rs"], 0 * halo["rs"], halo)
    assert float(across.abs().max()) < 1e-12
    torch.testing.assert_close(bend, values["group_deflection"][there])
    assert_uniform(lens["rs_group"], *radius)
    if deflection[0] < deflection[1]:
        assert_uniform(bend, *deflection)
    else:
        torch.testing.assert_close(bend, torch.full_like(bend, deflection[0]))


@pytest.mark.parametrize(
    "name, reach, in_radii",
    [
        ("enhanced", 0.3, False),
        ("multi-instrument", 0.3, False),
        ("expanded", 1.0, True),
        ("small-lens", 0.4, False),
        ("realistic", 0.3, False),
    ],
)
def test_group_halos_lie_off_the_lens(name, reach, in_radii, unshifted):
    population = unshifted(name)
    lens = population.lens
    for axis in ("x0", "y0"):
        offset = lens[f"{axis}_group"] - lens[axis]
        if in_radii:
            offset = offset / population.values["theta_E"]
        assert_uniform(offset, -reach, reach)


def test_group_halos_of_a_mass_have_its_concentration(population_of):
    population = population_of("realistic")
    values, lens = population.values, population.lens
    mass = 10 ** values["group_log_mass"]
    kappa_s, rs = Distances().halo(
        mass, 5 * (mass / 1e14) ** -0.1, values["z_lens"], values["z_source"]
    )
    torch.testing.assert_close(lens["rs_group"], rs)
    torch.testing.assert_close(lens["kappa_s_group"], kappa_s * values["has_group"])
    there = int(values["has_group"].sum())
    assert scipy.stats.binomtest(there, len(rs), 0.05).pvalue > P_VALUE


@pytest.mark.parametrize("name", HALOS)
def test_three_lenses_in_ten_have_a_halo_about_their_centre(name, population_of):
    """The prior version's halos were all off the lens; the model shares x0 and y0."""
    lens = population_of(name).lens
    there = lens["kappa_s"] != 0
    assert scipy.stats.binomtest(int(there.sum()), len(there), 0.3).pvalue > P_VALUE
    assert_uniform(lens["kappa_s"][there], 0.0, 0.2)
    assert_uniform(lens["rs"], 2.0, 15.0)


@pytest.mark.parametrize("name", ["foundation", "multi-instrument", "small-lens"])
def test_the_others_have_no_halo_about_their_centre(name, population_of):
    assert "kappa_s" not in population_of(name).lens


@pytest.mark.parametrize("name", HALOS)
def test_galaxy_and_halo_have_the_drawn_einstein_radius_together(name, population_of):
    population = population_of(name).select(slice(0, 2000))
    lens, theta_e = population.lens, population.values["theta_E"]
    alone = lens["kappa_s"] == 0
    torch.testing.assert_close(lens["theta_E"][alone], theta_e[alone])
    # Galaxies that keep a fifth of the radius are too weak for it.
    shared = ~alone & (lens["theta_E"] > 0.2001 * theta_e) & (theta_e > 0.05)
    assert int(shared.sum()) > 300
    model = load_plugins().lens_models.resolve("sie+nfw")
    own = {p.name: lens[p.name][shared] for p in model.parameters}
    # The mean convergence inside the critical ellipse of a galaxy is one, inside the circle
    # of the same area almost.
    own |= {"e1": 0 * own["e1"], "e2": 0 * own["e2"]}
    effective = effective_einstein_radius(model, own)
    torch.testing.assert_close(effective, theta_e[shared], rtol=5e-3, atol=0)
    assert float(lens["theta_E"].min() / theta_e.min()) > 0
    assert bool((lens["theta_E"] >= 0.2 * theta_e * (1 - 1e-12)).all())


def test_second_deflectors(population_of, unshifted):
    population = population_of("expanded")
    lens, values = population.lens, population.values
    there = lens["theta_E_second"] != 0
    assert scipy.stats.binomtest(int(there.sum()), len(there), 0.08).pvalue > P_VALUE
    assert_uniform((lens["theta_E_second"] / values["theta_E"])[there], 0.25, 0.9)
    assert_uniform(torch.hypot(lens["e1_second"], lens["e2_second"]), 0, 0.7)
    still = unshifted("expanded")
    for axis in ("x0", "y0"):
        offset = still.lens[f"{axis}_second"] - still.lens[axis]
        assert_uniform(offset / still.values["theta_E"], -0.6, 0.6)


def test_the_first_wanted_dispersion_is_kept(simulator_named):
    declaration = simulator_named("enhanced").declaration
    near, far = 0.5, 2.0
    radius = Distances().einstein_radius(
        *(torch.tensor([x], dtype=torch.float64) for x in (200.0, near, far))
    )
    sigma = 200 * torch.sqrt(
        torch.tensor([[0.5, 1.0, 1.2], [0.5, 1.0, 1.2], [2, 0.5, 3]]) / radius
    )
    drawn = {
        "velocity_dispersion": sigma,
        "z_lens": torch.full_like(sigma, near),
        "z_source": torch.full_like(sigma, far),
        "any_theta_E": torch.tensor([[0.0], [1.0], [0.0]]),
    }
    draw_strength(declaration, drawn, Distances())
    expected = torch.tensor([[1.0], [0.5], [2.0]], dtype=torch.float64)
    torch.testing.assert_close(drawn["theta_E"], expected)
    for name in ("velocity_dispersion", "z_lens", "z_source"):
        assert drawn[name].shape == (3, 1)


def test_a_declared_einstein_radius_is_left_alone(simulator_named):
    drawn = {"theta_E": torch.ones(3, 1)}
    draw_strength(simulator_named("foundation").declaration, drawn, Distances())
    assert list(drawn) == ["theta_E"]


def test_a_parameter_that_is_not_drawn_is_refused(population_of):
    model = load_plugins().lens_models.resolve("epl+shear")
    population = population_of("foundation")
    with pytest.raises(SimulationError, match="lens parameters without a draw: slope"):
        draw_mass(tuple(model.parameters), population.drawn, population.values, Distances())

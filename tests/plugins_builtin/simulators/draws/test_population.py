"""Draws of every simulator against their declarations; nothing is rendered."""

from __future__ import annotations

import math
import runpy
from pathlib import Path

import numpy as np
import pytest
import scipy.stats
import torch
from lenstronomy.LensModel.lens_model import LensModel
from lenstronomy.LensModel.Solver.lens_equation_solver import LensEquationSolver

from astrorim.cosmology import resolve_cosmology
from astrorim.plugins import load_plugins
from astrorim_plugins.simulators.declaration import EFFECTS
from astrorim_plugins.simulators.distances import Distances
from astrorim_plugins.simulators.distributions import BehindLens, Cases, Fixed
from astrorim_plugins.simulators.draws.population import draw_population
from astrorim_plugins.simulators.lensed_images import count_images
from astrorim_plugins.simulators.random_streams import RandomStreams

NAMES = (
    "foundation",
    "enhanced",
    "multi-instrument",
    "expanded",
    "small-lens",
    "realistic",
)

P_VALUE = 1e-6
"""Hundreds of tests are made with one seed: a wrong distribution fails by far more."""

SELECTED = {"z_lens", "z_source", "velocity_dispersion"}
"""Quantities that `enhanced` keeps only together with a wanted Einstein radius."""

DECLARED = [
    (name, quantity.name)
    for name in NAMES
    for quantity in load_plugins().simulators.create(name).declaration
    if name != "enhanced" or quantity.name not in SELECTED
]

PERCENTILES = (1, 10, 50, 90, 99)

EINSTEIN_RADII = {
    "multi-instrument": (0.15, 0.26, 0.78, 1.72, 2.28),
    "expanded": (0.07, 0.18, 0.83, 2.22, 3.16),
    "small-lens": (0.09, 0.14, 0.29, 0.54, 0.68),
}
"""Percentiles that 20 000 draws of the published populations have, arcsec."""


def assert_follows(values, distribution):
    """Kolmogorov-Smirnov, or chi-square where only whole numbers occur."""
    values = np.asarray(values, dtype=float).ravel()
    low, high = distribution.interval
    assert values.min() >= low
    assert values.max() <= high
    if isinstance(distribution, Fixed):
        return
    if not distribution.discrete:
        assert scipy.stats.kstest(values, distribution.cdf, mode="asymp").pvalue > P_VALUE
        return
    numbers = np.arange(low, high + 1)
    expected = len(values) * np.diff(distribution.cdf(np.concatenate([[low - 1], numbers])))
    count = np.array([(values == number).sum() for number in numbers])
    assert count.sum() == len(values)
    assert not count[expected == 0].any()
    # Numbers that hardly occur are counted together.
    rare = expected < 5
    expected, count = (np.append(x[~rare], x[rare].sum()) for x in (expected, count))
    possible = expected > 0
    if possible.sum() > 1:
        assert scipy.stats.chisquare(count[possible], expected[possible]).pvalue > P_VALUE


@pytest.mark.parametrize("simulator, quantity", DECLARED)
def test_draws_follow_their_declaration(simulator, quantity, population_of, simulator_named):
    """A quantity by cases in each case, the source's redshift behind its own lens."""
    drawn = population_of(simulator).drawn
    declared = simulator_named(simulator).declaration[quantity]
    values, distribution = drawn[quantity], declared.distribution
    assert values.shape[1] == declared.count
    if isinstance(distribution, Cases):
        which = drawn[distribution.by][:, 0]
        for number, case in enumerate(distribution.cases):
            assert_follows(values[which == number], case)
    elif isinstance(distribution, BehindLens):
        low = (drawn["z_lens"] + distribution.margin).clamp(min=distribution.floor)
        share = ((values - low) / (distribution.high - low)).numpy().ravel()
        assert scipy.stats.kstest(share, "uniform").pvalue > P_VALUE
        assert float(values.min()) >= distribution.interval[0]
    else:
        assert_follows(values, distribution)


@pytest.mark.parametrize("name", NAMES)
def test_quantities_are_independent_of_each_other(name, population_of, simulator_named):
    """Each has a stream of its own, and so has each of its numbers."""
    drawn = population_of(name).drawn
    columns = torch.cat(
        [
            drawn[q.name]
            for q in simulator_named(name).declaration
            if q.parameter is not None
            and not isinstance(q.distribution, Cases | BehindLens)
            and not (name == "enhanced" and q.name in SELECTED)
        ],
        dim=1,
    ).numpy()
    correlation = np.corrcoef(columns[:, columns.std(axis=0) > 0].T)
    np.fill_diagonal(correlation, 0)
    assert np.abs(correlation).max() < 6 / math.sqrt(len(columns))


def einstein_radius(sigma, near, far):
    """Of isothermal spheres in a flat universe, from comoving distances; arcsec."""
    bend = 4 * np.pi * (sigma / 299792.458) ** 2 * (1 - near / far)
    return np.degrees(bend) * 3600


def enhanced_by_rejection(rng, number):
    """Redshifts, dispersion and Einstein radius of `enhanced`, drawn again until kept."""
    cosmology = resolve_cosmology("Planck15")
    redshift = np.linspace(0, 3, 3001)
    comoving = cosmology.comoving_distance(redshift).value
    any_radius = rng.random(number) < 0.08
    waiting = np.arange(number)
    table = np.empty((4, number))
    while len(waiting):
        z_lens = rng.uniform(0.25, 0.70, len(waiting))
        z_source = rng.uniform(np.maximum(z_lens + 0.05, 0.9), 3.0)
        sigma = rng.uniform(160, 320, len(waiting))
        near, far = (np.interp(z, redshift, comoving) for z in (z_lens, z_source))
        theta_e = einstein_radius(sigma, near, far)
        table[:, waiting] = z_lens, z_source, sigma, theta_e
        wanted = (theta_e >= 0.9) & (theta_e <= 1.5)
        waiting = waiting[~(wanted | any_radius[waiting])]
    return dict(
        zip(("z_lens", "z_source", "velocity_dispersion", "theta_E"), table, strict=True)
    )


def test_selected_lenses_are_those_of_a_rejection_sampler(population_of, rng):
    drawn = population_of("enhanced").drawn
    for name, expected in enhanced_by_rejection(rng, 20_000).items():
        values = drawn[name][:, 0].numpy()
        assert scipy.stats.ks_2samp(values, expected).pvalue > 1e-4, name


def test_einstein_radii_do_not_pile_up_at_the_ends_of_the_wanted_interval(population_of):
    """The prior version had 39 % at exactly 0.9 and 18 % at exactly 1.5 arcsec."""
    theta_e = population_of("enhanced").values["theta_E"].numpy()
    assert len(np.unique(theta_e)) == len(theta_e)
    for limit in (0.9, 1.5):
        assert (np.abs(theta_e - limit) < 0.005).mean() < 0.02
    outside = (theta_e < 0.9) | (theta_e > 1.5)
    free = population_of("enhanced").values["any_theta_E"].numpy() == 1
    assert not outside[~free].any()
    # 62 % of two million lenses drawn by numpy are outside.
    assert scipy.stats.binomtest(int(outside[free].sum()), int(free.sum()), 0.622).pvalue > 1e-3


@pytest.mark.parametrize("name", EINSTEIN_RADII)
def test_einstein_radii_have_the_published_percentiles(name, population_of):
    """Within the sampling error of both, and the two digits that are published."""
    theta_e = population_of(name).values["theta_E"].numpy()
    for percent, value in zip(PERCENTILES, EINSTEIN_RADII[name], strict=True):
        share = percent / 100
        error = 4 * math.sqrt(share * (1 - share) * (1 / len(theta_e) + 1 / 20_000))
        low, high = ((theta_e < value + step).mean() for step in (-0.005, 0.005))
        assert low - error < share < high + error, percent


def test_einstein_radii_of_dispersions_inside_limits_are_those_of_redrawn_ones(
    population_of, rng
):
    """Where the published ones, clipped, have 0.05, 0.11, 0.24, 0.43 and 0.61 arcsec."""
    cosmology = resolve_cosmology("Planck15")
    redshift = np.linspace(0, 2.5, 2501)
    comoving = cosmology.comoving_distance(redshift).value
    sigma = rng.normal(130, 25, 30_000)
    sigma = sigma[(sigma >= 80) & (sigma <= 180)]
    z_lens = rng.uniform(0.3, 0.8, len(sigma))
    z_source = rng.uniform(z_lens + 0.1, 2.5)
    near, far = (np.interp(z, redshift, comoving) for z in (z_lens, z_source))
    expected = einstein_radius(sigma, near, far)
    theta_e = population_of("realistic").values["theta_E"].numpy()
    assert scipy.stats.ks_2samp(theta_e, expected).pvalue > 1e-4
    np.testing.assert_allclose(
        np.percentile(theta_e, PERCENTILES[:4]), (0.05, 0.11, 0.24, 0.43), atol=0.02
    )


@pytest.mark.parametrize("name", NAMES)
def test_einstein_radii_follow_from_the_dispersions(name, population_of):
    values = population_of(name).values
    if "velocity_dispersion" in values:
        expected = Distances("Planck15").einstein_radius(
            *(values[n] for n in ("velocity_dispersion", "z_lens", "z_source"))
        )
        torch.testing.assert_close(values["theta_E"], expected)
    else:
        assert 0.9 <= float(values["theta_E"].min()) <= float(values["theta_E"].max()) <= 1.5


def test_the_cosmology_changes_einstein_radii_alone():
    simulators = load_plugins().simulators
    planck = simulators.create("multi-instrument").draw(50, seed=3)
    wmap = simulators.create("multi-instrument", cosmology="WMAP9").draw(50, seed=3)
    for name in ("z_lens", "z_source", "velocity_dispersion"):
        assert torch.equal(planck.values[name], wmap.values[name])
    ratio = wmap.values["theta_E"] / planck.values["theta_E"]
    assert 1e-4 < float((ratio - 1).abs().max()) < 0.02


@pytest.mark.parametrize("name", NAMES)
def test_no_draw_of_ten_thousand_lies_outside_a_support(name, population_of):
    """Labels of the prior version left the ranges of its network in 2 to 10 %.

    A component that a lens does not have has the strength zero.
    """
    population = population_of(name)
    plugins = load_plugins()
    simulator = plugins.simulators.create(name)
    sersic = plugins.light_models.create("sersic")
    tables = [
        (plugins.lens_models.resolve(simulator.lens_model), population.lens),
        (sersic, population.light),
        (sersic, population.source.profiles),
    ]
    if population.second_light:
        tables.append((sersic, population.second_light))
    for model, values in tables:
        assert set(values) == {p.name for p in model.parameters}
        for parameter in model.parameters:
            own = values[parameter.name]
            if parameter.name.startswith(("theta_E_", "amplitude")):
                own = own[own != 0]
            low, high = parameter.support
            assert bool(torch.isfinite(own).all()), parameter.name
            assert float(own.min()) >= low, parameter.name
            assert float(own.max()) <= high, parameter.name


@pytest.mark.parametrize("name", NAMES)
def test_no_draw_lies_outside_the_ranges_that_a_simulator_promises(
    name, population_of, simulator_named
):
    drawn = population_of(name).drawn
    for parameter in simulator_named(name).parameters:
        low, high = parameter.prior
        assert low <= float(drawn[parameter.name].min()), parameter.name
        assert float(drawn[parameter.name].max()) <= high, parameter.name


@pytest.mark.parametrize("name", NAMES)
def test_light_and_source_have_a_total_flux_of_one(name, population_of):
    population = population_of(name).select(slice(0, 1000))
    model = load_plugins().light_models.create("sersic")
    one = torch.ones(len(population), dtype=torch.float64)
    torch.testing.assert_close(model.total_flux(population.light), one)
    torch.testing.assert_close(population.source.total_flux(), one)


@pytest.mark.parametrize("name", NAMES)
def test_nine_magnitude_differences_are_drawn(name, population_of):
    differences = population_of(name).magnitude_differences
    assert differences.shape == (10_000, 9)
    correlation = np.corrcoef(differences.numpy().T) - np.eye(9)
    assert np.abs(correlation).max() < 0.06


@pytest.mark.parametrize("name", NAMES)
def test_a_lens_is_the_same_in_any_batch(name, population_of, simulator_named):
    """But for the last bit, which depends on the instructions that a batch is drawn by."""
    few = simulator_named(name).draw(5, seed=77, start=20)
    many = population_of(name).select(slice(20, 25))
    for table in ("lens", "light", "second_light", "values", "drawn"):
        for key, value in getattr(few, table).items():
            torch.testing.assert_close(
                getattr(many, table)[key], value, rtol=1e-13, atol=1e-15, msg=key
            )
    for table in ("profiles", "clumps", "spiral"):
        for key, value in getattr(few.source, table).items():
            expected = getattr(many.source, table)[key]
            torch.testing.assert_close(expected, value, rtol=1e-12, atol=1e-15, msg=key)


def test_two_simulators_draw_different_numbers(population_of):
    """Though their seed is the same."""
    exposures = [population_of(name).values["exposure"] for name in NAMES[:4]]
    correlation = np.corrcoef(torch.stack(exposures).numpy()) - np.eye(4)
    assert np.abs(correlation).max() < 0.06


@pytest.mark.parametrize("effect", EFFECTS)
def test_effects_can_be_left_out(effect):
    """What is left out is zero; everything else that was drawn stays."""
    simulators = load_plugins().simulators
    name = (
        "realistic"
        if EFFECTS[effect][0] in simulators.create("realistic").declaration
        else ("expanded")
    )
    whole = simulators.create(name).draw(40, seed=1)
    without = simulators.create(name, without=[effect]).draw(40, seed=1)
    assert set(EFFECTS[effect]) & set(whole.drawn)
    for key, value in without.drawn.items():
        if key in EFFECTS[effect]:
            assert not bool(value.any()), key
        else:
            assert torch.equal(value, whole.drawn[key]), key


def test_parameters_that_the_population_does_not_know_come_from_their_prior():
    plugins = load_plugins()
    declaration = plugins.simulators.create("foundation").declaration
    model = plugins.lens_models.resolve("epl+shear")
    light = plugins.light_models.create("sersic")
    streams = RandomStreams(77, torch.arange(4000))
    lens = draw_population(declaration, streams, model, light, Distances()).lens
    slope = next(p for p in model.parameters if p.name == "slope")
    low, high = slope.prior
    assert scipy.stats.kstest(lens["slope"].numpy(), "uniform", (low, high - low)).pvalue > 1e-3
    assert set(lens) == {p.name for p in model.parameters}
    base = plugins.simulators.create("foundation").draw(4000, seed=77).lens
    assert torch.equal(lens["theta_E"], base["theta_E"])


@pytest.mark.parametrize("name", ["multi-instrument", "expanded"])
def test_a_pointing_that_is_off_moves_lens_and_source_alike(name, population_of):
    """By up to half a detector pixel; the prior version's half was that of a sub-pixel."""
    population = population_of(name).select(slice(0, 2000))
    still = load_plugins().simulators.create(name, without=["shift"]).draw(2000, seed=77)
    values = population.values
    step = values["pixel_scale"] * values["has_shift"]
    shifts = {axis: values[f"shift_{axis}"] * step for axis in "xy"}
    largest = torch.maximum(*(s.abs() for s in shifts.values())) / values["pixel_scale"]
    assert 0.49 < float(largest.max()) <= 0.5
    moved = 0
    pairs = [
        (getattr(population, t), getattr(still, t)) for t in ("lens", "light", "second_light")
    ]
    pairs += [
        (getattr(population.source, t), getattr(still.source, t))
        for t in ("profiles", "clumps", "spiral")
    ]
    for table, before in pairs:
        for key, value in table.items():
            expected = before[key]
            if key[:2] in ("x0", "y0"):
                shift = shifts[key[0]]
                expected = expected + shift.view(-1, *(1,) * (value.ndim - 1))
                moved += 1
            torch.testing.assert_close(value, expected, rtol=1e-12, atol=1e-14, msg=key)
    assert moved >= 2 * 10


def test_instruments_have_their_pixels(population_of, simulator_named):
    values = population_of("expanded").values
    scales = torch.tensor([0.04, 0.20, 0.08], dtype=torch.float64)
    assert torch.equal(values["pixel_scale"], scales[values["instrument"].long()])
    wanted = simulator_named("expanded").draw(20, seed=1, pixel_scale=0.05)
    assert wanted.values["pixel_scale"].tolist() == [0.05] * 20


@pytest.fixture(scope="module")
def reference():
    """Functions of ``lenstronomy_reference.py`` by name."""
    path = Path(__file__).parents[1] / "lenstronomy_reference.py"
    return runpy.run_path(str(path))


def images_by_lenstronomy(reference, population, lens_model, i):
    lens = {name: float(value[i]) for name, value in population.lens.items()}
    names, kwargs = reference["mass_components"](lens_model, lens)
    place = (float(population.source.profiles[axis][i, 0]) for axis in ("x0", "y0"))
    theta_e = float(population.values["theta_E"][i])
    x, _ = LensEquationSolver(LensModel(names)).image_position_from_source(
        *place,
        kwargs,
        min_distance=0.05 * theta_e,
        search_window=14 * theta_e,
        precision_limit=1e-9,
        num_iter_max=200,
        x_center=lens["x0"],
        y_center=lens["y0"],
    )
    return len(x)


def test_sources_are_singly_imaged_where_that_is_asked_for(reference):
    """The prior version asked for it and got small strong lenses."""
    simulator = load_plugins().simulators.create("small-lens", single_image=True)
    population = simulator.draw(20, seed=4)
    assert bool(population.values["singly_imaged"].all())
    number = [
        images_by_lenstronomy(reference, population, simulator.lens_model, i) for i in range(20)
    ]
    assert number == [1] * 20
    place = torch.stack([population.values[f"source_offset_{axis}"] for axis in "xy"])
    torch.testing.assert_close(
        population.source.profiles["x0"][:, 0], place[0] * population.values["theta_E"]
    )


def test_small_lenses_are_strong_unless_asked_otherwise(reference, simulator_named):
    simulator = simulator_named("small-lens")
    population = simulator.draw(300, seed=4)
    model = load_plugins().lens_models.resolve(simulator.lens_model)
    number = count_images(
        model,
        population.lens,
        *(population.source.profiles[axis][:, 0] for axis in ("x0", "y0")),
        half_width=4 * population.values["theta_E"],
    )
    assert float((number > 1).double().mean()) > 0.95
    for i in range(5):
        theirs = images_by_lenstronomy(reference, population, simulator.lens_model, i)
        assert (theirs > 1) == bool(number[i] > 1)

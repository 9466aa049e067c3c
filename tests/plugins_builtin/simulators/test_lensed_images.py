"""Numbers of images against closed forms and against lenstronomy's solver."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch
from lenstronomy.LensModel.lens_model import LensModel as Reference
from lenstronomy.LensModel.Solver.lens_equation_solver import LensEquationSolver

from astrorim.exceptions import SimulationError
from astrorim.plugins import load_plugins
from astrorim_plugins.simulators.lensed_images import count_images, is_singly_imaged


def model(name):
    return load_plugins().lens_models.resolve(name)


def uniform(generator, low, high, number):
    values = torch.rand(number, generator=generator, dtype=torch.float64)
    return low + (high - low) * values


@pytest.fixture
def galaxies(generator):
    """300 deflectors of the simulators' range, and a source about each."""
    number = 300
    params = {
        "theta_E": uniform(generator, 0.3, 1.5, number),
        "x0": uniform(generator, -0.04, 0.04, number),
        "y0": uniform(generator, -0.04, 0.04, number),
    }
    distance = uniform(generator, 0.01, 2, number) * params["theta_E"]
    angle = uniform(generator, 0, 2 * math.pi, number)
    return params, distance, angle


def test_isothermal_spheres_have_two_images_inside_the_einstein_radius(galaxies):
    params, distance, angle = galaxies
    number = count_images(
        model("sis"),
        params,
        params["x0"] + distance * torch.cos(angle),
        params["y0"] + distance * torch.sin(angle),
        half_width=3.5 * params["theta_E"],
    )
    assert number.dtype == torch.int64
    assert torch.equal(number, 1 + (distance < params["theta_E"]).long())


def caustics_of_an_ellipsoid(q, angle):
    """Tangential caustic and cut of an SIE with its major axis along x, theta_E one.

    Kormann, Schneider & Bartelmann (1994), eqs. 27a and 29: the critical curve is
    r Delta = sqrt(q), and the cut is minus the deflection at the centre.
    """
    g = math.sqrt(1 - q * q)
    delta = torch.sqrt(q * q * torch.cos(angle) ** 2 + torch.sin(angle) ** 2)
    deflection = [
        math.sqrt(q) / g * torch.arctan(g * torch.cos(angle) / delta),
        math.sqrt(q) / g * torch.arctanh(g * torch.sin(angle) / delta),
    ]
    radius = math.sqrt(q) / delta
    cut = torch.stack([-a for a in deflection])
    critical = torch.stack([radius * torch.cos(angle), radius * torch.sin(angle)])
    return critical + cut, cut


@pytest.mark.parametrize("axis_ratio", [0.9, 0.75, 0.6])
def test_ellipsoids_have_four_two_or_one_image_by_their_caustics(axis_ratio):
    angle = 2 * math.pi * (torch.arange(90, dtype=torch.float64) + 0.4) / 90
    astroid, cut = caustics_of_an_ellipsoid(axis_ratio, angle)
    assert bool((astroid.square().sum(dim=0) < 0.8 * cut.square().sum(dim=0)).all())
    sources = {4: 0.9 * astroid, 2: 0.97 * cut, 1: 1.03 * cut}
    e1 = (1 - axis_ratio) / (1 + axis_ratio)
    for expected, (x, y) in sources.items():
        params = {"theta_E": 1.0, "e1": e1, "e2": 0.0, "x0": 0.0, "y0": 0.0}
        params = {name: torch.full_like(x, value) for name, value in params.items()}
        number = count_images(model("sie"), params, x, y, half_width=torch.full_like(x, 3.5))
        assert torch.equal(number, torch.full_like(number, expected))


@pytest.fixture
def sheared(generator):
    """200 sheared ellipsoids, and sources that fill 1.2 Einstein radii about them."""
    number = 200
    params = {
        "theta_E": uniform(generator, 0.3, 1.5, number),
        "x0": uniform(generator, -0.04, 0.04, number),
        "y0": uniform(generator, -0.04, 0.04, number),
        **{name: uniform(generator, -0.2, 0.2, number) for name in ("e1", "e2")},
        **{name: uniform(generator, -0.06, 0.06, number) for name in ("gamma1", "gamma2")},
    }
    distance = 1.2 * params["theta_E"] * uniform(generator, 0, 1, number).sqrt()
    angle = uniform(generator, 0, 2 * math.pi, number)
    x = params["x0"] + distance * torch.cos(angle)
    y = params["y0"] + distance * torch.sin(angle)
    return params, x, y


def test_sheared_ellipsoids_agree_with_lenstronomy(sheared, record_property):
    """They may differ in images fainter than a hundredth of the source, near the centre."""
    params, x, y = sheared
    number = count_images(model("sie+shear"), params, x, y, half_width=3.5 * params["theta_E"])
    reference = Reference(["SIE", "SHEAR"])
    solver = LensEquationSolver(reference)
    differing = []
    for i in range(len(x)):
        own = {name: float(value[i]) for name, value in params.items()}
        kwargs = [
            {
                "theta_E": own["theta_E"],
                "e1": own["e1"],
                "e2": own["e2"],
                "center_x": own["x0"],
                "center_y": own["y0"],
            },
            {"gamma1": own["gamma1"], "gamma2": own["gamma2"]},
        ]
        images = solver.image_position_from_source(
            float(x[i]),
            float(y[i]),
            kwargs,
            min_distance=0.02 * own["theta_E"],
            search_window=7 * own["theta_E"],
            precision_limit=1e-9,
            num_iter_max=200,
            x_center=own["x0"],
            y_center=own["y0"],
        )
        if len(images[0]) != int(number[i]):
            differing.append(float(np.abs(reference.magnification(*images, kwargs)).min()))
    record_property("agreement", 1 - len(differing) / len(x))
    assert len(differing) <= 2
    assert all(magnification < 0.01 for magnification in differing)
    assert set(number.tolist()) == {1, 2, 4}


def test_a_finer_mesh_finds_the_same_images(sheared):
    params, x, y = sheared
    counts = [
        count_images(
            model("sie+shear"),
            params,
            x,
            y,
            half_width=3.5 * params["theta_E"],
            num_cells=num_cells,
        )
        for num_cells in (96, 288)
    ]
    assert int((counts[0] != counts[1]).sum()) <= 1


def test_a_subhalo_far_from_all_images_adds_none(sheared):
    """Its singular centre lies inside a triangle."""
    params, x, y = sheared
    generator = torch.Generator().manual_seed(3)
    angle = uniform(generator, 0, 2 * math.pi, len(x))
    place = {"x0_2": torch.cos(angle), "y0_2": torch.sin(angle)}
    place = {name: 0.5 * params["theta_E"] * value for name, value in place.items()}
    options = {"half_width": 3.5 * params["theta_E"]}
    alone = count_images(model("sie+shear"), params, x, y, **options)
    tiny = {"theta_E_2": torch.full_like(x, 1e-3)}
    with_subhalo = count_images(
        model("sie+shear+sis@2"), {**params, **place, **tiny}, x, y, **options
    )
    assert int((alone != with_subhalo).sum()) <= 1


def test_nothing_deflected_is_one_image_at_any_place():
    x, y = torch.meshgrid(*2 * [torch.linspace(-1, 1, 40)], indexing="ij")
    zero = torch.zeros(1600)
    params = {"theta_E": zero, "x0": zero, "y0": zero}
    options = {"half_width": torch.full((1600,), 2.0)}
    number = count_images(model("sis"), params, x.flatten(), y.flatten(), **options)
    assert torch.equal(number, torch.ones_like(number))


def test_singly_imaged_are_those_with_one_image(galaxies):
    params, distance, _ = galaxies
    options = {"half_width": 3.5 * params["theta_E"]}
    source = (params["x0"] + distance, params["y0"])
    single = is_singly_imaged(model("sis"), params, *source, **options)
    assert torch.equal(single, distance >= params["theta_E"])


@pytest.mark.parametrize(
    ("half_width", "num_cells", "message"),
    [(0.0, 96, "half_width must be positive, in arcsec, got 0"), (1.0, 4, "at least 8, got 4")],
)
def test_unusable_meshes_are_refused(half_width, num_cells, message):
    one = torch.ones(1)
    params = {"theta_E": one, "x0": one, "y0": one}
    with pytest.raises(SimulationError, match=message):
        count_images(
            model("sis"), params, one, one, half_width=half_width * one, num_cells=num_cells
        )

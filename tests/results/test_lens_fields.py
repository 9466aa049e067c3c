"""Fields of every kind of lens against lenstronomy and finite differences."""

from __future__ import annotations

import numpy as np
import pytest

from astrorim.plugins import load_plugins
from astrorim.results.lens_fields import lens_centres, lens_fields, potential

SIE = {"theta_E": 1.3, "e1": 0.15, "e2": -0.1, "x0": 0.03, "y0": -0.02}
SHEAR = {"gamma1": 0.05, "gamma2": -0.08}


@pytest.fixture
def model():
    return load_plugins().lens_models.resolve("sie+shear")


@pytest.fixture
def places(rng):
    return rng.uniform(-2, 2, (2, 40))


def test_fields_agree_with_lenstronomy(model, places):
    from lenstronomy.LensModel.lens_model import LensModel

    reference = LensModel(["EPL", "SHEAR"])  # its SIE differentiates numerically
    kwargs = [
        {
            "theta_E": 1.3,
            "gamma": 2.0,
            "e1": 0.15,
            "e2": -0.1,
            "center_x": 0.03,
            "center_y": -0.02,
        },
        SHEAR,
    ]
    x, y = places
    fields = lens_fields(model, SIE | SHEAR, x, y)
    np.testing.assert_allclose(
        (fields.alpha_x, fields.alpha_y), reference.alpha(x, y, kwargs), atol=1e-7
    )
    np.testing.assert_allclose(fields.kappa, reference.kappa(x, y, kwargs), rtol=1e-6)
    np.testing.assert_allclose(
        (fields.gamma1, fields.gamma2), reference.gamma(x, y, kwargs), atol=1e-6
    )
    np.testing.assert_allclose(
        fields.magnification, reference.magnification(x, y, kwargs), rtol=1e-4
    )
    difference = potential(model, SIE | SHEAR, x, y) - reference.potential(x, y, kwargs)
    np.testing.assert_allclose(difference, difference[0], atol=1e-7)


def test_eigenvalues_are_those_of_the_jacobian(model, places):
    x, y = places
    step = 1e-5
    fields = lens_fields(model, SIE | SHEAR, x, y)
    columns = []
    for dx, dy in ((step, 0), (0, step)):
        ahead = lens_fields(model, SIE | SHEAR, x + dx, y + dy)
        behind = lens_fields(model, SIE | SHEAR, x - dx, y - dy)
        columns.append(
            [(ahead.alpha_x - behind.alpha_x) / (2 * step),
             (ahead.alpha_y - behind.alpha_y) / (2 * step)]
        )  # fmt: skip
    jacobian = np.eye(2) - np.array(columns).transpose(2, 1, 0)
    eigenvalues = np.linalg.eigvalsh(0.5 * (jacobian + jacobian.transpose(0, 2, 1)))
    np.testing.assert_allclose(eigenvalues[:, 0], fields.tangential, atol=1e-6)
    np.testing.assert_allclose(eigenvalues[:, 1], fields.radial, atol=1e-6)


def test_samples_have_their_own_axis(model):
    x, y = np.meshgrid(np.linspace(-1, 1, 4), np.linspace(-1, 1, 3))
    params = {name: np.array([value, 0.9 * value]) for name, value in (SIE | SHEAR).items()}
    both = lens_fields(model, params, x, y)
    assert both.kappa.shape == (2, 3, 4)
    second = lens_fields(model, {n: v[1] for n, v in params.items()}, x, y)
    assert second.kappa.shape == (3, 4)
    np.testing.assert_allclose(both.kappa[1], second.kappa, rtol=1e-12)


def test_a_uniform_field_has_no_gradient():
    fields = lens_fields(
        load_plugins().lens_models.resolve("shear"), SHEAR, np.zeros(3), np.arange(3.0)
    )
    np.testing.assert_allclose(fields.kappa, 0, atol=1e-12)
    np.testing.assert_allclose(fields.gamma1, 0.05, rtol=1e-6)


def test_centres_are_listed_once():
    two = {"x0": 0.1, "y0": 0.2, "x0_2": 1.0, "y0_2": -1.0, "x0_3": 0.1, "y0_3": 0.2}
    np.testing.assert_array_equal(lens_centres(two), [[0.1, 0.2], [1.0, -1.0]])
    np.testing.assert_array_equal(lens_centres(SHEAR), [[0.0, 0.0]])

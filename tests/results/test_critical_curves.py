"""Critical curves: all of them, none invented, against closed forms and lenstronomy."""

from __future__ import annotations

import math

import numpy as np
import pytest

from astrorim.plugins import load_plugins
from astrorim.results.critical_curves import find_critical_curves
from astrorim.results.lens_fields import lens_fields

SIE = {"theta_E": 1.3, "e1": 0.15, "e2": -0.1, "x0": 0.03, "y0": -0.02}
SHEAR = {"gamma1": 0.05, "gamma2": -0.08}


def find(name, params):
    return find_critical_curves(load_plugins().lens_models.resolve(name), params)


def kinds(curves):
    return [curve.kind for curve in curves.curves]


@pytest.mark.parametrize("e1", [0.0, 0.1, 0.5])
def test_area_of_an_isothermal_ellipsoid(e1):
    """pi theta_E^2 whatever the axis ratio; a cut, and no radial curve."""
    curves = find("sie", SIE | {"e1": e1})
    assert kinds(curves) == ["tangential"]
    np.testing.assert_allclose(curves.curves[0].area, math.pi * 1.3**2, rtol=1e-4)
    assert [cut.centre for cut in curves.cuts] == [(0.03, -0.02)]
    assert curves.num_open == 0


def test_cut_of_a_sphere_is_its_einstein_ring():
    (cut,) = find("sis", {"theta_E": 0.7, "x0": 0.1, "y0": 0.2}).cuts
    distance = np.hypot(*(cut.caustic - [0.1, 0.2]).T)
    np.testing.assert_allclose(distance, 0.7, atol=2e-4)


@pytest.mark.parametrize("slope", [1.6, 1.9, 1.99])
def test_radial_curve_of_a_shallow_power_law(slope):
    """Of a round lens, in closed form."""
    params = SIE | {"e1": 0.0, "e2": 0.0, "slope": slope}
    curves = find("epl", params)
    assert kinds(curves) == ["tangential", "radial"]
    assert curves.cuts == ()
    t = slope - 1
    np.testing.assert_allclose(curves.tangential[0].radius, 1.3, rtol=1e-4)
    # 1 - d(alpha)/dr = 1 - (1 - t) (theta_E / r)^t
    expected = 1.3 * (1 - t) ** (1 / t)
    np.testing.assert_allclose(curves.radial[0].radius, expected, rtol=1e-4)


@pytest.mark.parametrize(
    "name, params",
    [
        ("epl", SIE | {"slope": 2.3}),
        ("lenstronomy:POINT_MASS", {"theta_E": 1.0, "x0": 0.0, "y0": 0.0}),
    ],
)
def test_steep_centres_invent_nothing(name, params):
    curves = find(name, params)
    assert kinds(curves) == ["tangential"]
    assert curves.cuts == ()


def test_lens_without_mass_has_no_curve():
    assert find("shear", SHEAR).curves == ()


def test_two_galaxies_have_two_curves_and_two_cuts():
    curves = find("sie+sis@2", SIE | {"theta_E_2": 0.3, "x0_2": 3.2, "y0_2": 0.6})
    assert kinds(curves) == ["tangential", "tangential"]
    assert len(curves.cuts) == 2
    assert curves.tangential[1].encloses(3.2, 0.6)
    assert not curves.tangential[1].encloses(0.0, 0.0)


def test_radial_curves_through_a_singular_satellite_are_found():
    """A satellite inside the main critical curve: two lobes that meet at its centre."""
    curves = find("sie+sis@2", SIE | {"theta_E_2": 0.05, "x0_2": 0.9, "y0_2": 0.3})
    assert kinds(curves).count("radial") == 2
    assert curves.num_open == 0


@pytest.mark.parametrize(
    "name, params",
    [
        ("sie+shear", SIE | SHEAR),
        ("sie+nfw+shear", SIE | SHEAR | {"kappa_s": 0.1, "rs": 8.0}),
        ("sie+sis@2", SIE | {"theta_E_2": 0.1, "x0_2": 1.0, "y0_2": 0.6}),
    ],
)
def test_eigenvalue_vanishes_on_every_point(name, params):
    model = load_plugins().lens_models.resolve(name)
    curves = find_critical_curves(model, params)
    assert curves.curves
    for curve in curves.curves:
        at = lens_fields(model, params, *curve.points.T)
        np.testing.assert_allclose(getattr(at, curve.kind), 0, atol=1e-8)
        beta = curve.points - np.stack([at.alpha_x, at.alpha_y], axis=-1)
        np.testing.assert_allclose(curve.caustic, beta, atol=1e-12)


def test_curves_agree_with_lenstronomy():
    """Its contours of a grid of 0.005 arcsec; a cored lens, which has both kinds."""
    from lenstronomy.LensModel.lens_model import LensModel
    from lenstronomy.LensModel.lens_model_extensions import LensModelExtensions

    params = {"theta_E": 1.2, "e1": 0.1, "e2": 0.05, "s_scale": 0.1, "x0": 0.0, "y0": 0.0}
    ours = find("lenstronomy:NIE+shear", params | SHEAR)
    assert kinds(ours) == ["tangential", "radial"]
    reference = LensModelExtensions(LensModel(["NIE", "SHEAR"]))
    keywords = [
        {"theta_E": 1.2, "e1": 0.1, "e2": 0.05, "s_scale": 0.1, "center_x": 0, "center_y": 0},
        SHEAR,
    ]
    x, y, beta_x, beta_y = reference.critical_curve_caustics(
        keywords, compute_window=4, grid_scale=0.005
    )
    assert len(x) == 2
    sizes = [np.hypot(a, b).mean() for a, b in zip(x, y, strict=True)]
    for number, curve in zip(np.argsort(sizes)[::-1], ours.curves, strict=True):
        for own, *other in (
            (curve.points, x[number], y[number]),
            (curve.caustic, beta_x[number], beta_y[number]),
        ):
            theirs = np.stack(other, axis=-1)
            gap = np.hypot(*(theirs[:, None] - own[None]).transpose(2, 0, 1)).min(axis=1)
            assert gap.max() < 0.01


def test_mass_sheet_leaves_curves_and_scales_caustics():
    from astrorim.lensing.mass_sheet import MassSheetTransformed

    model = load_plugins().lens_models.resolve("sie+shear")
    plain = find_critical_curves(model, SIE | SHEAR)
    sheet = find_critical_curves(MassSheetTransformed(model, 0.8), SIE | SHEAR)
    assert kinds(sheet) == kinds(plain)
    np.testing.assert_allclose(sheet.curves[0].area, plain.curves[0].area, rtol=1e-5)
    before, after = (np.ptp(c.curves[0].caustic, axis=0) for c in (plain, sheet))
    np.testing.assert_allclose(after, 0.8 * before, rtol=1e-3)


def test_table_holds_every_point():
    curves = find("sie", SIE)
    table = curves.table()
    assert set(table["kind"]) == {"tangential", "cut"}
    assert len(table) == len(curves.curves[0].points) + len(curves.cuts[0].caustic)
    assert table["source_x"].unit == "arcsec"

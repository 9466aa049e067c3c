"""Profiles, shapes, angles and derived numbers of masses."""

from __future__ import annotations

import math

import astropy.units as u
import numpy as np
import pytest
from astropy.cosmology import FlatLambdaCDM, Planck15, Planck18
from scipy.special import ellipk

from astrorim.grid import ImageGrid
from astrorim.results import MassProfile
from astrorim.results.mass_tables import angular_table, derived_table, radial_table

Z = (0.2803, 0.9818)
COSMOLOGIES = [Planck15, Planck18, FlatLambdaCDM(H0=70, Om0=0.3)]
CENTRE = {"x0": 0.05, "y0": -0.03}
RADII = np.array([0.3, 1.0, 2.5])
ROUND = {"theta_E": 1.2, "e1": 0.0, "e2": 0.0, **CENTRE}


def nfw_mean(radius, kappa_s, rs):
    """Mean convergence of an NFW halo (Bartelmann 1996): 4 kappa_s h(x) / x^2."""
    x = radius / rs
    return 4 * kappa_s * (np.log(x / 2) + np.arccosh(1 / x) / np.sqrt(1 - x**2)) / x**2


Q = (1 - 0.3) / (1 + 0.3)
CLOSED_FORMS = [
    ("sis", {"theta_E": 1.2, **CENTRE}, lambda r: 1.2 / r),
    (
        "sie",
        {"theta_E": 1.2, "e1": 0.3, "e2": 0.0, **CENTRE},
        lambda r: 2 * 1.2 * math.sqrt(Q) / (math.pi * r) * ellipk(1 - Q**2),
    ),
    ("epl", ROUND | {"slope": 2.2}, lambda r: (1.2 / r) ** 1.2),
    ("sis+nfw", {"theta_E": 0.5, "kappa_s": 0.2, "rs": 6.0, **CENTRE},
     lambda r: 0.5 / r + nfw_mean(r, 0.2, 6.0)),
    ("sis+mass-sheet", {"theta_E": 1.2, "kappa_sheet": 0.1, **CENTRE},
     lambda r: 1.2 / r + 0.1),
    ("sis+shear", {"theta_E": 1.2, "gamma1": 0.1, "gamma2": 0.05, **CENTRE},
     lambda r: 1.2 / r),
]  # fmt: skip


# lenstronomy calls a method that astropy 8 deprecates
@pytest.mark.filterwarnings("ignore:Use ``angular_diameter_distance")
@pytest.mark.parametrize("cosmology", COSMOLOGIES, ids=lambda c: c.name or "flat")
@pytest.mark.parametrize("name, params, mean", CLOSED_FORMS, ids=lambda v: str(v)[:12])
def test_masses_agree_with_closed_forms_and_lenstronomy(cosmology, name, params, mean):
    import astropy.constants as const
    from lenstronomy.Cosmo.lens_cosmo import LensCosmo
    from lenstronomy.Util import constants

    profile = MassProfile.from_parameters(name, params, *Z, cosmology=cosmology)
    reference = LensCosmo(*Z, cosmo=cosmology)
    # lenstronomy types an older G and solar mass
    older = constants.G * constants.M_sun / (const.G * const.M_sun).si.value
    expected = math.pi * RADII**2 * mean(RADII) * reference.sigma_crit_angle * older
    mass = profile.enclosed_mass(RADII * u.arcsec)["mass"].to_value(u.Msun)
    np.testing.assert_allclose(mass, expected, rtol=1e-6)
    theta = profile.einstein_radius.to_value(u.arcsec)
    np.testing.assert_allclose(mean(np.array(theta)), 1, rtol=1e-6)
    np.testing.assert_allclose(
        profile.einstein_mass.to_value(u.Msun),
        reference.mass_in_theta_E(theta) * older, rtol=1e-6,
    )  # fmt: skip
    np.testing.assert_allclose(
        profile.sis_velocity_dispersion.to_value(u.km / u.s),
        reference.sis_theta_E2sigma_v(theta), rtol=1e-6,
    )  # fmt: skip
    np.testing.assert_allclose(
        profile.to_kpc(1 * u.arcsec).to_value(u.Mpc), reference.arcsec2phys_lens(1), rtol=1e-6
    )


@pytest.fixture(scope="module")
def profile():
    rng = np.random.default_rng(3)
    params = {"theta_E": 1.3, "e1": 0.12, "e2": 0.09, **CENTRE, "gamma1": 0.04, "gamma2": 0.0}
    samples = {k: v + 0.01 * rng.normal(size=150) for k, v in params.items()}
    return MassProfile.from_parameters("sie+shear", params, *Z, samples=samples)


def test_radial_table(profile):
    table = radial_table(profile, RADII * u.arcsec)
    modulus = math.hypot(0.12, 0.09)
    np.testing.assert_allclose(table["axis_ratio"], (1 - modulus) / (1 + modulus), rtol=1e-6)
    np.testing.assert_allclose(
        table["image_angle"].to_value(u.rad), math.atan2(0.09, 0.12) / 2, rtol=1e-6
    )
    for name in ("convergence", "mean_convergence", "mass", "axis_ratio", "image_angle"):
        assert np.all(table[f"{name}_lower"] < table[name])
        assert np.all(table[name] < table[f"{name}_upper"])
    assert table["radius_kpc"].unit == u.kpc
    assert np.isnan(table["position_angle"]).all()


def test_angular_table_shows_the_shear_in_the_curve_alone(profile):
    table = angular_table(profile)
    kappa = table["convergence"]
    peak = math.degrees(math.atan2(0.09, 0.12) / 2)
    assert abs(table["image_angle"][np.argmax(kappa)].value % 180 - peak) < 2.6
    area = np.sqrt(np.mean(table["critical_radius"] ** 2))
    np.testing.assert_allclose(area.value, profile.critical_curve_radius.value, rtol=1e-6)


def test_derived_quantities_have_bounds_and_definitions(profile):
    table = derived_table(profile)
    assert list(table["row"]) == ["value", "lower", "upper"]
    for name in ("theta_E", "einstein_radius", "critical_curve_radius", "einstein_mass",
                 "sis_velocity_dispersion", "axis_ratio"):  # fmt: skip
        value, lower, upper = table[name]
        assert lower < value < upper, name
        assert table[name].info.description
    width = table["critical_curve_radius"][2] - table["critical_curve_radius"][1]
    assert 0.005 < width.value < 0.05


def test_mass_sheet_changes_the_profile_but_not_the_einstein_mass():
    params = ROUND | {"e1": 0.1}
    plain = MassProfile.from_parameters("sie", params, *Z)
    sheet = MassProfile.from_parameters("sie", params, *Z, mass_sheet=0.8)
    np.testing.assert_allclose(sheet.einstein_mass.value, plain.einstein_mass.value, rtol=1e-10)
    kappa, other = (
        p.convergence_profile(RADII * u.arcsec)["convergence"].value for p in (plain, sheet)
    )
    np.testing.assert_allclose(other, 0.8 * kappa + 0.2, rtol=1e-12)
    with pytest.raises(ValueError, match="lambda must be a positive number, got -1"):
        MassProfile.from_parameters("sie", params, *Z, mass_sheet=-1)


@pytest.mark.parametrize("quarter_turns", range(4))
@pytest.mark.parametrize("mirrored", [False, True])
def test_sky_position_angle_does_not_depend_on_the_frame(make_wcs, quarter_turns, mirrored):
    """The map of the convergence is flipped and turned with its WCS; the sky stays."""
    params = {"theta_E": 1.3, "e1": 0.12, "e2": 0.2, "x0": 0.0, "y0": 0.0}
    wcs = make_wcs(0.6)
    first = derived_table(MassProfile.from_parameters("sie", params, *Z, wcs=wcs))
    expected = first["position_angle"][0].to_value(u.deg)

    image = MassProfile.from_parameters("sie", params, *Z).maps(ImageGrid((60, 60), 0.1))
    kappa = np.minimum(image.convergence, 0.9)
    transform = np.eye(2)
    if mirrored:
        kappa, transform = kappa[:, ::-1], np.diag([-1.0, 1.0])
    kappa = np.rot90(kappa, quarter_turns)
    # numpy turns from the first axis (y, upwards here) to the second (x): clockwise
    c, s = (
        round(math.cos(-quarter_turns * math.pi / 2)),
        round(math.sin(-quarter_turns * math.pi / 2)),
    )
    transform = np.array([[c, -s], [s, c]]) @ transform
    turned = wcs.deepcopy()
    turned.wcs.cd = wcs.wcs.cd @ np.linalg.inv(transform)

    # the axis in the new frame, from the pixels alone
    x, y = ImageGrid((60, 60), 0.1).coordinates()
    weight = np.where(kappa > 0.45, 1.0, 0.0)
    phi = np.angle(np.sum(weight * (x + 1j * y) ** 2)) / 2
    own = math.hypot(0.12, 0.2)
    there = params | {"e1": own * math.cos(2 * phi), "e2": own * math.sin(2 * phi)}
    angles = derived_table(MassProfile.from_parameters("sie", there, *Z, wcs=turned))
    found = angles["position_angle"][0].to_value(u.deg)
    # the pixels of the contour settle the axis to a degree; the frames must agree better
    assert abs((found - expected + 90) % 180 - 90) < 1.5

    exact = transform @ [
        math.cos(math.atan2(0.2, 0.12) / 2),
        math.sin(math.atan2(0.2, 0.12) / 2),
    ]
    phi = math.atan2(exact[1], exact[0])
    there = params | {"e1": own * math.cos(2 * phi), "e2": own * math.sin(2 * phi)}
    angles = derived_table(MassProfile.from_parameters("sie", there, *Z, wcs=turned))
    found = angles["position_angle"][0].to_value(u.deg)
    assert abs((found - expected + 90) % 180 - 90) < 0.1

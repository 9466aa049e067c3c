"""Einstein radii and masses against an independent code and closed forms."""

from __future__ import annotations

import math

import astropy.units as u
import numpy as np
import pytest
from astropy.cosmology import FlatLambdaCDM, Planck18

from astrorim.cosmology import critical_surface_density
from astrorim.results import MassProfile

SIE = {"theta_E": 1.3, "e1": 0.25, "e2": 0.0, "x0": 0.05, "y0": -0.03}
SHEAR = {"gamma1": 0.04, "gamma2": -0.03}
Z = (0.2803, 0.9818)
COSMOLOGIES = ["Planck15", "WMAP9", FlatLambdaCDM(H0=67.4, Om0=0.315)]


def test_round_lens_in_closed_form():
    """A singular isothermal sphere: every radius is theta_E, the local kappa there is 1/2."""
    round_lens = SIE | {"e1": 0.0, "theta_E": 1.0}
    profile = MassProfile.from_parameters("sie", round_lens, *Z)
    np.testing.assert_allclose(profile.einstein_radius.to_value(u.arcsec), 1, rtol=1e-10)
    np.testing.assert_allclose(profile.critical_curve_radius.to_value(u.arcsec), 1, rtol=1e-9)
    radii = [0.5, 1.0, 2.0] * u.arcsec
    table = profile.convergence_profile(radii)
    np.testing.assert_allclose(table["convergence"].value, [1.0, 0.5, 0.25], rtol=1e-9)
    mass = profile.enclosed_mass(radii)["mass"]
    np.testing.assert_allclose(
        (mass / profile.einstein_mass).to_value(u.one), radii.value, rtol=1e-9
    )


# lenstronomy calls a method that astropy 8 deprecates
@pytest.mark.filterwarnings("ignore:Use ``angular_diameter_distance")
@pytest.mark.parametrize("cosmology", COSMOLOGIES)
def test_mass_of_a_round_lens_agrees_with_lenstronomy(cosmology):
    import astropy.constants as const
    from lenstronomy.Cosmo.lens_cosmo import LensCosmo
    from lenstronomy.Util import constants

    from astrorim.cosmology import resolve_cosmology

    round_lens = SIE | {"e1": 0.0}
    profile = MassProfile.from_parameters("sie", round_lens, *Z, cosmology=cosmology)
    reference = LensCosmo(*Z, cosmo=resolve_cosmology(cosmology))
    expected = reference.mass_in_theta_E(1.3)
    # lenstronomy types an older G and solar mass; their product is known far better
    expected *= constants.G * constants.M_sun / (const.G * const.M_sun).si.value
    np.testing.assert_allclose(profile.einstein_mass.to_value(u.Msun), expected, rtol=1e-6)


def test_elliptical_lens_agrees_with_lenstronomy():
    """Circular aperture with mean convergence 1, by brute force on a fine grid."""
    from lenstronomy.LensModel.lens_model import LensModel

    profile = MassProfile.from_parameters("sie+shear", SIE | SHEAR, *Z)
    radius = profile.einstein_radius.to_value(u.arcsec)
    model = LensModel(["SIE"])
    keywords = {"theta_E": 1.3, "e1": 0.25, "e2": 0.0, "center_x": 0.05, "center_y": -0.03}
    r = (np.arange(400) + 0.5) / 400 * radius
    phi = 2 * np.pi * (np.arange(400) + 0.5) / 400
    rr, pp = np.meshgrid(r, phi)
    kappa = model.kappa(0.05 + rr * np.cos(pp), -0.03 + rr * np.sin(pp), [keywords])
    mean = (kappa * rr).mean() * 2 / radius
    np.testing.assert_allclose(mean, 1.0, rtol=1e-6)
    # the value that a published grid estimate of this lens gives
    np.testing.assert_allclose(radius, 1.2791, atol=2e-4)


def test_critical_curve_of_an_isothermal_ellipsoid_encloses_theta_e():
    """Its area is pi theta_E^2 whatever the axis ratio (Kormann et al. 1994, section 3)."""
    for e1 in (0.0, 0.1, 0.4):
        profile = MassProfile.from_parameters("sie", SIE | {"e1": e1}, *Z)
        np.testing.assert_allclose(
            profile.critical_curve_radius.to_value(u.arcsec), 1.3, rtol=1e-8
        )


def test_shear_has_no_mass():
    alone = MassProfile.from_parameters("sie", SIE, *Z)
    sheared = MassProfile.from_parameters("sie+shear", SIE | SHEAR, *Z)
    np.testing.assert_allclose(
        sheared.einstein_radius.value, alone.einstein_radius.value, rtol=1e-12
    )


def test_mass_by_hand():
    """M = pi (theta D_l)^2 Sigma_crit with theta in radians."""
    profile = MassProfile.from_parameters("sie", SIE, *Z, cosmology=Planck18)
    theta = profile.einstein_radius.to_value(u.rad)
    length = theta * Planck18.angular_diameter_distance(Z[0])
    expected = math.pi * length**2 * critical_surface_density(*Z, Planck18)
    assert profile.critical_surface_density == critical_surface_density(*Z, Planck18)
    np.testing.assert_allclose(
        profile.einstein_mass.to_value(u.Msun), expected.to_value(u.Msun), rtol=1e-12
    )
    assert profile.einstein_mass.unit == u.Msun


def test_bounds_follow_the_samples(rng):
    """One free parameter, of which the radius is proportional: known bounds."""
    samples = {"theta_E": 1.3 + 0.05 * rng.normal(size=500)}
    profile = MassProfile.from_parameters("sie", SIE, *Z, samples=samples)
    ratio = profile.einstein_radius / (1.3 * u.arcsec)
    expected = np.quantile(samples["theta_E"], [0.16, 0.84]) * ratio * u.arcsec
    np.testing.assert_allclose(profile.einstein_radius_bounds.value, expected.value, rtol=1e-10)
    lower, upper = profile.einstein_mass_bounds
    assert lower < profile.einstein_mass < upper
    np.testing.assert_allclose(
        (lower / profile.einstein_mass).value,
        (profile.einstein_radius_bounds[0] / profile.einstein_radius).value ** 2,
        rtol=1e-12,
    )
    band = profile.convergence_profile([1.0] * u.arcsec)
    assert band["convergence_lower"] < band["convergence"] < band["convergence_upper"]


def test_no_samples_no_bounds():
    profile = MassProfile.from_parameters("sie", SIE, *Z)
    assert np.isnan(profile.einstein_radius_bounds).all()
    assert np.isnan(profile.enclosed_mass(1 * u.arcsec)["mass_lower"]).all()


def test_from_reconstruction(reconstruction):
    profile = MassProfile.from_reconstruction(reconstruction, cosmology="Planck15")
    lower, upper = profile.einstein_radius_bounds
    assert lower < profile.einstein_radius < upper
    np.testing.assert_allclose(profile.einstein_radius.to_value(u.arcsec), 1.25, rtol=0.02)
    assert profile.name == reconstruction.name
    assert (profile.z_lens, profile.z_source) == Z


def test_missing_redshifts_are_asked_for(make_reconstruction):
    result = make_reconstruction()
    result.observation.z_source = None
    with pytest.raises(ValueError, match="z_source must be a redshift, got None; give it"):
        MassProfile.from_reconstruction(result)
    profile = MassProfile.from_reconstruction(result, z_source=2.0)
    assert profile.z_source == 2.0


@pytest.mark.parametrize(
    "arguments, message",
    [
        (("sie", SIE, 0.9, 0.3), "z_source must exceed z_lens"),
        (("sie", {"theta_E": 1.0}, *Z), "must include e1, e2, x0, y0, got theta_E"),
        (("shear", SHEAR, *Z), "mean convergence of 'shear' must cross 1"),
    ],
)
def test_what_has_no_mass_profile_is_refused(arguments, message):
    with pytest.raises(ValueError, match=message):
        MassProfile.from_parameters(*arguments)


def test_radii_must_be_positive_angles():
    profile = MassProfile.from_parameters("sie", SIE, *Z)
    with pytest.raises(ValueError, match="radii must be a list of positive angles"):
        profile.enclosed_mass([0.0, 1.0] * u.arcsec)
    with pytest.raises(u.UnitConversionError, match="not convertible"):
        profile.enclosed_mass([1.0] * u.kpc)


def test_quantities_are_converted():
    in_degrees = SIE | {"theta_E": (1.3 * u.arcsec).to(u.deg)}
    profile = MassProfile.from_parameters("sie", in_degrees, *Z)
    np.testing.assert_allclose(profile.lens["theta_E"], 1.3, rtol=1e-12)


@pytest.mark.parametrize("cosmology", ["Planck18", FlatLambdaCDM(H0=70, Om0=0.3)])
def test_round_trip(tmp_path, rng, cosmology):
    samples = {"theta_E": 1.3 + 0.01 * rng.normal(size=20)}
    profile = MassProfile.from_parameters(
        "sie+shear", SIE | SHEAR, *Z, cosmology=cosmology, samples=samples, name="J1"
    )
    back = MassProfile.read(profile.write(tmp_path / "mass.asdf"))
    assert (back.name, back.lens_model, back.lens) == ("J1", "sie+shear", profile.lens)
    assert (back.z_lens, back.z_source) == Z
    assert back.cosmology == profile.cosmology
    assert back.einstein_radius == profile.einstein_radius
    assert back.critical_curve_radius == profile.critical_curve_radius
    assert back.einstein_mass == profile.einstein_mass
    np.testing.assert_array_equal(back.samples["theta_E"], samples["theta_E"])
    np.testing.assert_array_equal(back.einstein_radius_samples, profile.einstein_radius_samples)
    assert repr(back) == repr(profile)

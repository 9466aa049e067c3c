"""Distances and halos against astropy's and lenstronomy's."""

from __future__ import annotations

import astropy.cosmology
import numpy as np
import pytest
import torch
from astropy import constants
from astropy import units as u
from lenstronomy.Cosmo.lens_cosmo import LensCosmo
from lenstronomy.Util import constants as theirs

from astrorim.cosmology import lensing_distances
from astrorim.exceptions import UnknownNameError
from astrorim_plugins.simulators.distances import Distances

COSMOLOGIES = {
    "Planck15": "Planck15",
    "WMAP9": "WMAP9",
    "open": astropy.cosmology.LambdaCDM(H0=70, Om0=0.3, Ode0=0.5),
    "closed": astropy.cosmology.LambdaCDM(H0=70, Om0=0.4, Ode0=0.8),
}

LENSTRONOMY = pytest.mark.filterwarnings("ignore:Use ``angular_diameter_distance")
"""Its distances are asked for by a name that astropy is about to drop."""

PAIRS = [(0.15, 0.6), (0.3, 0.4), (0.25, 3.0), (0.7, 0.9), (0.9, 0.95), (0.9, 3.5), (1.5, 4.0)]
"""Redshifts of lens and source."""


@pytest.fixture(params=COSMOLOGIES.values(), ids=COSMOLOGIES)
def cosmology(request):
    return request.param


@pytest.fixture
def redshifts():
    return torch.tensor(PAIRS, dtype=torch.float64).T


def test_distances_are_those_of_astropy(cosmology, redshifts):
    """Linear between 8193 redshifts."""
    ours = Distances(cosmology)
    expected = [lensing_distances(*pair, cosmology) for pair in PAIRS]
    zero = torch.zeros_like(redshifts[0])
    for name, near, far in (
        ("lens", zero, redshifts[0]),
        ("source", zero, redshifts[1]),
        ("lens_to_source", redshifts[0], redshifts[1]),
    ):
        megaparsecs = [getattr(d, name).to_value(u.Mpc) for d in expected]
        np.testing.assert_allclose(
            ours.angular_diameter(near, far).numpy(), megaparsecs, rtol=1e-6, err_msg=name
        )


def test_einstein_radii_are_those_of_the_closed_form(cosmology, redshifts):
    sigma = torch.linspace(80, 380, len(PAIRS), dtype=torch.float64)
    distances = [lensing_distances(*pair, cosmology) for pair in PAIRS]
    ratio = np.array([float(d.lens_to_source / d.source) for d in distances])
    speed = (sigma.numpy() * u.km / u.s / constants.c).to_value(u.dimensionless_unscaled)
    expected = (4 * np.pi * speed**2 * ratio * u.rad).to_value(u.arcsec)
    ours = Distances(cosmology).einstein_radius(sigma, *redshifts)
    np.testing.assert_allclose(ours.numpy(), expected, rtol=1e-6)


@LENSTRONOMY
def test_einstein_radii_are_those_of_lenstronomy(redshifts):
    sigma = torch.linspace(80, 380, len(PAIRS), dtype=torch.float64)
    expected = [
        LensCosmo(z_lens, z_source, cosmo=astropy.cosmology.Planck15).sis_sigma_v2theta_E(s)
        for (z_lens, z_source), s in zip(PAIRS, sigma.tolist(), strict=True)
    ]
    ours = Distances().einstein_radius(sigma, *redshifts)
    np.testing.assert_allclose(ours.numpy(), expected, rtol=1e-6)


@LENSTRONOMY
@pytest.mark.parametrize("name", ["Planck15", "WMAP9"])
def test_halos_are_those_of_lenstronomy(name, redshifts):
    """Its solar mass is 2.8e-4 heavier than astropy's, by G M."""
    cosmology = getattr(astropy.cosmology, name)
    mass = 10 ** torch.linspace(13, 14.5, len(PAIRS), dtype=torch.float64)
    concentration = 5 * (mass / 1e14) ** -0.1
    kappa_s, rs = Distances(name).halo(mass, concentration, *redshifts)
    deflection = 4 * kappa_s * rs * (1 - np.log(2))
    heavier = theirs.G * theirs.M_sun / constants.GM_sun.to_value(u.m**3 / u.s**2)
    expected = [
        LensCosmo(z_lens, z_source, cosmo=cosmology).nfw_physical2angle(M=m, c=c)
        for (z_lens, z_source), m, c in zip(
            PAIRS, mass.tolist(), concentration.tolist(), strict=True
        )
    ]
    np.testing.assert_allclose(
        torch.stack([rs, deflection * heavier], dim=1).numpy(), expected, rtol=1e-5
    )


def test_halos_hold_their_mass_inside_their_radius():
    """200 times the critical density, by the definition alone."""
    cosmology = astropy.cosmology.Planck15
    mass, c, z_lens, z_source = (
        torch.tensor([x], dtype=torch.float64) for x in (1e14, 5.0, 0.5, 2.0)
    )
    kappa_s, rs = Distances().halo(mass, c, z_lens, z_source)
    lens = lensing_distances(0.5, 2.0, cosmology)
    density = constants.c**2 / (4 * np.pi * constants.G)
    critical = density * lens.source / (lens.lens * lens.lens_to_source)
    scale = (float(rs) * u.arcsec).to_value(u.rad) * lens.lens
    rho = float(kappa_s) * critical / scale
    inside = 4 * np.pi * rho * scale**3 * (np.log1p(5) - 5 / 6)
    np.testing.assert_allclose(inside.to_value(u.Msun), 1e14, rtol=1e-6)
    volume = 4 / 3 * np.pi * (5 * scale) ** 3
    mean = (inside / volume / cosmology.critical_density(0.5)).to_value("")
    np.testing.assert_allclose(mean, 200, rtol=1e-6)


def test_a_table_of_another_dtype_follows_the_redshifts():
    redshift = torch.tensor([0.5], dtype=torch.float32)
    assert Distances().angular_diameter(0 * redshift, redshift).dtype == torch.float32


def test_cosmologies_have_their_names():
    assert Distances("WMAP9").name == "WMAP9"
    assert Distances(astropy.cosmology.FlatLambdaCDM(H0=70, Om0=0.3)).name == "custom"


def test_an_unknown_cosmology_is_refused():
    with pytest.raises(UnknownNameError, match="Planck14"):
        Distances("Planck14")

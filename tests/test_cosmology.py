"""Distances, critical surface density and masses."""

from __future__ import annotations

import astropy.constants as const
import astropy.cosmology
import astropy.units as u
import numpy as np
import pytest
from astropy.cosmology import FlatLambdaCDM, Planck18, w0waCDM

from astrorim.cosmology import (
    check_redshifts,
    critical_surface_density,
    lensing_distances,
    mass_inside,
    resolve_cosmology,
)
from astrorim.exceptions import UnknownNameError

CASES = [
    ("Planck15", 0.2803, 0.9818),
    ("WMAP9", 0.05, 0.3),
    (FlatLambdaCDM(H0=70, Om0=0.3), 0.8, 6.0),
    (w0waCDM(H0=72, Om0=0.28, Ode0=0.75, w0=-0.9, wa=0.1), 0.5, 1.5),
]


# lenstronomy calls a method that astropy 8 deprecates
@pytest.mark.filterwarnings("ignore:Use ``angular_diameter_distance")
@pytest.mark.parametrize("cosmology, z_lens, z_source", CASES)
def test_agrees_with_lenstronomy(cosmology, z_lens, z_source):
    """Distances and Sigma_crit are those of an independent code."""
    from lenstronomy.Cosmo.lens_cosmo import LensCosmo
    from lenstronomy.Util import constants

    # lenstronomy types an older G and solar mass; their product is known far better
    scale = constants.G * constants.M_sun / (const.G * const.M_sun).si.value
    reference = LensCosmo(z_lens, z_source, cosmo=resolve_cosmology(cosmology))
    distances = lensing_distances(z_lens, z_source, cosmology)
    np.testing.assert_allclose(distances.lens.to_value(u.Mpc), reference.dd, rtol=1e-9)
    np.testing.assert_allclose(distances.source.to_value(u.Mpc), reference.ds, rtol=1e-9)
    np.testing.assert_allclose(
        distances.lens_to_source.to_value(u.Mpc), reference.dds, rtol=1e-9
    )
    density = critical_surface_density(z_lens, z_source, cosmology)
    np.testing.assert_allclose(
        density.to_value(u.Msun / u.Mpc**2), reference.sigma_crit * scale, rtol=1e-6
    )
    mass = mass_inside(
        1.3 * u.arcsec, 1.0, z_lens=z_lens, z_source=z_source, cosmology=cosmology
    )
    expected = (
        scale * reference.sigma_crit * np.pi * (1.3 * u.arcsec.to(u.rad) * reference.dd) ** 2
    )
    np.testing.assert_allclose(mass.to_value(u.Msun), expected, rtol=1e-6)


def test_published_mass():
    """The Einstein mass of a 1.63 arcsec ring at z = 0.295, 0.654 is 6.08e11 Msun."""
    mass = mass_inside(1.63 * u.arcsec, 1.0, z_lens=0.295, z_source=0.654, cosmology=Planck18)
    np.testing.assert_allclose(mass.to_value(u.Msun), 6.0836e11, rtol=1e-4)


def test_every_astropy_cosmology_by_name():
    for name in astropy.cosmology.available:
        assert resolve_cosmology(name).name == name


def test_object_is_returned_as_it_is():
    assert resolve_cosmology(Planck18) is Planck18


def test_flat_from_numbers():
    cosmology = resolve_cosmology("FlatLambdaCDM", H0=67.4 * u.km / u.s / u.Mpc, Om0=0.315)
    assert 67.4 * u.km / u.s / u.Mpc == cosmology.H0
    assert cosmology.Om0 == 0.315


class _OldCosmology(FlatLambdaCDM):
    """Has the two methods that astropy 7 has."""

    def angular_diameter_distance(self, z):
        return super().angular_diameter_distance(z)

    def angular_diameter_distance_z1z2(self, z1, z2):
        return super().angular_diameter_distance(z1, z2)


@pytest.mark.skipif(
    int(astropy.__version__.split(".")[0]) < 8, reason="astropy 7 has the old methods itself"
)
def test_two_redshift_distance_of_older_astropy():
    old = _OldCosmology(H0=70, Om0=0.3)
    new = FlatLambdaCDM(H0=70, Om0=0.3)
    assert lensing_distances(0.5, 2.0, old) == lensing_distances(0.5, 2.0, new)


@pytest.mark.parametrize(
    "z_lens, z_source, message",
    [
        (0.98, 0.28, r"z_source must exceed z_lens .* got z_lens=0.98, z_source=0.28"),
        (0.5, 0.5, "z_source must exceed z_lens"),
        (0.0, 0.5, "z_lens must be positive"),
        (None, 0.5, "z_lens must be a redshift, got None"),
        (0.5, float("nan"), "z_source must be a redshift, got nan"),
    ],
)
def test_impossible_redshifts_are_refused(z_lens, z_source, message):
    with pytest.raises(ValueError, match=message):
        check_redshifts(z_lens, z_source)


def test_unknown_name_lists_the_known():
    with pytest.raises(UnknownNameError, match=r"unknown cosmology 'Planck99'; .*Planck18"):
        resolve_cosmology("Planck99")


@pytest.mark.parametrize(
    "arguments, error, message",
    [
        ({"cosmology": "FlatLambdaCDM", "H0": 70}, ValueError, "both H0 and Om0"),
        ({"cosmology": "Planck15", "H0": 70}, ValueError, "must come with cosmology="),
        ({"cosmology": Planck18, "Om0": 0.3}, ValueError, "must be left out"),
        ({"cosmology": "FlatLambdaCDM", "H0": -1, "Om0": 0.3}, ValueError, "H0 must be pos"),
        ({"cosmology": 70.0}, TypeError, "got float"),
    ],
)
def test_impossible_cosmologies_are_refused(arguments, error, message):
    with pytest.raises(error, match=message):
        resolve_cosmology(**arguments)

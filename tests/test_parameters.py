"""Declarations of parameters are checked, and sets find them by name."""

from __future__ import annotations

import astropy.units as u
import numpy as np
import pytest

from astrorim.parameters import Parameter, ParameterSet


def declare(name="theta_E", **changes):
    options = {
        "symbol": r"\theta_E",
        "unit": u.arcsec,
        "support": (0.0, np.inf),
        "prior": (0.3, 2.5),
        "description": "Einstein radius",
    }
    return Parameter(name, **(options | changes))


def test_fits_keyword_is_derived_from_the_name():
    assert declare().fits_key == "THETAE"
    assert declare("half_light_radius").fits_key == "HALFLIGH"
    assert declare(fits_key="RE").fits_key == "RE"


def test_renaming_derives_the_keyword_anew():
    parameter = declare(fits_key="RE").renamed("theta_E_2")
    assert (parameter.name, parameter.fits_key) == ("theta_E_2", "THETAE2")
    assert parameter.prior == (0.3, 2.5)


@pytest.mark.parametrize(
    ("name", "renamed", "key"),
    [
        ("theta_E", "theta_E_sub1", "THETSUB1"),
        ("kappa_s", "kappa_s_halo", "KAPPHALO"),
        ("gamma1", "gamma1_second", "G1SECOND"),
        ("e2", "e2_companion", "E2COMPAN"),
        ("x0", "light_x0", "LIGHTX0"),
    ],
)
def test_a_label_stays_in_the_keyword(name, renamed, key):
    assert declare(name).renamed(renamed).fits_key == key


def test_keywords_of_a_set_are_unique():
    names = ["half_light_radius", "half_light_other", "half_lights", "e1"]
    keys = [parameter.fits_key for parameter in ParameterSet(tuple(map(declare, names)))]
    assert keys == ["HALFLIGH", "HALFLIG2", "HALFLIG3", "E1"]


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"name": "theta E"}, "must be an identifier, got 'theta E'"),
        (
            {"prior": (2.0, 1.0)},
            r"prior of 'theta_E' must be \(low, high\).*got \(2\.0, 1\.0\)",
        ),
        ({"support": (1.0, 1.0)}, "support of 'theta_E' must be"),
        ({"prior": (-1.0, 1.0)}, r"must lie inside its support .*got \(-1\.0, 1\.0\)"),
        ({"support": (0.0, 2.0)}, "must lie inside its support"),
        ({"prior": (np.nan, 1.0)}, "prior of 'theta_E' must be"),
        ({"fits_key": "EINSTEINR"}, "at most 8 characters, got 'EINSTEINR'"),
    ],
)
def test_wrong_declarations_are_refused(changes, message):
    with pytest.raises(ValueError, match=message):
        declare(**changes)


def test_parameters_are_immutable():
    with pytest.raises(AttributeError, match="cannot assign"):
        declare().name = "b"


def test_prior_interval_is_central():
    low, high = declare(prior=(1.0, 2.0)).prior_interval(0.68)
    np.testing.assert_allclose((low, high), (1.16, 1.84), rtol=1e-14)


@pytest.mark.parametrize("level", [0, 1, 68])
def test_prior_interval_needs_a_fraction(level):
    with pytest.raises(ValueError, match=f"between 0 and 1, got {level}"):
        declare().prior_interval(level)


@pytest.mark.parametrize(
    ("value", "inside"),
    [(0.0, True), (1e9, True), (-1e-9, False), (np.inf, False), (np.nan, False)],
)
def test_contains_is_the_closed_support(value, inside):
    assert declare().contains(value) is inside


@pytest.fixture
def both():
    return ParameterSet([declare(), declare("x0", support=(-9.0, 9.0), prior=(-1.0, 1.0))])


def test_sets_keep_their_order(both):
    assert both.names == ("theta_E", "x0")
    assert len(both) == 2
    assert [parameter.name for parameter in both] == ["theta_E", "x0"]
    assert both[1].name == "x0"
    assert [parameter.name for parameter in both[:1]] == ["theta_E"]


def test_sets_find_by_name(both):
    assert both.index_of("x0") == 1
    assert both.by_name("theta_E") == declare()
    assert "x0" in both
    assert declare() in both
    assert "y0" not in both


def test_unknown_names_are_answered_with_those_that_exist(both):
    with pytest.raises(KeyError, match="no parameter 'y0'; available: theta_E, x0"):
        both.by_name("y0")


def test_names_must_be_unique():
    with pytest.raises(ValueError, match="must be unique, got twice: theta_E"):
        ParameterSet([declare(), declare()])


def test_sets_are_values(both):
    assert both == ParameterSet(tuple(both))
    assert hash(both) == hash(ParameterSet(tuple(both)))

"""Errors can be caught by family, by AstroRIM's base and by Python's own kinds."""

from __future__ import annotations

import pickle

import pytest
from astropy.utils.exceptions import AstropyUserWarning

from astrorim import exceptions


@pytest.mark.parametrize("name", [n for n in exceptions.__all__ if n.endswith("Error")])
def test_errors_share_one_base(name):
    assert issubclass(getattr(exceptions, name), exceptions.AstroRIMError)


@pytest.mark.parametrize("name", ["ObservationError", "SimulationError", "CheckpointError"])
def test_faulty_values_are_value_errors(name):
    assert issubclass(getattr(exceptions, name), ValueError)


@pytest.mark.parametrize("name", [n for n in exceptions.__all__ if n.endswith("Warning")])
def test_warnings_are_astropys(name):
    assert issubclass(getattr(exceptions, name), AstropyUserWarning)


def test_unknown_names_list_what_exists():
    with pytest.raises(
        LookupError, match="unknown lens model 'sei'; available: nfw, sie"
    ) as caught:
        raise exceptions.UnknownNameError("lens model", "sei", {"sie", "nfw"})
    assert (caught.value.kind, caught.value.name) == ("lens model", "sei")


def test_unknown_names_where_nothing_exists():
    error = exceptions.UnknownNameError("PSF", "airy", ())
    assert str(error) == "unknown PSF 'airy'; available: none"


def test_unknown_names_travel_between_processes():
    error = pickle.loads(pickle.dumps(exceptions.UnknownNameError("PSF", "airy", ["moffat"])))
    assert str(error) == "unknown PSF 'airy'; available: moffat"
    assert error.kind == "PSF"

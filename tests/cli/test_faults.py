"""Faults of files are told from those of the program."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from astropy.io import fits

from astrorim.cli.faults import is_internal
from astrorim.exceptions import ObservationError


def own_value_error():
    raise ValueError("the source must lie behind the lens")


def arrays_that_do_not_fit():
    return np.zeros(3) + np.zeros(4)


def numpy_on_purpose():
    np.linalg.inv(np.zeros((2, 2)))


def cut_off_fits(path):
    fits.PrimaryHDU(np.zeros((90, 90))).writeto(path)
    path.write_bytes(path.read_bytes()[:5000])
    return fits.getdata(path)


@pytest.mark.filterwarnings("ignore:File may have been truncated")
@pytest.mark.parametrize(
    "raises, internal",
    [
        (own_value_error, False),
        (lambda: (_ for _ in ()).throw(ObservationError("no PSF")), False),
        (Path("/nowhere/at/all").read_bytes, False),
        (lambda: json.loads("{"), False),
        (lambda: 1 / 0, True),
        (lambda: None.shape, True),
        (lambda: {}["theta_E"], True),
        (arrays_that_do_not_fit, True),
        (numpy_on_purpose, True),
    ],
)
def test_faults_of_files_and_of_the_program_are_told_apart(raises, internal):
    with pytest.raises(Exception, match=".") as caught:
        raises()
    assert is_internal(caught.value) == internal


@pytest.mark.filterwarnings("ignore:File may have been truncated")
def test_whatever_a_reader_raises_is_the_files_fault(tmp_path):
    with pytest.raises((OSError, TypeError, ValueError), match=".") as caught:
        cut_off_fits(tmp_path / "a.fits")
    assert not is_internal(caught.value)

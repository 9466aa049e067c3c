"""Observations come back from ASDF, whatever the file is called."""

from __future__ import annotations

import subprocess
import sys

import asdf
import numpy as np
import pytest

from astrorim.exceptions import ObservationError
from astrorim.observation import LensObservation, read_asdf, write_asdf


def test_round_trip(make_observation, tmp_path):
    observation = make_observation()
    write_asdf(observation, tmp_path / "lens.asdf")
    result = read_asdf(tmp_path / "lens.asdf")
    assert type(result) is LensObservation
    np.testing.assert_array_equal(result.data, observation.data)
    np.testing.assert_array_equal(result.psf, observation.psf)
    assert result.name == observation.name


def test_format_is_recognised_by_content(make_observation, tmp_path):
    make_observation().write(tmp_path / "lens", format="astrorim.asdf")
    assert LensObservation.read(tmp_path / "lens").band == "F814W"


def test_observation_under_another_key(make_observation, tmp_path):
    asdf.AsdfFile({"first": 1, "mine": make_observation()}).write_to(tmp_path / "lens.asdf")
    assert LensObservation.read(tmp_path / "lens.asdf").band == "F814W"


def test_nothing_is_overwritten_unasked(make_observation, tmp_path):
    write_asdf(make_observation(), tmp_path / "lens.asdf")
    with pytest.raises(FileExistsError, match="overwrite=True"):
        make_observation().write(tmp_path / "lens.asdf")
    make_observation().write(tmp_path / "lens.asdf", overwrite=True)
    assert [path.name for path in tmp_path.iterdir()] == ["lens.asdf"]


def test_a_file_without_observation_says_what_it_holds(tmp_path):
    asdf.AsdfFile({"table": [1, 2]}).write_to(tmp_path / "other.asdf")
    with pytest.raises(ObservationError, match=r"must hold an observation, got table \(list\)"):
        LensObservation.read(tmp_path / "other.asdf")


def test_missing_file(tmp_path):
    with pytest.raises(ObservationError, match="there is no file"):
        read_asdf(tmp_path / "lens.asdf")


def test_reading_finds_the_extensions_of_asdf_once(make_observation, tmp_path):
    """Also in a process that wrote nothing before."""
    path = tmp_path / "lens.asdf"
    make_observation().write(path)
    code = """
import gc, sys
from astrorim.observation.asdf_files import read_asdf

def extensions():
    gc.collect()
    return sum(type(o).__name__ == "ExtensionProxy" for o in gc.get_objects())

read_asdf(sys.argv[1])
first = extensions()
read_asdf(sys.argv[1])
print(first, extensions())
"""
    found = subprocess.run(
        [sys.executable, "-c", code, str(path)], capture_output=True, text=True, check=True
    )
    first, second = map(int, found.stdout.split())
    assert 0 < first == second

"""Files come in through one door and never appear half written."""

from __future__ import annotations

import pytest
from astropy.io import registry
from astropy.nddata import CCDData

from astrorim.exceptions import ObservationError
from astrorim.observation import LensObservation
from astrorim.observation.unified_io import replacing


def test_formats_are_registered():
    table = registry.get_formats(LensObservation)
    assert {"fits", "astrorim.asdf"} <= set(table["Format"])


def test_ccddata_reads_its_own_class(make_observation, tmp_path):
    make_observation().write(tmp_path / "lens.fits")
    assert type(CCDData.read(tmp_path / "lens.fits")) is CCDData


def test_help_lists_the_options(capsys):
    LensObservation.read.help("fits")
    assert "pixel_scale" in capsys.readouterr().out


def test_home_directory_is_understood(make_observation, tmp_path, monkeypatch):
    monkeypatch.setenv("HOME", str(tmp_path))
    make_observation().write(tmp_path / "lens.fits")
    assert LensObservation.read("~/lens.fits").band == "F814W"


def test_unknown_format_lists_those_that_exist(tmp_path):
    path = tmp_path / "image.txt"
    path.write_text("1 2 3")
    with pytest.raises(ObservationError, match="one of the formats astrorim.asdf, fits, but"):
        LensObservation.read(path)


def fail_halfway(path, *, overwrite):
    with replacing(path, overwrite=overwrite) as temporary:
        temporary.write_text("half")
        raise RuntimeError("disk full")


def test_a_failed_write_leaves_nothing(tmp_path):
    with pytest.raises(RuntimeError, match="disk full"):
        fail_halfway(tmp_path / "lens.fits", overwrite=False)
    assert list(tmp_path.iterdir()) == []


def test_a_failed_write_keeps_the_old_file(tmp_path):
    path = tmp_path / "lens.fits"
    path.write_text("old")
    with pytest.raises(RuntimeError, match="disk full"):
        fail_halfway(path, overwrite=True)
    assert path.read_text() == "old"
    assert [each.name for each in tmp_path.iterdir()] == ["lens.fits"]

from __future__ import annotations

import shutil

import numpy as np
import pytest
from astropy.table import QTable

from astrorim.exceptions import SimulationError
from astrorim.interchange import simulated_lenses
from astrorim.interchange.simulated_catalogue import catalogue_name
from astrorim.interchange.simulated_lenses import (
    LENS_FORMATS,
    finished_pairs,
    measured_size,
    write_asdf,
    write_pairs,
)

SEED = 9
CATALOGUE = catalogue_name()


@pytest.fixture(scope="module")
def written(simulated, tmp_path_factory):
    directory = tmp_path_factory.mktemp("pairs")
    write_pairs(simulated, directory)
    return directory


def contents(directory):
    return {path.name: path.read_bytes() for path in directory.iterdir()}


def test_the_catalogue_names_the_files(simulated, written, tmp_path):
    table = QTable.read(written / CATALOGUE)
    assert list(table["index"]) == [4, 5, 6]
    assert list(table["lensed"]) == [f"lensed_0000{n}.fits" for n in (4, 5, 6)]
    assert table.meta["seed"] == SEED
    write_asdf(simulated, tmp_path, suffix="_x")
    table = QTable.read(tmp_path / "truths_x.ecsv")
    assert list(table["file"]) == [f"lens_0000{n}_x.asdf" for n in (4, 5, 6)]


def test_the_catalogue_has_the_numbers_of_the_batch(simulated, written):
    table = QTable.read(written / CATALOGUE)
    for name, values in simulated.lens.items():
        np.testing.assert_allclose(table[name].value, values, rtol=1e-6)
    for name, values in simulated.metadata.items():
        np.testing.assert_allclose(np.asarray(table[name]), values, rtol=1e-6)


@pytest.mark.parametrize("write", [write_pairs, write_asdf])
def test_bytes_do_not_depend_on_the_batch(draw_rich, write, tmp_path):
    write(draw_rich(3, start=4), tmp_path / "whole")
    for index in (4, 5, 6):
        write(draw_rich(1, start=index), tmp_path / "parts")
    assert contents(tmp_path / "whole") == contents(tmp_path / "parts")


def test_finished_pairs_are_not_written_again(simulated, written, tmp_path):
    directory = tmp_path / "resumed"
    shutil.copytree(written, directory)
    (directory / "lensed_00005.fits").unlink()
    assert finished_pairs(directory, seed=SEED) == {4, 6}
    before = (directory / "lensed_00004.fits").stat().st_mtime_ns
    paths = write_pairs(simulated, directory)
    assert [path.name for path in paths] == [f"lensed_0000{n}.fits" for n in (4, 5, 6)]
    assert (directory / "lensed_00004.fits").stat().st_mtime_ns == before
    assert finished_pairs(directory, seed=SEED) == {4, 5, 6}
    assert contents(directory) == contents(written)


def test_earlier_batches_come_first_in_the_catalogue(written, draw, tmp_path):
    directory = tmp_path / "extended"
    shutil.copytree(written, directory)
    write_pairs(draw(2, start=2), directory)
    assert list(QTable.read(directory / CATALOGUE)["index"]) == [2, 3, 4, 5, 6]


def test_a_directory_holds_one_dataset(written, draw):
    with pytest.raises(SimulationError, match="holds a dataset with seed 9, asked for 10"):
        write_pairs(draw(1, seed=SEED + 1), written)
    with pytest.raises(SimulationError, match="with supersampling 2, asked for 1"):
        write_pairs(draw(1, supersampling=1), written)
    with pytest.raises(SimulationError, match="with seed 9, asked for 8"):
        finished_pairs(written, seed=8)


def test_no_pair_is_written_half(simulated, tmp_path, monkeypatch):
    def fail(path, content):
        if path.name.startswith("lensed"):
            raise SimulationError("no space left on device")
        path.write_bytes(content)

    monkeypatch.setattr(simulated_lenses, "write_whole", fail)
    with pytest.raises(SimulationError, match="no space left"):
        write_pairs(simulated, tmp_path)
    assert finished_pairs(tmp_path, seed=SEED) == set()


def test_too_little_space_is_noticed_before_writing(simulated, tmp_path, monkeypatch):
    usage = shutil.disk_usage(tmp_path)._replace(free=1000)
    monkeypatch.setattr(shutil, "disk_usage", lambda _: usage)
    with pytest.raises(SimulationError, match=r"3 lenses need .* kB, got 1.0 kB free"):
        write_pairs(simulated, tmp_path)
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("format_name", LENS_FORMATS)
def test_the_measured_size_is_that_of_the_files(rich, tmp_path, format_name):
    write = {"fits": write_pairs, "asdf": write_asdf}[format_name]
    write(rich, tmp_path)
    files = [path for path in tmp_path.iterdir() if "00005" in path.name]
    rows = (tmp_path / CATALOGUE).read_text().splitlines()[-3:]
    expected = sum(path.stat().st_size for path in files) + max(map(len, rows))
    assert measured_size(rich, format_name) == pytest.approx(expected, abs=20)

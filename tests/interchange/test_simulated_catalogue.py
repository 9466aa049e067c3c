from __future__ import annotations

import pytest
from astropy.table import QTable

from astrorim.exceptions import SimulationError
from astrorim.interchange.simulated_catalogue import (
    Catalogue,
    catalogue_name,
    catalogue_rows,
)


@pytest.fixture
def rows(draw):
    def make(start, number, *, which=None):
        simulated = draw(number, start=start, shape=(16, 16))
        return catalogue_rows(simulated, list(which or range(number)), {})

    return make


def test_rows_are_added_at_the_end(rows, tmp_path):
    path = tmp_path / catalogue_name("_a")
    catalogue = Catalogue(path)
    catalogue.add(rows(0, 2))
    begin = path.read_bytes()
    inode = path.stat().st_ino
    catalogue.add(rows(2, 1))
    assert path.read_bytes().startswith(begin)
    assert path.stat().st_ino == inode
    assert list(QTable.read(path)["index"]) == [0, 1, 2]
    assert path.name == "truths_a.ecsv"


def test_bytes_do_not_depend_on_the_batches(rows, tmp_path):
    one, many = Catalogue(tmp_path / "one"), Catalogue(tmp_path / "many")
    one.add(rows(0, 5))
    for start, number in ((0, 1), (1, 3), (4, 1)):
        many.add(rows(start, number))
    assert one.path.read_bytes() == many.path.read_bytes()


@pytest.mark.parametrize("cut", [1, 30, 400])
def test_a_torn_row_is_taken_off(rows, tmp_path, cut):
    whole = Catalogue(tmp_path / "whole")
    whole.add(rows(0, 3))
    content = whole.path.read_bytes()
    torn = tmp_path / "torn"
    torn.write_bytes(content[:-cut])
    catalogue = Catalogue(torn)
    assert catalogue.indices == {0, 1}
    catalogue.add(rows(2, 1))
    assert torn.read_bytes() == content


def test_rows_that_are_there_are_not_added_again(rows, tmp_path):
    catalogue = Catalogue(tmp_path / "c")
    catalogue.add(rows(0, 2))
    before = catalogue.path.read_bytes()
    catalogue.add(rows(0, 2))
    Catalogue(catalogue.path).add(rows(1, 1))
    assert catalogue.path.read_bytes() == before


def test_earlier_lenses_are_put_in_order_at_the_end(rows, tmp_path):
    whole, parts = Catalogue(tmp_path / "whole"), Catalogue(tmp_path / "parts")
    whole.add(rows(0, 4))
    parts.add(rows(2, 2))
    parts.add(rows(0, 2))
    parts.close()
    assert parts.path.read_bytes() == whole.path.read_bytes()
    again = Catalogue(parts.path)
    assert again.indices == {0, 1, 2, 3}


def test_meta_is_the_dataset_s(rows, tmp_path):
    catalogue = Catalogue(tmp_path / "c")
    assert catalogue.meta == {}
    catalogue.add(rows(0, 1))
    assert Catalogue(catalogue.path).meta["seed"] == 9


def test_other_columns_are_refused(rows, tmp_path):
    catalogue = Catalogue(tmp_path / "c")
    catalogue.add(rows(0, 1))
    other = rows(1, 1)
    other.header = other.header.replace("theta_E", "theta_F")
    with pytest.raises(SimulationError, match="has other columns"):
        catalogue.add(other)


def test_a_file_that_is_no_catalogue_is_refused(tmp_path):
    (tmp_path / "truths.ecsv").write_text("a b\n1 2\n")
    with pytest.raises(SimulationError, match="is not a catalogue of simulated lenses"):
        Catalogue(tmp_path / "truths.ecsv")

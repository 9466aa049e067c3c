from __future__ import annotations

import gc
import weakref
from dataclasses import dataclass, fields

import astropy.units as u
import numpy as np
import pytest
from astropy.table import QTable

from astrorim.cli import file_run
from astrorim.cli.file_run import FileRun, FileStatus


@dataclass
class Row(FileStatus):
    size: float = float("nan")
    note: str = ""


def own_value_error():
    raise ValueError("the source must lie behind the lens")


def numpy_on_purpose():
    np.linalg.inv(np.zeros((2, 2)))


def test_each_file_costs_only_itself_and_the_reasons_are_counted(tmp_path, capsys):
    table = tmp_path / "out" / "status.ecsv"
    with FileRun(table, Row, total=4, units={"size": u.arcsec}) as run:
        for name, raises in (
            ("a", None), ("b", own_value_error), ("c", own_value_error), ("d", numpy_on_purpose)
        ):  # fmt: skip
            row = Row(name)
            with run.isolated(row):
                if raises is not None:
                    raises()
                row.size = 2.5
            run.add(row)
    assert run.finish("weighed") == 3
    out = capsys.readouterr().out
    assert "1 weighed, 0 skipped, 2 failed, 1 internal errors; see" in out
    assert "2 failed: the source must lie behind the lens" in out
    log = (tmp_path / "out" / "status.log").read_text()
    assert "numpy_on_purpose" in log
    assert "own_value_error" not in log
    rows = QTable.read(table)
    assert list(rows["status"]) == ["ok", "failed", "failed", "error"]
    assert rows["size"][0] == 2.5 * u.arcsec
    assert rows["reason"][3] == (
        "internal error, please report it: LinAlgError: Singular matrix"
    )
    assert sorted(path.name for path in table.parent.iterdir()) == ["status.ecsv", "status.log"]


def test_exit_status_is_that_of_the_worst(tmp_path):
    with FileRun(tmp_path / "s.ecsv", Row, total=2) as run:
        run.add(Row("a"))
        assert run.finish("done") == 0
        run.add(Row("b", "failed", "no PSF"))
        assert run.finish("done") == 1
    assert not run.log.exists()


@pytest.mark.parametrize("stop", [KeyboardInterrupt, SystemExit])
def test_the_table_is_written_when_a_run_is_stopped(tmp_path, stop):
    table = tmp_path / "s.ecsv"

    def stopped():
        with FileRun(table, Row, total=2) as run:
            run.add(Row("a"))
            with run.isolated(Row("b")):
                raise stop("now")

    with pytest.raises(stop, match="now"):
        stopped()
    assert list(QTable.read(table)["name"]) == ["a"]


def test_the_table_is_written_again_and_again(tmp_path, monkeypatch):
    monkeypatch.setattr(file_run, "_FLUSH_SECONDS", 0.0)
    monkeypatch.setattr(file_run, "_FLUSH_SHARE", 0.0)
    table = tmp_path / "s.ecsv"
    with FileRun(table, Row, total=2) as run:
        for number, name in enumerate("ab", start=1):
            run.add(Row(name))
            assert len(QTable.read(table)) == number


def test_what_refers_to_itself_is_freed_file_by_file(tmp_path, monkeypatch):
    monkeypatch.setattr(file_run, "_COLLECTION_SHARE", 0.0)

    class Figure:
        def __init__(self):
            self.itself = self

    alive = []
    gc.disable()
    try:
        with FileRun(tmp_path / "s.ecsv", Row, total=3) as run:
            for name in "abc":
                alive.append(weakref.ref(Figure()))
                run.add(Row(name))
                assert [reference() for reference in alive] == [None] * len(alive)
    finally:
        gc.enable()


def test_status_table_has_text_of_any_length_and_may_be_empty(tmp_path):
    path = tmp_path / "deep" / "status.ecsv"
    rows = [Row("b", "failed", 'an "odd", long, reason; ' * 20 + "end")]
    file_run.write_status(rows, Row, path)
    table = QTable.read(path)
    assert table.colnames == [field.name for field in fields(Row)]
    assert table["reason"][0] == rows[0].reason
    file_run.write_status([], Row, path)
    assert len(QTable.read(path)) == 0
    assert [p.name for p in path.parent.iterdir()] == ["status.ecsv"]

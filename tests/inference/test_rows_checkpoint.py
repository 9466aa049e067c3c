"""Rows of an evaluation survive a stop."""

from __future__ import annotations

import math

import pytest

from astrorim.exceptions import CheckpointError
from astrorim.inference.rows_checkpoint import RowsCheckpoint

ROWS = [{"method": "a", "source_error": 0.1}, {"method": "b", "flags": "x"}]


def test_finished_lenses_are_kept_and_a_cut_line_is_dropped(tmp_path):
    path = tmp_path / "new" / "rows.jsonl"
    RowsCheckpoint(path, {"seed": 1}).add("0", ROWS)
    with path.open("a", encoding="utf-8") as file:
        file.write('{"lens": "1", "rows": [{"meth')
    again = RowsCheckpoint(path, {"seed": 1})
    assert again.rows == {"0": ROWS}
    again.add("1", [{"seconds": math.nan}])
    third = RowsCheckpoint(path, {"seed": 1}).rows
    assert list(third) == ["0", "1"]
    assert math.isnan(third["1"][0]["seconds"])


def test_a_file_cut_in_its_first_line_begins_anew(tmp_path):
    path = tmp_path / "rows.jsonl"
    path.write_text('{"se', encoding="utf-8")
    assert RowsCheckpoint(path, {"seed": 1}).rows == {}
    assert path.read_text(encoding="utf-8") == '{"seed": 1}\n'


def test_other_settings_are_refused(tmp_path):
    path = tmp_path / "rows.jsonl"
    RowsCheckpoint(path, {"seed": 1})
    with pytest.raises(CheckpointError, match="begun with other settings .seed 1 instead of 2"):
        RowsCheckpoint(path, {"seed": 2})


def test_another_file_is_refused(tmp_path):
    path = tmp_path / "rows.jsonl"
    path.write_text("hello\n", encoding="utf-8")
    with pytest.raises(CheckpointError, match="is not the beginning of an evaluation"):
        RowsCheckpoint(path, {})

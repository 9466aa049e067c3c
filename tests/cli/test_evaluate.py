"""``astrorim evaluate``."""

from __future__ import annotations

import pytest
from astropy.table import Table

from astrorim.cli import main
from astrorim.cli.evaluate import report


def test_the_table_names_its_command_and_weights():
    rows = Table({"method": ["blank image"], "source_error": [1.0]})
    rows.meta.update(simulator="foundation", number=1, encoder="abc" * 9, recurrence="f" * 64)
    text = report(rows, "astrorim evaluate foundation --number 1 --output x.rst")
    assert "    astrorim evaluate foundation --number 1 --output x.rst" in text
    assert "``abcabcabcabc`` (encoder)" in text
    assert "   * - source_error\n     - 1 (1 to 1)" in text


def test_one_lens_is_evaluated_into_two_files(tmp_path, capsys):
    output = tmp_path / "tables" / "foundation.rst"
    arguments = ["evaluate", "foundation", "--number", "1", "--num_iterations", "2"]
    assert main([*arguments, "--output", str(output)]) == 0
    assert capsys.readouterr().out.strip() == str(output)
    assert "RIM, lens inferred" in output.read_text(encoding="utf-8")
    assert len(Table.read(output.with_suffix(".ecsv"))) == 4
    assert sorted(p.name for p in output.parent.iterdir()) == [
        "foundation.ecsv",
        "foundation.rst",
    ]


def test_a_file_of_another_kind_is_refused(tmp_path):
    with pytest.raises(SystemExit, match="2"):
        main(["evaluate", "foundation", "--output", str(tmp_path / "table.txt")])

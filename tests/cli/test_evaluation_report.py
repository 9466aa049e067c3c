"""Evaluations as reStructuredText."""

from __future__ import annotations

from astrorim.cli.evaluation_report import report
from astrorim.results.evaluation_table import rows_table

META = {"simulator": "foundation", "number": 1}


def test_the_table_names_its_command_and_weights():
    rows = rows_table([{"method": "blank image", "source_error": 1.0}], META)
    rows.meta.update(encoder="abc" * 9, recurrence="f" * 64)
    text = report(rows, "astrorim evaluate foundation --number 1 --output x.rst")
    assert "    astrorim evaluate foundation --number 1 --output x.rst" in text
    assert "``abcabcabcabc`` (encoder)" in text
    assert "   * - source_error\n     - 1 (1 to 1)" in text


def test_what_failed_is_listed():
    rows = [{"method": "a", "name": "lens_1", "failed": True, "failure": "ValueError: x"}]
    text = report(rows_table(rows, META | {"refused": {"b.asdf": "no truth"}}), "command")
    assert "* ``lens_1, a``: ``ValueError: x``" in text
    assert "* ``b.asdf``: ``no truth``" in text
    assert "   * - failed\n     - 100.0 ± 0.0 % of 1" in text

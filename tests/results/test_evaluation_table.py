"""Rows and summaries of evaluations."""

from __future__ import annotations

import numpy as np
from astropy.table import Table

from astrorim.results.evaluation_table import rows_table, summary_table


def test_what_a_row_lacks_is_not_a_number():
    rows = [
        {"index": 0, "method": "a", "catastrophic": True, "flags": "x y"},
        {"index": 1, "method": "b", "source_error": 0.5},
    ]
    table = rows_table(rows, {"seed": 3})
    assert list(table["index"]) == [0, 1]
    assert list(table["flags"]) == ["x y", ""]
    assert table["catastrophic"][0] == 1
    assert np.isnan(table["source_error"][0])
    assert table.meta == {"seed": 3}


def test_summary_gives_median_and_percentiles():
    rows = Table(
        {
            "method": ["a"] * 11,
            "source_error": np.linspace(0, 1, 11),
            "theta_E_error": -np.linspace(0, 1, 11),
            "catastrophic": [1.0] + [0.0] * 10,
        }
    )
    summary = summary_table(rows)
    cells = dict(zip(summary["measure"], summary["a"], strict=True))
    assert cells["source_error"] == "0.5 (0.1 to 0.9)"
    assert cells["theta_E_error"] == "0.5 (0.1 to 0.9), bias -0.5"
    assert cells["catastrophic"] == "9.1 ± 8.7 % of 11"


def test_fractions_are_of_the_lenses_that_they_apply_to():
    rows = Table({"method": ["a"] * 4, "catastrophic_flagged": [1.0, 0.0, np.nan, np.nan]})
    assert list(summary_table(rows)["a"]) == ["50.0 ± 35.4 % of 2"]


def test_summary_leaves_what_a_method_does_not_have_empty():
    rows = Table({"method": ["a", "b"], "seconds": [np.nan, 2.0]})
    summary = summary_table(rows)
    assert list(summary["a"]) == [""]
    assert list(summary["b"]) == ["2 (2 to 2)"]

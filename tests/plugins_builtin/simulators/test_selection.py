"""Rows of a table whose flags are set."""

from __future__ import annotations

import torch

from astrorim_plugins.simulators.selection import rows_set


def test_rows_are_those_of_each_column():
    flags = torch.tensor([[True, False, False], [True, True, False]])
    assert [rows.tolist() for rows in rows_set(flags)] == [[0, 1], [1], []]


def test_table_without_columns_has_no_rows():
    assert rows_set(torch.zeros(3, 0, dtype=torch.bool)) == []

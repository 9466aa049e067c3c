"""Grids through a real file."""

from __future__ import annotations

from astrorim.grid import SourceGrid


def test_source_grid(through_file, tmp_path):
    grid = SourceGrid((40, 50), 0.02, 0.3, -0.1)
    assert through_file(grid, tmp_path / "g.asdf") == grid

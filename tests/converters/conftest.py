"""A reconstruction of a rendered lens, for tests of results, their files and figures."""

from __future__ import annotations

import runpy
from pathlib import Path

import pytest

EXAMPLE = runpy.run_path(str(Path(__file__).parents[1] / "results" / "example_lens.py"))


@pytest.fixture
def make_reconstruction():
    return EXAMPLE["make_reconstruction"]


@pytest.fixture
def make_wcs():
    return EXAMPLE["make_wcs"]


@pytest.fixture(scope="session")
def reconstruction():
    return EXAMPLE["make_reconstruction"]()

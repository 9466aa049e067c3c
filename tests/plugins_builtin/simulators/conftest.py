"""The independent renderer that simulated images are compared with."""

from __future__ import annotations

import runpy
from pathlib import Path

import pytest


@pytest.fixture(scope="session")
def reference():
    """Functions of ``lenstronomy_reference.py`` by name."""
    return runpy.run_path(str(Path(__file__).with_name("lenstronomy_reference.py")))

"""The simulated spectra, which live in a module of their own."""

from __future__ import annotations

import importlib.util
from pathlib import Path

import pytest


@pytest.fixture(scope="session")
def simulated():
    """The module `blended_spectrum` beside this file."""
    path = Path(__file__).with_name("blended_spectrum.py")
    spec = importlib.util.spec_from_file_location("blended_spectrum", path)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.fixture(scope="session")
def wavelength(simulated):
    """Pixels of 120 km/s, which keep the tests quick."""
    return simulated.log_wavelengths(step=4e-4)

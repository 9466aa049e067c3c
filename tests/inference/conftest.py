"""A small simulated lens with its truth."""

from __future__ import annotations

import pytest

from astrorim.interchange import truth_of
from astrorim.plugins import load_plugins


@pytest.fixture(scope="session")
def small_batch():
    """Lens of 48 x 48 pixels."""
    simulator = load_plugins().simulators.create("foundation")
    return simulator.simulate(1, seed=10**9, start=2, shape=(48, 48), pixel_scale=0.06)


@pytest.fixture(scope="session")
def small_truth(small_batch):
    return truth_of(small_batch)

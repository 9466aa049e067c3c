"""Ten thousand drawn lenses of each simulator, drawn once."""

from __future__ import annotations

from functools import cache

import pytest

from astrorim.plugins import load_plugins

NUMBER = 10_000
SEED = 77


@pytest.fixture(scope="session")
def simulator_named():
    """A simulator by its name."""
    return cache(load_plugins().simulators.create)


@pytest.fixture(scope="session")
def population_of(simulator_named):
    """10 000 lenses of a simulator by its name, not rendered."""
    return cache(lambda name: simulator_named(name).draw(NUMBER, seed=SEED))


@pytest.fixture(scope="session")
def unshifted(population_of):
    """Lenses whose pointing is not off, so that places are as they were drawn."""

    @cache
    def drawn(name):
        if "has_shift" not in population_of(name).values:
            return population_of(name)
        simulator = load_plugins().simulators.create(name, without=["shift"])
        return simulator.draw(4000, seed=SEED)

    return drawn

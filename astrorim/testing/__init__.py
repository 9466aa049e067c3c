"""Contract checks that plugin authors inherit.

Derive a test class from the contract of the interface and give it a fixture ``model``
that returns an instance; pytest then runs every check of the contract on it::

    from astrorim.testing import LensModelContract

    class TestMyLens(LensModelContract):
        @pytest.fixture
        def model(self):
            return MyLens()

The checks print the largest deviation that they find and record it as a property of the
test. They need pytest, which AstroRIM itself does not.
"""

from __future__ import annotations

from astrorim.testing.checks import draw_parameters, draw_special_points, largest_deviation
from astrorim.testing.components import (
    NetworkBackendContract,
    NormalizerContract,
    PSFContract,
    SimulatorContract,
)
from astrorim.testing.profiles import LensModelContract, LightModelContract

__all__ = [
    "LensModelContract",
    "LightModelContract",
    "NetworkBackendContract",
    "NormalizerContract",
    "PSFContract",
    "SimulatorContract",
    "draw_parameters",
    "draw_special_points",
    "largest_deviation",
]

"""Simulators: the populations of strong lenses that AstroRIM draws and renders."""

from __future__ import annotations

from astrorim_plugins.simulators.enhanced import Enhanced
from astrorim_plugins.simulators.expanded import Expanded
from astrorim_plugins.simulators.foundation import Foundation
from astrorim_plugins.simulators.multi_instrument import MultiInstrument
from astrorim_plugins.simulators.realistic import Realistic
from astrorim_plugins.simulators.small_lens import SmallLens

__all__ = [
    "Enhanced",
    "Expanded",
    "Foundation",
    "MultiInstrument",
    "Realistic",
    "SmallLens",
]

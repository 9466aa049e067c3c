"""Converters between AstroRIM's objects and ASDF trees; they import neither torch nor FITS."""

from __future__ import annotations

from astrorim.converters.grid import SourceGridConverter
from astrorim.converters.mass_profile import MassProfileConverter
from astrorim.converters.observation import LensObservationConverter
from astrorim.converters.reconstruction import ReconstructionConverter

__all__ = [
    "CONVERTERS",
    "LensObservationConverter",
    "MassProfileConverter",
    "ReconstructionConverter",
    "SourceGridConverter",
]

CONVERTERS = (
    LensObservationConverter,
    MassProfileConverter,
    ReconstructionConverter,
    SourceGridConverter,
)
"""All converters; each tag of the manifest belongs to exactly one."""

"""What comes out of a reconstruction: arrays and Quantities, never tensors."""

from __future__ import annotations

from astrorim.results.mass_profile import MassProfile
from astrorim.results.parameter_table import REPORTED_PARAMETERS
from astrorim.results.reconstruction import Reconstruction

__all__ = ["REPORTED_PARAMETERS", "MassProfile", "Reconstruction"]

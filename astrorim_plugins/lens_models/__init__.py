"""Built-in lens models."""

from __future__ import annotations

from astrorim_plugins.lens_models.lenstronomy_profile import LenstronomyProfile
from astrorim_plugins.lens_models.mass_sheet import MassSheet
from astrorim_plugins.lens_models.nfw import NFW
from astrorim_plugins.lens_models.power_law import PowerLaw
from astrorim_plugins.lens_models.shear import Shear
from astrorim_plugins.lens_models.sie import SIE
from astrorim_plugins.lens_models.sis import SIS

__all__ = ["NFW", "SIE", "SIS", "LenstronomyProfile", "MassSheet", "PowerLaw", "Shear"]

"""Built-in lens models."""

from __future__ import annotations

from astrorim_plugins.lens_models.shear import Shear
from astrorim_plugins.lens_models.sie import SIE

__all__ = ["SIE", "Shear"]

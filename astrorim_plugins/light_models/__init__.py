"""Built-in light models."""

from __future__ import annotations

from astrorim_plugins.light_models.multi_gaussian import MultiGaussian
from astrorim_plugins.light_models.sersic import Sersic

__all__ = ["MultiGaussian", "Sersic"]

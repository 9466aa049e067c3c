"""Built-in point spread functions."""

from __future__ import annotations

from astrorim_plugins.psfs.airy import AiryPSF
from astrorim_plugins.psfs.gaussian import GaussianPSF
from astrorim_plugins.psfs.gridded import GriddedPSF
from astrorim_plugins.psfs.measured import MeasuredPSF
from astrorim_plugins.psfs.moffat import MoffatPSF
from astrorim_plugins.psfs.stars import StarsPSF

__all__ = [
    "AiryPSF",
    "GaussianPSF",
    "GriddedPSF",
    "MeasuredPSF",
    "MoffatPSF",
    "StarsPSF",
]

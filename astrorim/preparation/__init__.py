"""From a telescope's file to an observation that can be reconstructed."""

from __future__ import annotations

from astrorim.preparation.calibration import calibrate, combine_calibration_frames
from astrorim.preparation.choices import Preparation
from astrorim.preparation.dithers import combine_dithers
from astrorim.preparation.normalization import denormalize, normalize
from astrorim.preparation.recipe import PreparedLens, prepare
from astrorim.preparation.resampling import resample
from astrorim.preparation.sky import SkyEstimate, estimate_sky, subtract_sky

__all__ = [
    "Preparation",
    "PreparedLens",
    "SkyEstimate",
    "calibrate",
    "combine_calibration_frames",
    "combine_dithers",
    "denormalize",
    "estimate_sky",
    "normalize",
    "prepare",
    "resample",
    "subtract_sky",
]

"""Pure tensor functions: ray shooting, derivatives, convolution, forward model."""

from __future__ import annotations

from astrorim.lensing.convolution import Convolution, convolve
from astrorim.lensing.forward import ForwardModel, ImageData, SourceOperator
from astrorim.lensing.interpolation import SourceFrames, SourceSampler
from astrorim.lensing.light_sums import SumLight
from astrorim.lensing.system import LensSystem, SumLens

__all__ = [
    "Convolution",
    "ForwardModel",
    "ImageData",
    "LensSystem",
    "SourceFrames",
    "SourceOperator",
    "SourceSampler",
    "SumLens",
    "SumLight",
    "convolve",
]

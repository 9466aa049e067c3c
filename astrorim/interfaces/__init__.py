"""What plugin authors implement: one small abstract class per kind of plugin."""

from __future__ import annotations

from astrorim.interfaces.lens_model import LensModel
from astrorim.interfaces.light_model import LightModel
from astrorim.interfaces.network import NetworkBackend
from astrorim.interfaces.normalizer import Normalizer
from astrorim.interfaces.psf import PSF
from astrorim.interfaces.simulator import SimulatedLenses, Simulator

__all__ = [
    "PSF",
    "LensModel",
    "LightModel",
    "NetworkBackend",
    "Normalizer",
    "SimulatedLenses",
    "Simulator",
]

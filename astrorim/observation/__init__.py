"""Observations of lenses: the image class, its files, and what files hold."""

from __future__ import annotations

from astropy.io import registry
from astropy.io.fits.connect import is_fits

from astrorim.observation.asdf_files import is_asdf, read_asdf, write_asdf
from astrorim.observation.info import ObservationSummary, describe
from astrorim.observation.lens_observation import LensObservation
from astrorim.observation.noise import measure_sky_noise, with_measured_noise
from astrorim.observation.observation_set import ObservationSet, bands_of
from astrorim.observation.orientation import Orientation, north_position_angle, orientation_of
from astrorim.observation.reader import read_fits, write_fits

__all__ = [
    "LensObservation",
    "ObservationSet",
    "ObservationSummary",
    "Orientation",
    "bands_of",
    "describe",
    "measure_sky_noise",
    "north_position_angle",
    "orientation_of",
    "read_asdf",
    "read_fits",
    "with_measured_noise",
    "write_asdf",
    "write_fits",
]

# An identifier of a subclass hides those of its parents, so FITS is registered anew.
registry.register_reader("fits", LensObservation, read_fits, force=True)
registry.register_writer("fits", LensObservation, write_fits, force=True)
registry.register_identifier("fits", LensObservation, is_fits, force=True)
registry.register_reader("astrorim.asdf", LensObservation, read_asdf, force=True)
registry.register_writer("astrorim.asdf", LensObservation, write_asdf, force=True)
registry.register_identifier("astrorim.asdf", LensObservation, is_asdf, force=True)

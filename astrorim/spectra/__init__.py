"""Spectra and cubes of lenses: redshifts, and images in a line."""

from __future__ import annotations

from astrorim.spectra.cube_files import read_cube
from astrorim.spectra.line_image import LineBands, line_image, observed_wavelength
from astrorim.spectra.lines import ABSORPTION_FEATURES, EMISSION_FEATURES, SpectralFeature
from astrorim.spectra.prepared_spectrum import (
    PreparedSpectrum,
    prepare_spectrum,
    read_spectrum,
)
from astrorim.spectra.redshift_estimate import RedshiftEstimate, SpectrumRedshifts
from astrorim.spectra.redshifts import RedshiftOptions, measure_redshifts

__all__ = [
    "ABSORPTION_FEATURES",
    "EMISSION_FEATURES",
    "LineBands",
    "PreparedSpectrum",
    "RedshiftEstimate",
    "RedshiftOptions",
    "SpectralFeature",
    "SpectrumRedshifts",
    "line_image",
    "measure_redshifts",
    "observed_wavelength",
    "prepare_spectrum",
    "read_cube",
    "read_spectrum",
]

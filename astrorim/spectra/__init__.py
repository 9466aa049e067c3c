"""Spectra and cubes of lenses: redshifts, and images in a line."""

from __future__ import annotations

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
    "PreparedSpectrum",
    "RedshiftEstimate",
    "RedshiftOptions",
    "SpectralFeature",
    "SpectrumRedshifts",
    "measure_redshifts",
    "prepare_spectrum",
    "read_spectrum",
]

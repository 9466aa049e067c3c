"""Simulated spectra of an early-type lens with an emission-line source, for tests.

Written without the package's templates: air wavelengths, widths and strengths of their
own, which differ from spectrum to spectrum.
"""

from __future__ import annotations

import astropy.units as u
import numpy as np
from astropy.nddata import StdDevUncertainty
from specutils import Spectrum
from specutils.utils.wcs_utils import air_to_vac

C = 299792.458

# air wavelength, equivalent width, intrinsic standard deviation, angstrom
ABSORPTION = (
    (3933.66, 7.5, 5.0), (3968.47, 7.0, 6.0), (4226.73, 1.2, 3.0), (4304.4, 6.0, 8.0),
    (4101.7, 1.0, 4.0), (4340.5, 1.0, 4.0), (4383.5, 4.0, 9.0), (4531.0, 3.0, 10.0),
    (4861.33, 1.6, 4.0), (5167.32, 1.2, 2.5), (5172.68, 1.5, 2.5), (5183.60, 1.5, 2.5),
    (5269.5, 2.6, 6.0), (5328.0, 2.2, 6.0), (5889.95, 2.0, 1.0), (5895.92, 1.7, 1.0),
)  # fmt: skip

# air wavelength, strength relative to Hbeta
EMISSION = (
    (3726.03, 1.3), (3728.82, 1.8), (3868.76, 0.2), (4101.73, 0.26), (4340.46, 0.47),
    (4861.33, 1.0), (4958.91, 0.6), (5006.84, 1.8), (6548.05, 0.25), (6562.79, 3.2),
    (6583.45, 0.75), (6716.44, 0.5), (6730.82, 0.4),
)  # fmt: skip


def vacuum(wavelength):
    return air_to_vac(wavelength * u.AA).to_value(u.AA)


def early_type(wavelength, z, rng, sigma=None):
    """Continuum of about one with a 4000 angstrom break and absorption lines."""
    sigma = rng.uniform(180, 320) if sigma is None else sigma
    rest = wavelength / (1 + z)
    slope = rng.uniform(-0.5, 0.8)
    flux = (wavelength / 6500) ** slope
    flux *= 1 - rng.uniform(0.25, 0.4) / (1 + np.exp((rest - 3980) / 25))
    for line, width, intrinsic in ABSORPTION:
        centre = vacuum(line)
        spread = np.hypot(intrinsic, centre * sigma / C)
        depth = rng.uniform(0.65, 1.35) * width / (np.sqrt(2 * np.pi) * spread)
        flux *= 1 - min(depth, 0.9) * np.exp(-0.5 * ((rest - centre) / spread) ** 2)
    return flux


def emission_lines(wavelength, z, strength, rng, sigma=90.0):
    """Lines whose Hbeta has ``strength``, flux times angstrom."""
    flux = np.zeros_like(wavelength)
    for line, relative in EMISSION:
        centre = vacuum(line) * (1 + z)
        width = centre * sigma / C
        area = strength * relative * rng.uniform(0.7, 1.3) / (np.sqrt(2 * np.pi) * width)
        flux += area * np.exp(-0.5 * ((wavelength - centre) / width) ** 2)
    return flux


def log_wavelengths(first=3800.0, last=9300.0, step=2.3e-4):
    """Pixels of 69 km/s, as in the SDSS."""
    return np.exp(np.arange(np.log(first), np.log(last), step))


def as_spectrum(wavelength, flux, noise):
    return Spectrum(
        flux=flux * u.Unit("1e-17 erg / (s cm2 AA)"),
        spectral_axis=wavelength * u.AA,
        uncertainty=StdDevUncertainty(noise),
    )


def blended(rng, z_lens, z_source, signal_to_noise, strength, wavelength=None):
    """A lens of continuum one and a source of Hbeta flux ``strength``, with noise."""
    wavelength = log_wavelengths() if wavelength is None else wavelength
    clean = early_type(wavelength, z_lens, rng)
    clean += emission_lines(wavelength, z_source, strength, rng, rng.uniform(60, 150))
    noise = np.full(wavelength.size, 1 / signal_to_noise)
    return as_spectrum(wavelength, clean + rng.normal(0, noise), noise)

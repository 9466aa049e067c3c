"""Quantities of telescope, sky and detector."""

from __future__ import annotations

import math

import astropy.units as u

from astrorim_plugins.simulators.blocks.ranges import FULL_ANGLE, NONE, axes, plus_minus
from astrorim_plugins.simulators.declaration import Quantity
from astrorim_plugins.simulators.distributions import (
    Chance,
    Distribution,
    Fixed,
    OneOf,
    Uniform,
    WholeNumber,
)

__all__ = [
    "charge_trails",
    "correlated_noise",
    "cosmic_rays",
    "exposure",
    "pixel_response",
    "psf",
    "psf_mismatch",
    "shift",
    "sky_gradient",
    "sky_residual",
    "vignetting",
]


def exposure(
    time: Distribution, sky: Distribution, read_noise: Distribution
) -> tuple[Quantity, ...]:
    """Exposure time, sky and read noise."""
    return (
        Quantity("exposure", "t", u.s, time, "exposure time"),
        Quantity("sky", "S", u.ct / u.s, sky, "sky in a detector pixel"),
        Quantity("read_noise", r"\sigma_r", u.electron, read_noise, "read noise"),
    )


def psf(
    fwhm: Distribution,
    ellipticity: Distribution | None = None,
    kinds: OneOf | None = None,
    beta: Distribution | None = None,
) -> tuple[Quantity, ...]:
    """Point spread function; round and Gaussian unless said otherwise."""
    kind = () if kinds is None else (Quantity("psf_kind", "k", NONE, kinds, "kind of the PSF"),)
    shape = (
        ()
        if ellipticity is None
        else (
            Quantity("psf_ellipticity", "1 - q", NONE, ellipticity, "of the PSF"),
            Quantity("psf_angle", r"\phi_p", u.rad, FULL_ANGLE, "of the PSF", 1, 2 * math.pi),
        )
    )
    wings = (
        () if beta is None else (Quantity("psf_beta", r"\beta", NONE, beta, "Moffat exponent"),)
    )
    return (*kind, Quantity("psf_fwhm", "w", u.arcsec, fwhm, "FWHM of the PSF"), *shape, *wings)


def shift(probability: float) -> tuple[Quantity, ...]:
    """Pointing that is off by up to half a detector pixel."""
    return (
        Quantity("has_shift", "P", NONE, Chance(probability), "a pointing off by a fraction"),
        *axes("shift", r"\Delta", u.pix, plus_minus(0.5), "of the whole scene"),
    )


def sky_gradient(
    along_x: Distribution, along_y: Distribution | None = None
) -> tuple[Quantity, ...]:
    """Slope of the sky over the frame, relative to its mean."""
    second = (
        ()
        if along_y is None
        else (
            Quantity("sky_gradient_y", "g_y", NONE, along_y, "sky's rise from bottom to top"),
        )
    )
    return (
        Quantity("sky_gradient_x", "g_x", NONE, along_x, "sky's rise from left to right"),
        *second,
    )


def pixel_response(deviation: float) -> tuple[Quantity, ...]:
    """Photo-response non-uniformity, a fixed pattern of the detector."""
    return (
        Quantity(
            "response_deviation", r"\sigma_\mathrm{PRNU}", NONE, Fixed(deviation),
            "standard deviation of the pixels' response",
        ),
    )  # fmt: skip


def correlated_noise(probability: float) -> tuple[Quantity, ...]:
    """Noise that is correlated as drizzled images have it."""
    return (
        Quantity(
            "has_correlated_noise", "P_r", NONE, Chance(probability),
            "noise correlated between pixels",
        ),
        Quantity(
            "noise_correlation", r"\rho", NONE, Uniform(0.0, 0.4),
            "correlation of neighbouring pixels' noise",
        ),
    )  # fmt: skip


def sky_residual(probability: float, slope: float) -> tuple[Quantity, ...]:
    """Plane that a wrong sky subtraction leaves."""
    return (
        Quantity("has_sky_residual", "P_p", NONE, Chance(probability), "a plane left over"),
        *axes(
            "sky_residual", "b", NONE, plus_minus(slope),
            "slope of the plane, in units of the sky over half the frame",
        ),
    )  # fmt: skip


def psf_mismatch(
    probability: float, width: Distribution, ellipticity: Distribution, turn: float
) -> tuple[Quantity, ...]:
    """PSF handed to the observer that is not the one of the image."""
    return (
        Quantity(
            "has_psf_mismatch", "P_m", NONE, Chance(probability),
            "the PSF handed over is not that of the image",
        ),
        Quantity("mismatch_fwhm_ratio", "w'/w", NONE, width, "FWHM handed over, ratio"),
        Quantity(
            "mismatch_ellipticity", r"\Delta(1 - q)", NONE, ellipticity,
            "ellipticity handed over, minus the image's",
        ),
        Quantity(
            "mismatch_angle", r"\Delta\phi_p", u.rad, plus_minus(turn),
            "angle handed over, minus the image's",
        ),
    )  # fmt: skip


def cosmic_rays(probability: float, most: int, deposit: Distribution) -> tuple[Quantity, ...]:
    """Tracks of cosmic rays."""
    return (
        Quantity("has_cosmic_rays", "P_c", NONE, Chance(probability), "cosmic rays hit"),
        Quantity("num_cosmic_rays", "N_c", NONE, WholeNumber(1, most), "number, if any"),
        Quantity(
            "cosmic_ray_deposit", "Q_c", u.electron / u.pix, deposit,
            "charge left in a pixel crossed",
        ),
    )  # fmt: skip


def vignetting(probability: float, depth: float, power: float) -> tuple[Quantity, ...]:
    """Fall of the response towards the corners."""
    return (
        Quantity("has_vignetting", "P_v", NONE, Chance(probability), "vignetting"),
        Quantity("vignetting_depth", "d", NONE, Fixed(depth), "loss in the corners"),
        Quantity("vignetting_power", "p", NONE, Fixed(power), "of the distance"),
    )


def charge_trails(probability: float) -> tuple[Quantity, ...]:
    """Charge trails along the read-out direction."""
    return (
        Quantity("has_charge_trails", "P_t", NONE, Chance(probability), "charge trails"),
        Quantity("trail_axis", "a", NONE, Chance(0.5), "read-out along columns 0, rows 1"),
        Quantity(
            "trap_density", r"\rho_t", u.pix**-1, Uniform(1e-4, 5e-4),
            "fraction of the charge deferred at each transfer",
        ),
        Quantity("release_length", r"\tau", u.pix, Uniform(1.0, 5.0), "length of the trails"),
    )  # fmt: skip

"""Quantities of the light that is not lensed: magnitudes, lens galaxy, field objects."""

from __future__ import annotations

import astropy.units as u

from astrorim_plugins.simulators.blocks.ranges import NONE, axes, plus_minus
from astrorim_plugins.simulators.declaration import Quantity
from astrorim_plugins.simulators.distributions import Chance, Distribution, Uniform, WholeNumber

__all__ = ["NUM_MAGNITUDES", "lens_light", "neighbours", "photometry"]


NUM_MAGNITUDES = 9
"""Draws of the lens light's magnitude: the first and eight more."""


def photometry(magnitude: Distribution, difference: Distribution) -> tuple[Quantity, ...]:
    """Magnitudes of source and lens light."""
    return (
        Quantity("source_magnitude", "m_s", u.mag, magnitude, "AB, unlensed"),
        Quantity(
            "magnitude_difference", r"m_\ell - m_s", u.mag, difference,
            "lens light minus source", NUM_MAGNITUDES,
        ),
    )  # fmt: skip


def lens_light(
    radius: Distribution, sersic_index: Distribution, offset: float
) -> tuple[Quantity, ...]:
    """Sersic profile of the lens galaxy, nearly aligned with its mass."""
    return (
        Quantity("light_half_light_radius", r"R_\ell", u.arcsec, radius, "lens light"),
        Quantity("light_sersic_index", r"n_\ell", NONE, sersic_index, "lens light"),
        Quantity(
            "light_ellipticity_ratio", r"e_\ell/e", NONE, Uniform(0.6, 1.0),
            "component of the light's ellipticity over the mass's", 2,
        ),
        Quantity(
            "light_ellipticity_offset", r"\Delta e", NONE, plus_minus(0.05),
            "added to each component of the light's ellipticity", 2,
        ),
        *axes(
            "light_offset", r"\Delta x_\ell", u.arcsec, plus_minus(offset),
            "light's centre minus the mass's",
        ),
    )  # fmt: skip


def neighbours(
    probability: float,
    number: WholeNumber,
    amplitude: Distribution,
    radius: Distribution,
    shape: float,
    *,
    star_amplitude: Distribution | None = None,
) -> tuple[Quantity, ...]:
    """Galaxies, and stars where their amplitude is given, scattered over the frame."""
    most = number.high
    stars = () if star_amplitude is None else (
        Quantity(
            "star_amplitude", r"A_\star", u.ct, star_amplitude,
            "star's centre, in a sub-pixel", most,
        ),
        Quantity("star_fwhm", r"w_\star", u.arcsec, Uniform(0.04, 0.12), "star", most),
        Quantity("star_beta", r"\beta_\star", NONE, Uniform(2.5, 4.5), "star", most),
    )  # fmt: skip
    return (
        Quantity("has_neighbours", "P_f", NONE, Chance(probability), "field objects"),
        Quantity("num_neighbours", "N_f", NONE, number, "number of field objects, if any"),
        Quantity(
            "neighbour_amplitude", "A_f", u.ct, amplitude,
            "galaxy at its half-light radius, in a sub-pixel", most,
        ),
        Quantity("neighbour_half_light_radius", "R_f", u.arcsec, radius, "galaxy", most),
        Quantity("neighbour_sersic_index", "n_f", NONE, Uniform(0.8, 3.5), "galaxy", most),
        *(
            Quantity(f"neighbour_e{i}", f"e_{{{i}f}}", NONE, plus_minus(shape), "galaxy", most)
            for i in (1, 2)
        ),
        *axes(
            "neighbour_offset", "x_f", NONE, plus_minus(0.5),
            "place, in sides of the frame from its centre", most,
        ),
        *stars,
    )  # fmt: skip

"""Quantities of the source: place, profiles, companions, clumps, spiral pattern."""

from __future__ import annotations

import math

import astropy.units as u

from astrorim_plugins.simulators.blocks.ranges import FULL_ANGLE, NONE, angle, axes, plus_minus
from astrorim_plugins.simulators.declaration import Quantity
from astrorim_plugins.simulators.distributions import Distribution, Fixed, Uniform, WholeNumber

__all__ = ["bulge_and_disk", "clumps", "extras", "source_centre", "spiral"]


def source_centre(offset: Distribution) -> tuple[Quantity, Quantity]:
    """Position of the source in Einstein radii."""
    return axes(
        "source_offset", r"x_s/\theta_E", NONE, offset, "source centre in Einstein radii"
    )


def bulge_and_disk(
    fraction: Distribution,
    radius: Distribution,
    disk_ratio: Distribution,
    sersic_index: Distribution,
    amplitude: Distribution,
    disk_amplitude_ratio: Distribution,
) -> tuple[Quantity, ...]:
    """Bulge, and a disk of similar shape about nearly the same centre."""
    shape = Uniform(0.8, 1.0)
    return (
        Quantity("bulge_fraction", "f_b", NONE, fraction, "weight of the bulge"),
        Quantity(
            "source_amplitude", "A_b", NONE, amplitude,
            "bulge at its half-light radius, relative",
        ),
        Quantity("source_half_light_radius", "R_b", u.arcsec, radius, "bulge"),
        Quantity("source_sersic_index", "n_b", NONE, sersic_index, "bulge"),
        Quantity("source_ellipticity", "e_b", NONE, Uniform(0.0, 0.6), "bulge"),
        angle("source_orientation", r"\phi_b", "bulge"),
        Quantity("disk_radius_ratio", "R_d/R_b", NONE, disk_ratio, "disk over bulge"),
        Quantity("disk_amplitude_ratio", "A_d/A_b", NONE, disk_amplitude_ratio, "same"),
        Quantity("disk_e1_ratio", "e_{1d}/e_{1b}", NONE, shape, "disk over bulge"),
        Quantity("disk_e2_ratio", "e_{2d}/e_{2b}", NONE, shape, "disk over bulge"),
        *axes("disk_offset", "x_d", u.arcsec, plus_minus(0.02), "disk's centre off bulge's"),
    )  # fmt: skip


def extras(
    most: int,
    reach: float,
    amplitude: Distribution,
    radius: Distribution,
    sersic_index: Distribution,
    ellipticity: Distribution | None = None,
) -> tuple[Quantity, ...]:
    """More profiles about the source: companions. Shape by modulus, or by components."""
    if ellipticity is None:
        shape: tuple[Quantity, ...] = tuple(
            Quantity(f"extra_e{i}", f"e_{{{i}x}}", NONE, plus_minus(0.4), "companion", most)
            for i in (1, 2)
        )
    else:
        shape = (
            Quantity("extra_ellipticity", "e_x", NONE, ellipticity, "companion", most),
            angle("extra_orientation", r"\phi_x", "companion", most),
        )
    return (
        Quantity("num_extras", "N_x", NONE, WholeNumber(0, most), "number of companions"),
        *axes(
            "extra_offset", r"x_x/\theta_E", NONE, plus_minus(reach),
            "companion's centre in Einstein radii", most,
        ),
        Quantity(
            "extra_amplitude", "A_x", NONE, amplitude,
            "companion at its half-light radius, relative", most,
        ),
        Quantity("extra_half_light_radius", "R_x", u.arcsec, radius, "companion", most),
        Quantity("extra_sersic_index", "n_x", NONE, sersic_index, "companion", most),
        *shape,
    )  # fmt: skip


def clumps(
    chance: Distribution,
    number: WholeNumber,
    largest: Distribution,
    least: float,
    sigma: Distribution,
    *,
    spread: float = 0.96,
    prefix: str = "clump",
) -> tuple[Quantity, ...]:
    """Gaussian clumps; positions as two numbers that the draw makes a place of."""
    most = number.high
    return (
        Quantity(f"has_{prefix}s", "P_c", NONE, chance, "whether there are clumps"),
        Quantity(f"num_{prefix}s", "N_c", NONE, number, "number of clumps, if any"),
        Quantity(
            f"{prefix}_max_amplitude", r"a_\max", NONE, largest,
            "largest amplitude, in units of the pattern's maximum",
        ),
        Quantity(
            f"{prefix}_amplitude", "a_c", NONE, Uniform(least, 1.0),
            f"amplitude; stretched to the interval from {least:g} to the largest", most,
        ),
        Quantity(f"{prefix}_sigma", r"\sigma_c", u.arcsec, sigma, "dispersion", most),
        *axes(
            f"{prefix}_offset", "x_c", u.arcsec, plus_minus(spread),
            "place: in the frame with wide_clumps, else area and angle about the source",
            most,
        ),
    )  # fmt: skip


def spiral(
    chance: Distribution, amplitude: float, *, turns: float | None = None
) -> tuple[Quantity, ...]:
    """Three-fold modulation of the source; ``turns`` in rad per two half-light radii."""
    winding = (
        ()
        if turns is None
        else (
            Quantity(
                "spiral_turns",
                "w",
                u.rad,
                Fixed(turns),
                "winding over two half-light radii of the disk",
            ),
        )
    )
    return (
        Quantity("has_spiral", "P_s", NONE, chance, "whether there is a spiral pattern"),
        Quantity("spiral_amplitude", "A_s", NONE, Fixed(amplitude), "relative"),
        *winding,
        Quantity(
            "spiral_phase", r"\varphi_0", u.rad, FULL_ANGLE, "phase", 1, 2 * math.pi
        ),
    )  # fmt: skip

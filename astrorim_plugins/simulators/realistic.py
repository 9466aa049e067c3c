"""The `realistic` simulator: as much of an observation as can be put into one."""

from __future__ import annotations

from typing import ClassVar

import astropy.units as u

from astrorim_plugins.simulators import blocks
from astrorim_plugins.simulators.declaration import Declaration, Quantity, Visibility
from astrorim_plugins.simulators.distributions import (
    BehindLens,
    Beta,
    Cases,
    Chance,
    Distribution,
    Fixed,
    OneOf,
    TruncatedGamma,
    TruncatedNormal,
    TruncatedPoisson,
    Uniform,
    WholeNumber,
)
from astrorim_plugins.simulators.population_simulator import PopulationSimulator

__all__ = ["Realistic"]

NONE = u.dimensionless_unscaled


def _by_type(spiral: Distribution, elliptical: Distribution, irregular: Distribution) -> Cases:
    return Cases("source_type", (spiral, elliptical, irregular))


_SOURCE = (
    Quantity(
        "source_type", "T", NONE,
        OneOf(("spiral", "elliptical", "irregular"), (0.5, 0.3, 0.2)), "of the main source",
    ),
    *blocks.source_centre(Uniform(-0.15, 0.15)),
    Quantity(
        "source_amplitude", "A_s", NONE, _by_type(Uniform(0.3, 1.0), Fixed(1), Fixed(1)),
        "bulge or whole, at its half-light radius, relative",
    ),
    Quantity(
        "source_half_light_radius", "R_s", u.arcsec,
        _by_type(Uniform(0.01, 0.04), Uniform(0.02, 0.08), Uniform(0.03, 0.09)),
        "bulge or whole",
    ),
    Quantity(
        "source_sersic_index", "n_s", NONE,
        _by_type(Uniform(2.0, 4.0), Uniform(2.5, 6.0), Uniform(0.8, 2.5)), "bulge or whole",
    ),
    Quantity(
        "source_ellipticity", "e_s", NONE,
        _by_type(Uniform(0.28, 0.56), Uniform(0.0, 0.7), Uniform(0.0, 0.5)),
        "bulge (0.7 of the disk's) or whole",
    ),
    blocks.angle("source_orientation", r"\phi_s", "bulge or whole"),
    Quantity("has_disk", "P_d", NONE, _by_type(Chance(1), Chance(0), Chance(0)), "a disk"),
    Quantity("disk_radius_ratio", "R_d/R_b", NONE, Uniform(1.5, 3.0), "disk over bulge"),
    Quantity(
        "disk_amplitude", "A_d", NONE, Uniform(0.5, 1.5),
        "disk at its half-light radius, relative",
    ),
    Quantity(
        "disk_turn", r"\phi_d - \phi_b", u.rad, Uniform(-0.2, 0.2), "disk minus bulge"
    ),
    *blocks.axes(
        "disk_offset", "x_d", u.arcsec, Uniform(-0.01, 0.01), "disk's centre off the bulge's"
    ),
    *blocks.spiral(_by_type(Chance(0.7), Chance(0), Chance(0)), 0.1, turns=5.0),
    *blocks.clumps(
        _by_type(Chance(0), Chance(0), Chance(1)), WholeNumber(3, 7), Uniform(0.2, 0.8), 0.02,
        Uniform(0.012, 0.10),
    ),
    *blocks.clumps(
        Chance(0.6), WholeNumber(1, 4), Uniform(0.1, 0.4), 0.02, Uniform(0.008, 0.06),
        prefix="knot",
    ),
    *blocks.extras(3, 1.2, Uniform(0.1, 0.8), Uniform(0.008, 0.06), Uniform(0.8, 3.5)),
)  # fmt: skip


class Realistic(PopulationSimulator):
    """Spirals, ellipticals and irregulars behind small lenses, observed with every flaw."""

    name = "realistic"
    aliases = ("v6",)
    description = "maximum observational realism"
    declaration: ClassVar[Declaration] = Declaration(
        quantities=(
            *blocks.redshifts(Uniform(0.30, 0.80), BehindLens(0.1, 0.4, 2.5)),
            *blocks.mass(
                Quantity(
                    "velocity_dispersion", r"\sigma", u.km / u.s,
                    TruncatedNormal(130, 25, 80, 180), "velocity dispersion",
                ),
                Beta(1.5, 3.0, 0.02, 0.45),
                0.03,
                TruncatedGamma(1.5, 0.02, 0.06),
            ),
            *blocks.centred_halo(),
            *blocks.group_halo(0.05, None, None, Uniform(-0.3, 0.3)),
            Quantity(
                "group_log_mass", r"\log_{10} M_{200}/M_\odot", NONE, Uniform(13, 14.5),
                "mass of the group halo",
            ),
            *blocks.subhalos(0.15, TruncatedPoisson(0.5, 4), Uniform(0.003, 0.02), 0.5),
            *_SOURCE,
            *blocks.photometry(TruncatedNormal(22.5, 0.8, 21.5, 24.0), Uniform(-0.1, 1.2)),
            Quantity(
                "target_visibility", "V", NONE, Uniform(0.25, 0.45), "arc visibility wanted"
            ),
            *blocks.lens_light(Uniform(0.2, 1.0), Uniform(2.0, 4.5), 0.015),
            *blocks.neighbours(
                0.95, WholeNumber(4, 11), Uniform(0.01, 0.3), Uniform(0.006, 0.07),
                0.5, star_amplitude=Uniform(0.05, 0.4),
            ),
            *blocks.exposure(Uniform(1200, 1800), Uniform(0.06, 0.28), Uniform(1.2, 2.2)),
            *blocks.psf(
                Uniform(0.07, 0.15),
                Uniform(0.0, 0.12),
                OneOf(("gaussian", "moffat", "airy"), (1 / 3, 1 / 3, 1 / 3)),
                Uniform(2.5, 4.8),
            ),
            Quantity("has_coma", "P", NONE, Chance(0.4), "coma, where the PSF is no Airy's"),
            *blocks.sky_gradient(Uniform(-0.03, 0.03), Uniform(-0.03, 0.03)),
            *blocks.pixel_response(0.015),
            *blocks.correlated_noise(0.8),
            *blocks.charge_trails(0.7),
            *blocks.cosmic_rays(0.03, 4, Uniform(60, 525)),
            *blocks.vignetting(0.15, 0.08, 1.8),
        ),
        lens_model="sie+shear+nfw+nfw@group+" + "+".join(f"sis@sub{i}" for i in range(1, 5)),
        gain=1.5,
        visibility=Visibility(tolerance=0.15),
    )  # fmt: skip

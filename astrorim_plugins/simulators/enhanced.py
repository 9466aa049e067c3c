"""The `enhanced` simulator: velocity dispersions, halos, subhalos, bulge and disk."""

from __future__ import annotations

from typing import ClassVar

import astropy.units as u

from astrorim_plugins.simulators import blocks
from astrorim_plugins.simulators.declaration import Declaration, Quantity, Visibility
from astrorim_plugins.simulators.distributions import (
    BehindLens,
    Beta,
    Chance,
    Fixed,
    TruncatedPoisson,
    Uniform,
    WholeNumber,
)
from astrorim_plugins.simulators.population_simulator import PopulationSimulator

__all__ = ["Enhanced"]

_TRIES = 32
"""Redshifts and dispersions drawn until the Einstein radius is wanted: 62 % miss, and all
of them in one lens of four million."""


class Enhanced(PopulationSimulator):
    """Space-like images with more physics: group halos, subhalos, bulge and disk."""

    name = "enhanced"
    aliases = ("v2",)
    description = "enhanced physics, moderate complexity"
    declaration: ClassVar[Declaration] = Declaration(
        quantities=(
            *blocks.redshifts(
                Uniform(0.25, 0.70), BehindLens(0.05, 0.9, 3.0), count=_TRIES
            ),
            Quantity(
                "any_theta_E", "P", u.dimensionless_unscaled, Chance(0.08),
                "whether any Einstein radius is kept, wanted or not",
            ),
            *blocks.mass(
                Quantity(
                    "velocity_dispersion", r"\sigma", u.km / u.s, Uniform(160, 320),
                    "velocity dispersion", _TRIES,
                ),
                Uniform(0.05, 0.45),
                0.04,
                Uniform(0.0, 0.08),
            ),
            *blocks.centred_halo(),
            *blocks.group_halo(0.18, Fixed(0.5), Uniform(5, 25), Uniform(-0.3, 0.3)),
            *blocks.subhalos(0.70, TruncatedPoisson(1.0, 5), Uniform(0.01, 0.06), 0.5),
            *blocks.source_centre(Uniform(-0.15, 0.15)),
            *blocks.bulge_and_disk(
                Beta(1.5, 3.0), Uniform(0.03, 0.12), Uniform(1.6, 3.5), Uniform(2.5, 4.5),
                Uniform(1.0, 4.0), Uniform(0.3, 1.2),
            ),
            *blocks.extras(
                2, 0.9, Uniform(0.3, 2.0), Uniform(0.02, 0.10), Uniform(0.8, 3.5)
            ),
            *blocks.clumps(
                Chance(0.75), WholeNumber(1, 5), Uniform(0.2, 0.8), 0.02,
                Uniform(0.016, 0.16),
            ),
            *blocks.spiral(Chance(0.35), 0.08),
            *blocks.photometry(Uniform(21.0, 23.2), Uniform(-0.3, 1.2)),
            *blocks.lens_light(Uniform(0.25, 1.0), Uniform(3.0, 5.0), 0.02),
            *blocks.exposure(Uniform(800, 1600), Uniform(0.06, 0.25), Uniform(0.8, 1.8)),
            *blocks.psf(Uniform(0.06, 0.10), Uniform(0.0, 0.08)),
            *blocks.sky_gradient(Fixed(0.02)),
            *blocks.pixel_response(0.01),
            *blocks.cosmic_rays(0.02, 5, Uniform(75, 450)),
        ),
        lens_model="sie+shear+nfw+nfw@group+" + "+".join(f"sis@sub{i}" for i in range(1, 6)),
        gain=1.5,
        visibility=Visibility(least=0.35),
        keep_theta_E=(0.9, 1.5),
    )  # fmt: skip

"""The `small-lens` simulator: small Einstein radii and subtle distortions."""

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
    OneOf,
    TruncatedPoisson,
    Uniform,
    WholeNumber,
)
from astrorim_plugins.simulators.population_simulator import PopulationSimulator

__all__ = ["SmallLens"]


class SmallLens(PopulationSimulator):
    """Small strong lenses, with neighbours.

    With ``single_image`` the source is placed until it has a single image.
    """

    name = "small-lens"
    aliases = ("v5", "weak")
    description = "small Einstein radii, subtle distortions"
    declaration: ClassVar[Declaration] = Declaration(
        quantities=(
            *blocks.redshifts(Uniform(0.25, 0.70), BehindLens(0.05, 0.9, 3.0)),
            *blocks.mass(
                Quantity(
                    "velocity_dispersion", r"\sigma", u.km / u.s, Uniform(80, 180),
                    "velocity dispersion",
                ),
                Uniform(0.02, 0.45),
                0.04,
                Uniform(0.0, 0.06),
            ),
            *blocks.group_halo(0.08, Fixed(0.15), Uniform(10, 30), Uniform(-0.4, 0.4)),
            *blocks.subhalos(0.25, TruncatedPoisson(0.7, 4), Uniform(0.004, 0.025), 0.6),
            *blocks.source_centre(Uniform(-0.12, 0.12)),
            *blocks.bulge_and_disk(
                Beta(1.5, 3.0), Uniform(0.015, 0.09), Uniform(1.6, 3.5), Uniform(2.0, 4.5),
                Uniform(0.7, 3.0), Uniform(0.25, 1.1),
            ),
            *blocks.extras(
                2, 0.9, Uniform(0.2, 1.5), Uniform(0.01, 0.08), Uniform(0.8, 3.5)
            ),
            *blocks.clumps(
                Chance(0.60), WholeNumber(1, 5), Uniform(0.15, 0.7), 0.02,
                Uniform(0.016, 0.14),
            ),
            *blocks.spiral(Chance(0.25), 0.06),
            *blocks.photometry(Uniform(21.0, 23.5), Uniform(-0.2, 1.5)),
            *blocks.lens_light(Uniform(0.18, 0.9), Uniform(2.5, 5.0), 0.02),
            *blocks.neighbours(
                0.9, WholeNumber(3, 8), Uniform(0.02, 0.35), Uniform(0.008, 0.08), 0.4
            ),
            *blocks.exposure(Uniform(900, 1800), Uniform(0.04, 0.22), Uniform(0.8, 1.8)),
            *blocks.psf(
                Uniform(0.06, 0.12),
                Uniform(0.0, 0.08),
                OneOf(("gaussian", "moffat"), (0.5, 0.5)),
                Uniform(2.8, 4.5),
            ),
            *blocks.sky_gradient(Fixed(0.02)),
            *blocks.pixel_response(0.01),
            *blocks.correlated_noise(0.6),
            *blocks.vignetting(0.12, 0.06, 1.4),
            *blocks.cosmic_rays(0.02, 5, Uniform(75, 450)),
        ),
        lens_model="sie+shear+nfw@group+" + "+".join(f"sis@sub{i}" for i in range(1, 5)),
        gain=1.5,
        visibility=Visibility(least=0.35),
    )  # fmt: skip

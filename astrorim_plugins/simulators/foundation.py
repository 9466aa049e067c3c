"""The `foundation` simulator: a baseline of space-like images with strong arcs."""

from __future__ import annotations

from typing import ClassVar

import astropy.units as u

from astrorim_plugins.simulators import blocks
from astrorim_plugins.simulators.declaration import Declaration, Quantity, Visibility
from astrorim_plugins.simulators.distributions import (
    BehindLens,
    Chance,
    Uniform,
    WholeNumber,
)
from astrorim_plugins.simulators.population_simulator import PopulationSimulator

__all__ = ["Foundation"]

NONE = u.dimensionless_unscaled


class Foundation(PopulationSimulator):
    """Space-like images of elliptical lenses with shear and strong, visible arcs."""

    name = "foundation"
    aliases = ("v1",)
    description = "foundation baseline with strong arcs"
    declaration: ClassVar[Declaration] = Declaration(
        quantities=(
            *blocks.redshifts(Uniform(0.25, 0.70), BehindLens(0.05, 0.9, 3.0)),
            *blocks.mass(
                Quantity(
                    "theta_E", r"\theta_E", u.arcsec, Uniform(0.9, 1.5), "Einstein radius"
                ),
                Uniform(0.15, 0.45),
                0.04,
                Uniform(0.0, 0.08),
            ),
            *blocks.source_centre(Uniform(-0.20, 0.20)),
            Quantity(
                "source_amplitude", "A_s", NONE, Uniform(2.0, 6.0),
                "main profile at its half-light radius, relative",
            ),
            Quantity(
                "source_half_light_radius", "R_s", u.arcsec, Uniform(0.05, 0.25),
                "main profile",
            ),
            Quantity("source_sersic_index", "n_s", NONE, Uniform(1.0, 3.5), "main profile"),
            Quantity("source_ellipticity", "e_s", NONE, Uniform(0.0, 0.5), "main profile"),
            blocks.angle("source_orientation", r"\phi_s", "main profile"),
            *blocks.extras(
                2, 0.9, Uniform(1.0, 3.0), Uniform(0.04, 0.18), Uniform(0.8, 4.0),
                Uniform(0.0, 0.5),
            ),
            *blocks.clumps(
                Chance(0.70), WholeNumber(1, 4), Uniform(0.3, 1.0), 0.05,
                Uniform(0.024, 0.16),
            ),
            *blocks.photometry(Uniform(21.0, 23.2), Uniform(-0.3, 1.2)),
            *blocks.lens_light(Uniform(0.25, 1.0), Uniform(3.0, 5.0), 0.02),
            *blocks.exposure(Uniform(800, 1600), Uniform(0.06, 0.25), Uniform(0.8, 1.8)),
            *blocks.psf(Uniform(0.06, 0.10)),
        ),
        lens_model="sie+shear",
        gain=1.5,
        visibility=Visibility(least=0.35),
    )  # fmt: skip

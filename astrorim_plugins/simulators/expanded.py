"""The `expanded` simulator: the widest ranges of mass, redshift and observation."""

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
    TruncatedNormal,
    TruncatedPoisson,
    Uniform,
    WholeNumber,
)
from astrorim_plugins.simulators.multi_instrument import (
    INSTRUMENTS,
    by_instrument,
    near_or_far,
)
from astrorim_plugins.simulators.population_simulator import PopulationSimulator

__all__ = ["Expanded"]

NONE = u.dimensionless_unscaled


class Expanded(PopulationSimulator):
    """The widest ranges of everything, with second deflectors."""

    name = "expanded"
    aliases = ("v4",)
    description = "expanded parameter space"
    declaration: ClassVar[Declaration] = Declaration(
        quantities=(
            Quantity(
                "instrument", "i", NONE,
                OneOf(("space", "ground", "intermediate"), (0.45, 0.40, 0.15)), "telescope",
            ),
            *blocks.redshifts(Uniform(0.15, 0.90), BehindLens(0.05, 0.6, 3.5)),
            *blocks.mass(
                Quantity(
                    "velocity_dispersion", r"\sigma", u.km / u.s, Uniform(80, 380),
                    "velocity dispersion",
                ),
                Uniform(0.0, 0.7),
                0.06,
                Uniform(0.0, 0.16),
            ),
            *blocks.second_deflector(0.08),
            *blocks.centred_halo(),
            *blocks.group_halo(
                0.22, Uniform(0.16, 0.96), Uniform(8, 40), Uniform(-1, 1),
                in_einstein_radii=True,
            ),
            *blocks.subhalos(0.75, TruncatedPoisson(1.4, 6), Uniform(0.006, 0.08), 1.0),
            *near_or_far(),
            *blocks.bulge_and_disk(
                Beta(1.6, 3.0), Uniform(0.03, 0.14), Uniform(1.4, 3.6), Uniform(1.5, 4.5),
                Uniform(0.8, 5.0), Uniform(0.2, 1.1),
            ),
            *blocks.extras(
                4, 0.9, Uniform(0.2, 2.0), Uniform(0.015, 0.10), Uniform(0.6, 3.5)
            ),
            *blocks.clumps(
                Chance(0.75), WholeNumber(1, 5), Uniform(0.12, 0.6), 0.02,
                Uniform(0.016, 0.16), spread=1.152,
            ),
            *blocks.spiral(Chance(0.35), 0.06),
            *blocks.photometry(Uniform(20.0, 25.0), Uniform(-2.0, 3.0)),
            Quantity(
                "wants_visible_arcs", "P_w", NONE, Chance(0.2), "visible arcs are asked for"
            ),
            *blocks.lens_light(Uniform(0.25, 1.2), Uniform(2.5, 5.0), 0.02),
            *blocks.exposure(
                Uniform(800, 1600),
                by_instrument((0.006, 0.20), (0.02, 0.8), (0.01, 0.3)),
                by_instrument((0.5, 1.5), (0.8, 2.5), (0.6, 1.2)),
            ),
            *blocks.psf(
                by_instrument((0.06, 0.12), (0.5, 1.2), (0.12, 0.35)),
                Uniform(0.0, 0.35),
                OneOf(("gaussian", "moffat"), (0.5, 0.5)),
                Uniform(2.8, 5.0),
            ),
            *blocks.sky_gradient(Fixed(0.02)),
            *blocks.pixel_response(0.004),
            *blocks.correlated_noise(0.5),
            *blocks.sky_residual(0.35, 0.0015),
            *blocks.shift(0.75),
            *blocks.psf_mismatch(
                0.5, Uniform(0.92, 1.20), TruncatedNormal(0, 0.05, -0.15, 0.15), 0.35
            ),
            *blocks.cosmic_rays(0.01, 3, Uniform(15, 200)),
        ),
        lens_model="sie+shear+sie@second+nfw+nfw@group+"
        + "+".join(f"sis@sub{i}" for i in range(1, 7)),
        gain=1.0,
        visibility=Visibility(least=0.25),
        instruments=INSTRUMENTS,
    )  # fmt: skip

"""The `multi-instrument` simulator: space, ground and what lies between."""

from __future__ import annotations

from typing import ClassVar

import astropy.units as u

from astrorim_plugins.simulators import blocks
from astrorim_plugins.simulators.declaration import (
    Declaration,
    Instrument,
    Quantity,
    Visibility,
)
from astrorim_plugins.simulators.distributions import (
    BehindLens,
    Beta,
    Cases,
    Chance,
    Fixed,
    OneOf,
    TruncatedNormal,
    TruncatedPoisson,
    Uniform,
    WholeNumber,
)
from astrorim_plugins.simulators.population_simulator import PopulationSimulator

__all__ = ["INSTRUMENTS", "MultiInstrument", "by_instrument", "near_or_far"]

NONE = u.dimensionless_unscaled

INSTRUMENTS = (
    Instrument("space", 0.04),
    Instrument("ground", 0.20),
    Instrument("intermediate", 0.08),
)


def by_instrument(
    space: tuple[float, float], ground: tuple[float, float], between: tuple[float, float]
) -> Cases:
    """Uniform distributions for the three kinds of instrument."""
    return Cases("instrument", (Uniform(*space), Uniform(*ground), Uniform(*between)))


def near_or_far() -> tuple[Quantity, ...]:
    """Source centres close to the lens in 28 % of the draws, else farther."""
    placing = Cases("placing", (Uniform(-0.12, 0.12), Uniform(-0.6, 0.6)))
    return (
        Quantity("placing", "p", NONE, OneOf(("near", "far"), (0.28, 0.72)), "of the source"),
        *blocks.source_centre(placing),
    )


class MultiInstrument(PopulationSimulator):
    """Images of space telescopes, from the ground, and in between."""

    name = "multi-instrument"
    aliases = ("v3",)
    description = "multi-instrument diversity: space, ground, intermediate"
    declaration: ClassVar[Declaration] = Declaration(
        quantities=(
            Quantity(
                "instrument", "i", NONE,
                OneOf(("space", "ground", "intermediate"), (0.45, 0.45, 0.10)), "telescope",
            ),
            *blocks.redshifts(Uniform(0.25, 0.70), BehindLens(0.05, 0.85, 3.0)),
            *blocks.mass(
                Quantity(
                    "velocity_dispersion", r"\sigma", u.km / u.s, Uniform(100, 330),
                    "velocity dispersion",
                ),
                Uniform(0.0, 0.5),
                0.04,
                Uniform(0.0, 0.12),
            ),
            *blocks.group_halo(0.18, Fixed(0.5), Uniform(5, 25), Uniform(-0.3, 0.3)),
            *blocks.subhalos(0.70, TruncatedPoisson(1.0, 5), Uniform(0.008, 0.06), 0.5),
            *near_or_far(),
            *blocks.bulge_and_disk(
                Beta(1.6, 3.0), Uniform(0.03, 0.14), Uniform(1.4, 3.6), Uniform(1.5, 4.5),
                Uniform(0.8, 5.0), Uniform(0.2, 1.1),
            ),
            *blocks.extras(
                3, 0.9, Uniform(0.2, 2.0), Uniform(0.015, 0.10), Uniform(0.6, 3.5)
            ),
            *blocks.clumps(
                Chance(0.75), WholeNumber(1, 5), Uniform(0.15, 0.7), 0.02,
                Uniform(0.016, 0.16), spread=1.152,
            ),
            *blocks.spiral(Chance(0.35), 0.08),
            *blocks.photometry(Uniform(20.0, 25.5), Uniform(-2.0, 3.0)),
            Quantity(
                "wants_visible_arcs", "P_w", NONE, Chance(0.2), "visible arcs are asked for"
            ),
            *blocks.lens_light(Uniform(0.25, 1.2), Uniform(2.5, 5.0), 0.02),
            *blocks.exposure(
                Uniform(800, 1600),
                by_instrument((0.03, 0.20), (0.2, 3.0), (0.05, 0.8)),
                by_instrument((0.8, 1.8), (3.0, 8.0), (1.0, 4.0)),
            ),
            *blocks.psf(
                by_instrument((0.06, 0.12), (0.5, 1.2), (0.12, 0.35)),
                Uniform(0.0, 0.35),
                OneOf(("gaussian", "moffat"), (0.5, 0.5)),
                Uniform(2.5, 4.5),
            ),
            *blocks.sky_gradient(Fixed(0.03)),
            *blocks.pixel_response(0.01),
            *blocks.correlated_noise(0.6),
            *blocks.sky_residual(0.6, 0.003),
            *blocks.shift(0.85),
            *blocks.psf_mismatch(
                0.6, Uniform(0.9, 1.3), TruncatedNormal(0, 0.06, -0.18, 0.18), 0.4
            ),
            *blocks.cosmic_rays(0.03, 5, Uniform(30, 400)),
        ),
        lens_model="sie+shear+nfw@group+" + "+".join(f"sis@sub{i}" for i in range(1, 6)),
        gain=1.0,
        visibility=Visibility(least=0.25),
        instruments=INSTRUMENTS,
    )  # fmt: skip

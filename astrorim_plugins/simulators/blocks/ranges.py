"""What the groups of quantities are made of."""

from __future__ import annotations

import math

import astropy.units as u

from astrorim_plugins.simulators.declaration import Quantity
from astrorim_plugins.simulators.distributions import Distribution, Uniform

__all__ = ["ANGLE", "FULL_ANGLE", "NONE", "angle", "axes", "plus_minus"]


NONE = u.dimensionless_unscaled


ANGLE = Uniform(0.0, math.pi)


FULL_ANGLE = Uniform(0.0, 2 * math.pi)


def plus_minus(value: float) -> Uniform:
    """Uniform from ``-value`` to ``value``."""
    return Uniform(-value, value)


def axes(
    name: str,
    symbol: str,
    unit: u.UnitBase,
    distribution: Distribution,
    text: str,
    count: int = 1,
) -> tuple[Quantity, Quantity]:
    """Two quantities, along x and y."""
    return tuple(  # type: ignore[return-value]
        Quantity(f"{name}_{axis}", f"{symbol}_{axis}", unit, distribution, text, count)
        for axis in "xy"
    )


def angle(name: str, symbol: str, text: str, count: int = 1) -> Quantity:
    """Position angle, uniform over half a turn."""
    return Quantity(name, symbol, u.rad, ANGLE, text, count, math.pi)

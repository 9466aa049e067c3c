"""Distributions that simulators declare: drawn in torch, judged by their closed forms."""

from __future__ import annotations

from astrorim_plugins.simulators.distributions.base import Distribution
from astrorim_plugins.simulators.distributions.conditional import BehindLens, Cases
from astrorim_plugins.simulators.distributions.continuous import (
    Beta,
    Fixed,
    TruncatedGamma,
    TruncatedNormal,
    Uniform,
)
from astrorim_plugins.simulators.distributions.discrete import (
    Chance,
    OneOf,
    TruncatedPoisson,
    WholeNumber,
)

__all__ = [
    "BehindLens",
    "Beta",
    "Cases",
    "Chance",
    "Distribution",
    "Fixed",
    "OneOf",
    "TruncatedGamma",
    "TruncatedNormal",
    "TruncatedPoisson",
    "Uniform",
    "WholeNumber",
]

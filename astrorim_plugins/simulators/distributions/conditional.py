"""Distributions that depend on what was drawn before."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

import torch

from astrorim_plugins.simulators.distributions.base import Distribution

if TYPE_CHECKING:
    import numpy as np
    from torch import Tensor

__all__ = ["BehindLens", "Cases"]


@dataclass(frozen=True)
class Cases(Distribution):
    """Another distribution for each case of a quantity drawn before.

    Parameters
    ----------
    by : str
        Name of that quantity, a `OneOf`.
    cases : tuple of Distribution
        One for each of its cases, in order.
    """

    by: str
    cases: tuple[Distribution, ...]

    def __str__(self) -> str:
        return f"{'; '.join(map(str, self.cases))} (by {self.by})"

    @property
    def interval(self) -> tuple[float, float]:
        """Smallest and largest value of all cases."""
        lows, highs = zip(*(case.interval for case in self.cases), strict=True)
        return min(lows), max(highs)

    @property
    def discrete(self) -> bool:
        """Whether all cases are."""
        return all(case.discrete for case in self.cases)

    def quantile(self, probability: Tensor) -> Tensor:
        """Not defined without a case; use `draw`.

        Raises
        ------
        TypeError
            Always.
        """
        raise TypeError(f"{self} must be drawn with {self.by!r} given, by draw()")

    def cdf(self, value: np.ndarray) -> np.ndarray:
        """Not defined without a case; take that of one of ``cases``.

        Raises
        ------
        TypeError
            Always.
        """
        raise TypeError(f"{self} has a cdf for each case of {self.by!r} only")

    def draw(self, probability: Tensor, drawn: Mapping[str, Tensor]) -> Tensor:
        """Value at a cumulative probability of the case that was drawn; (B, n)."""
        which = drawn[self.by]
        value = self.cases[0].draw(probability, drawn)
        for number, case in enumerate(self.cases[1:], start=1):
            value = torch.where(which == number, case.draw(probability, drawn), value)
        return value


@dataclass(frozen=True)
class BehindLens(Distribution):
    """Redshift uniform from behind the lens to a largest one.

    The smallest is the lens' redshift plus ``margin``, and at least ``floor``.

    Parameters
    ----------
    margin : float
        Least distance in redshift.
    floor : float
        Least redshift.
    high : float
        Largest redshift.
    """

    margin: float
    floor: float
    high: float

    def __str__(self) -> str:
        low = f"z_lens + {self.margin:g}"
        if self.floor:
            low = f"max({low}, {self.floor:g})"
        return f"U({low}, {self.high:g})"

    @property
    def interval(self) -> tuple[float, float]:
        """Least and largest redshift."""
        return self.floor, self.high

    def quantile(self, probability: Tensor) -> Tensor:
        """Not defined without the lens; use `draw`.

        Raises
        ------
        TypeError
            Always.
        """
        raise TypeError(f"{self} must be drawn with z_lens given, by draw()")

    def cdf(self, value: np.ndarray) -> np.ndarray:
        """Not defined without the lens.

        Raises
        ------
        TypeError
            Always.
        """
        raise TypeError(f"{self} has no cdf without the lens' redshift")

    def draw(self, probability: Tensor, drawn: Mapping[str, Tensor]) -> Tensor:
        """Value at a cumulative probability behind the lens that was drawn; (B, n)."""
        low = (drawn["z_lens"] + self.margin).clamp(min=self.floor)
        return probability * (self.high - low) + low

"""Continuous distributions, some of them by tables of exact quantiles."""

from __future__ import annotations

from abc import abstractmethod
from dataclasses import dataclass
from functools import lru_cache
from typing import TYPE_CHECKING

import numpy as np
import torch
from scipy import stats

from astrorim_plugins.simulators.distributions.base import Distribution

if TYPE_CHECKING:
    from torch import Tensor

__all__ = ["Beta", "Fixed", "TruncatedGamma", "TruncatedNormal", "Uniform"]


_KNOTS = 16385


@dataclass(frozen=True)
class Uniform(Distribution):
    """Uniform between two limits.

    Parameters
    ----------
    low, high : float
        Limits.
    """

    low: float
    high: float

    def __str__(self) -> str:
        return f"U({self.low:g}, {self.high:g})"

    @property
    def interval(self) -> tuple[float, float]:
        """The limits."""
        return self.low, self.high

    def quantile(self, probability: Tensor) -> Tensor:
        """Linear in the probability."""
        return probability * (self.high - self.low) + self.low

    def cdf(self, value: np.ndarray) -> np.ndarray:
        """Cumulative probability."""
        return stats.uniform.cdf(value, self.low, self.high - self.low)


@dataclass(frozen=True)
class Fixed(Distribution):
    """Always the same value.

    Parameters
    ----------
    value : float
        The value.
    """

    value: float

    def __str__(self) -> str:
        return f"{self.value:g}"

    @property
    def interval(self) -> tuple[float, float]:
        """The value, twice."""
        return self.value, self.value

    def quantile(self, probability: Tensor) -> Tensor:
        """The value."""
        return torch.full_like(probability, self.value)

    def cdf(self, value: np.ndarray) -> np.ndarray:
        """One from the value on."""
        return (np.asarray(value) >= self.value).astype(float)


@dataclass(frozen=True)
class TruncatedNormal(Distribution):
    """Normal inside limits.

    Parameters
    ----------
    mean, deviation : float
        Of the normal distribution before it is cut.
    low, high : float
        Limits.
    """

    mean: float
    deviation: float
    low: float
    high: float

    def __str__(self) -> str:
        return f"N({self.mean:g}, {self.deviation:g}) in [{self.low:g}, {self.high:g}]"

    @property
    def interval(self) -> tuple[float, float]:
        """The limits."""
        return self.low, self.high

    def quantile(self, probability: Tensor) -> Tensor:
        """Value of the normal quantile between the limits' probabilities."""
        low, high = stats.norm.cdf([self.low, self.high], self.mean, self.deviation).tolist()
        normal = torch.special.ndtri(low + probability * (high - low))
        return self.mean + self.deviation * normal

    def cdf(self, value: np.ndarray) -> np.ndarray:
        """Cumulative probability."""
        low, high = ((x - self.mean) / self.deviation for x in (self.low, self.high))
        return stats.truncnorm.cdf(value, low, high, self.mean, self.deviation)


class _Tabulated(Distribution):
    """Quantiles by linear interpolation in a table of the exact ones."""

    @abstractmethod
    def exact_quantile(self, probability: np.ndarray) -> np.ndarray:
        """Values at cumulative probabilities, (...)."""

    def quantile(self, probability: Tensor) -> Tensor:
        """Interpolated between 16385 exact quantiles."""
        table = torch.as_tensor(_table(self)).to(probability)
        place = probability * (_KNOTS - 1)
        left = place.floor().clamp(0, _KNOTS - 2)
        first = left.to(torch.int64)
        return torch.lerp(table[first], table[first + 1], place - left)


@lru_cache(maxsize=64)
def _table(distribution: _Tabulated) -> np.ndarray:
    return distribution.exact_quantile(np.linspace(0, 1, _KNOTS))


@dataclass(frozen=True)
class Beta(_Tabulated):
    """Beta distribution, stretched to an interval.

    Parameters
    ----------
    a, b : float
        Its two shapes.
    low, high : float, optional
        The interval.
    """

    a: float
    b: float
    low: float = 0.0
    high: float = 1.0

    def __str__(self) -> str:
        name = f"Beta({self.a:g}, {self.b:g})"
        if (self.low, self.high) == (0, 1):
            return name
        return f"{self.low:g} + {self.high - self.low:g} {name}"

    @property
    def interval(self) -> tuple[float, float]:
        """The interval."""
        return self.low, self.high

    def exact_quantile(self, probability: np.ndarray) -> np.ndarray:
        """Quantile of the beta distribution, (...)."""
        return stats.beta.ppf(probability, self.a, self.b, self.low, self.high - self.low)

    def cdf(self, value: np.ndarray) -> np.ndarray:
        """Cumulative probability."""
        return stats.beta.cdf(value, self.a, self.b, self.low, self.high - self.low)


@dataclass(frozen=True)
class TruncatedGamma(_Tabulated):
    """Gamma distribution up to a largest value.

    Parameters
    ----------
    shape, scale : float
        Of the gamma distribution before it is cut.
    high : float
        Largest value.
    """

    shape: float
    scale: float
    high: float

    def __str__(self) -> str:
        return f"Gamma({self.shape:g}, {self.scale:g}), at most {self.high:g}"

    @property
    def interval(self) -> tuple[float, float]:
        """Zero and the largest value."""
        return 0.0, self.high

    def _inside(self) -> float:
        return float(stats.gamma.cdf(self.high, self.shape, scale=self.scale))

    def exact_quantile(self, probability: np.ndarray) -> np.ndarray:
        """Quantile of the gamma distribution, (...)."""
        return stats.gamma.ppf(probability * self._inside(), self.shape, scale=self.scale)

    def cdf(self, value: np.ndarray) -> np.ndarray:
        """Cumulative probability."""
        inside = stats.gamma.cdf(value, self.shape, scale=self.scale) / self._inside()
        return np.minimum(inside, 1.0)

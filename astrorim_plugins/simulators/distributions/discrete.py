"""Distributions of whole numbers, chances and named cases."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import torch
from scipy import stats

from astrorim_plugins.simulators.distributions.base import Distribution

if TYPE_CHECKING:
    from torch import Tensor

__all__ = ["Chance", "OneOf", "TruncatedPoisson", "WholeNumber"]


class _Discrete(Distribution):
    @property
    def discrete(self) -> bool:
        return True


@dataclass(frozen=True)
class WholeNumber(_Discrete):
    """Whole numbers between two limits, both included, all equally probable.

    Parameters
    ----------
    low, high : int
        Limits.
    """

    low: int
    high: int

    def __str__(self) -> str:
        return f"{{{self.low}..{self.high}}}"

    @property
    def interval(self) -> tuple[float, float]:
        """The limits."""
        return float(self.low), float(self.high)

    def quantile(self, probability: Tensor) -> Tensor:
        """Smallest number whose cumulative probability exceeds ``probability``."""
        return torch.floor(probability * (self.high - self.low + 1)) + self.low

    def cdf(self, value: np.ndarray) -> np.ndarray:
        """Cumulative probability."""
        return stats.randint.cdf(value, self.low, self.high + 1)


@dataclass(frozen=True)
class OneOf(_Discrete):
    """Number of one of several named cases.

    Parameters
    ----------
    names : tuple of str
        The cases.
    probabilities : tuple of float
        Probability of each; they sum to one.

    Raises
    ------
    ValueError
        If the probabilities do not fit the names or do not sum to one.
    """

    names: tuple[str, ...]
    probabilities: tuple[float, ...]

    def __post_init__(self) -> None:
        total = sum(self.probabilities)
        if len(self.names) != len(self.probabilities) or not math.isclose(total, 1):
            raise ValueError(
                "probabilities must be one for each name and sum to one, got "
                f"{self.probabilities} for {self.names}"
            )

    def __str__(self) -> str:
        pairs = zip(self.names, self.probabilities, strict=True)
        return ", ".join(f"{name} {p:.3g}" for name, p in pairs)

    @property
    def interval(self) -> tuple[float, float]:
        """Numbers of the first and the last case."""
        return 0.0, len(self.names) - 1.0

    def quantile(self, probability: Tensor) -> Tensor:
        """Number of the case."""
        edges = torch.tensor(self.probabilities, dtype=torch.float64).cumsum(0)[:-1]
        edges = edges.to(probability)
        return (probability[..., None] >= edges).sum(dim=-1).to(probability.dtype)

    def cdf(self, value: np.ndarray) -> np.ndarray:
        """Cumulative probability."""
        cumulative = np.concatenate([[0.0], np.cumsum(self.probabilities)])
        place = np.clip(np.floor(value) + 1, 0, len(self.names)).astype(int)
        return cumulative[place]


@dataclass(frozen=True)
class Chance(_Discrete):
    """One with a probability, else zero.

    Parameters
    ----------
    probability : float
        Of one.
    """

    probability: float

    def __str__(self) -> str:
        return f"1 with P = {self.probability:g}"

    @property
    def interval(self) -> tuple[float, float]:
        """Zero and one."""
        return 0.0, 1.0

    def quantile(self, probability: Tensor) -> Tensor:
        """One for the lowest probabilities."""
        return (probability < self.probability).to(probability.dtype)

    def cdf(self, value: np.ndarray) -> np.ndarray:
        """Cumulative probability."""
        return stats.bernoulli.cdf(value, self.probability)


@dataclass(frozen=True)
class TruncatedPoisson(_Discrete):
    """Poisson numbers up to a largest one.

    Parameters
    ----------
    mean : float
        Mean of the Poisson distribution before it is cut.
    most : int
        Largest number.
    """

    mean: float
    most: int

    def __str__(self) -> str:
        return f"Poisson({self.mean:g}), at most {self.most}"

    @property
    def interval(self) -> tuple[float, float]:
        """Zero and the largest number."""
        return 0.0, float(self.most)

    def _cumulative(self) -> np.ndarray:
        cumulative = stats.poisson.cdf(np.arange(self.most + 1), self.mean)
        return cumulative / cumulative[-1]

    def quantile(self, probability: Tensor) -> Tensor:
        """Smallest number whose cumulative probability exceeds ``probability``."""
        edges = torch.as_tensor(self._cumulative()[:-1]).to(probability)
        return (probability[..., None] >= edges).sum(dim=-1).to(probability.dtype)

    def cdf(self, value: np.ndarray) -> np.ndarray:
        """Cumulative probability."""
        cumulative = np.concatenate([[0.0], self._cumulative()])
        return cumulative[np.clip(np.floor(value) + 1, 0, self.most + 1).astype(int)]

"""Distributions that simulators declare: drawn in torch, judged by their closed forms."""

from __future__ import annotations

import math
from abc import ABC, abstractmethod
from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache
from typing import TYPE_CHECKING

import numpy as np
import torch
from scipy import stats

if TYPE_CHECKING:
    from torch import Tensor

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

_KNOTS = 16385


class Distribution(ABC):
    """A distribution of one number, drawn by its quantile function.

    Truncated distributions are redrawn inside their limits, not clipped to them, so that
    nothing piles up at an end.
    """

    @property
    @abstractmethod
    def interval(self) -> tuple[float, float]:
        """Smallest and largest value."""

    @abstractmethod
    def quantile(self, probability: Tensor) -> Tensor:
        """Value at a cumulative probability.

        Parameters
        ----------
        probability : Tensor, (...)
            In (0, 1).

        Returns
        -------
        Tensor, (...)
            In the unit of the quantity that is declared.
        """

    @abstractmethod
    def cdf(self, value: np.ndarray) -> np.ndarray:
        """Cumulative probability of values, (...)."""

    def draw(self, probability: Tensor, drawn: Mapping[str, Tensor]) -> Tensor:
        """Value at a cumulative probability, given what was drawn before.

        Parameters
        ----------
        probability : Tensor, (B, n)
            In (0, 1).
        drawn : mapping of str to Tensor, (B, m)
            Quantities that this one may depend on.

        Returns
        -------
        Tensor, (B, n)
        """
        del drawn
        return self.quantile(probability)

    @property
    def discrete(self) -> bool:
        """Whether only whole numbers occur."""
        return False


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

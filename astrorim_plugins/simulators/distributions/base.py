"""What every distribution that a simulator declares can do."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import numpy as np
    from torch import Tensor

__all__ = ["Distribution"]


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

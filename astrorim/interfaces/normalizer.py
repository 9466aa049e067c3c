"""The interface of normalizers."""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar

if TYPE_CHECKING:
    import numpy as np

__all__ = ["LinearScaling", "Normalizer"]


@dataclass(frozen=True)
class LinearScaling:
    """The map ``scaled = (data - offset) / scale``.

    Parameters
    ----------
    offset : float
        In the data's unit.
    scale : float
        In the data's unit; positive.

    Raises
    ------
    ValueError
        If ``scale`` is not positive and finite.
    """

    offset: float
    scale: float

    def __post_init__(self) -> None:
        if not 0 < self.scale < float("inf"):
            raise ValueError(f"scale must be positive and finite, got {self.scale}")

    def apply(self, data: np.ndarray) -> np.ndarray:
        """Scale ``data``."""
        return (data - self.offset) / self.scale

    def invert(self, scaled: np.ndarray) -> np.ndarray:
        """Undo `apply`."""
        return scaled * self.scale + self.offset


class Normalizer(ABC):
    """Finds a linear scaling of an image from that image alone, never from a truth."""

    name: ClassVar[str]
    """Name under which the normalizer is registered, for example ``"robust"``."""

    @abstractmethod
    def fit(self, data: np.ndarray, mask: np.ndarray | None = None) -> LinearScaling:
        """Find the scaling of an image.

        Parameters
        ----------
        data : ndarray, (H, W)
            Image, in its own unit.
        mask : ndarray of bool, (H, W), optional
            True where a pixel is not to be used.

        Returns
        -------
        LinearScaling

        Raises
        ------
        ValueError
            If no finite pixel is left or the image is constant.
        """

"""The interface of network backends."""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import TYPE_CHECKING, ClassVar, Literal

if TYPE_CHECKING:
    from pathlib import Path

    from torch import nn

__all__ = ["NetworkBackend"]


class NetworkBackend(ABC):
    """Builds one of the two networks of the reconstruction.

    An **encoder** module maps an image in units of its noise to a conditional
    distribution over the standardised lens and light parameters:
    ``encoder(features, psf) -> torch.distributions.Distribution``, with ``features``
    ``(B, C, N, N)`` and ``psf`` ``(B, 1, K, K)``.

    A **recurrence** module is the cell of the RIM:
    ``cell(inputs, state) -> (update, state)``, with ``inputs`` ``(B, C, n, n)``,
    ``update`` ``(B, 1, n, n)``, and ``cell.initial_state(batch, size, like)``.
    """

    name: ClassVar[str]
    """Name under which the backend is registered, for example ``"unet-gru"``."""

    role: ClassVar[Literal["encoder", "recurrence"]]
    """Which of the two networks it builds."""

    @abstractmethod
    def build(self, **architecture: int) -> nn.Module:
        """Build the network with fresh weights.

        Parameters
        ----------
        **architecture : int
            Sizes, as stored in a checkpoint; the backend's defaults where left out.

        Returns
        -------
        torch.nn.Module

        Raises
        ------
        TypeError
            If an option is not one of the backend's.
        """

    @abstractmethod
    def architecture(self) -> dict[str, int]:
        """Every option of `build` with its default, as a checkpoint records them."""

    def weights(self) -> Path | None:
        """Trained weights that come with the backend; None when there are none."""
        return None

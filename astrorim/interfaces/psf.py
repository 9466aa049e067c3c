"""The interface of point spread functions."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping
from typing import TYPE_CHECKING, ClassVar

if TYPE_CHECKING:
    from torch import Tensor

    from astrorim.parameters import Parameter

__all__ = ["PSF"]


class PSF(ABC):
    """A point spread function that can be sampled on a kernel."""

    name: ClassVar[str]
    """Name under which the PSF is registered, for example ``"gaussian"``."""

    parameters: ClassVar[tuple[Parameter, ...]]
    """The parameters, for example ``fwhm`` in arcsec."""

    @abstractmethod
    def kernel(
        self, sampling: Tensor, size: int, params: Mapping[str, Tensor]
    ) -> Tensor:
        """Kernel on a square grid, centred on its middle element, summing to one.

        Parameters
        ----------
        sampling : Tensor, (B,), arcsec
            Side of a kernel element (the sub-pixel's, where rendering is supersampled).
        size : int
            Number of elements along each side; odd.
        params : mapping of str to Tensor, (B,)
            Parameter values.

        Returns
        -------
        Tensor, (B, size, size), dimensionless

        Raises
        ------
        ValueError
            If ``size`` is even.
        """

    @abstractmethod
    def size_for(
        self,
        sampling: Tensor,
        params: Mapping[str, Tensor],
        enclosed: float = 0.995,
    ) -> int:
        """Smallest odd kernel size that holds the fraction ``enclosed`` of the light.

        Parameters
        ----------
        sampling : Tensor, (B,), arcsec
            Side of a kernel element.
        params : mapping of str to Tensor, (B,)
            Parameter values.
        enclosed : float, optional
            Fraction of the light, below one.

        Returns
        -------
        int
            For the broadest PSF of the batch.
        """

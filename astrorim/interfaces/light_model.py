"""The interface of light models."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping
from typing import TYPE_CHECKING, ClassVar

if TYPE_CHECKING:
    from torch import Tensor

    from astrorim.parameters import Parameter

__all__ = ["LightModel"]


class LightModel(ABC):
    """A surface-brightness distribution, as a function of position.

    Models are stateless, like lens models; see `LensModel` for how positions and
    parameters are given.
    """

    name: ClassVar[str]
    """Name under which the model is registered, for example ``"sersic"``."""

    parameters: ClassVar[tuple[Parameter, ...]]
    """The model's parameters; exactly one of them, ``amplitude``, is linear."""

    @abstractmethod
    def surface_brightness(
        self, x: Tensor, y: Tensor, params: Mapping[str, Tensor]
    ) -> Tensor:
        """Surface brightness at each position.

        Parameters
        ----------
        x, y : Tensor, (B, H, W), arcsec
            Positions.
        params : mapping of str to Tensor
            Parameter values that broadcast against the positions.

        Returns
        -------
        Tensor, (B, H, W), flux per arcsec^2
        """

    @abstractmethod
    def total_flux(self, params: Mapping[str, Tensor]) -> Tensor:
        """Flux of the whole profile, integrated over the plane.

        Parameters
        ----------
        params : mapping of str to Tensor
            Parameter values; positions are not needed.

        Returns
        -------
        Tensor
            Same shape as the parameters, flux.
        """

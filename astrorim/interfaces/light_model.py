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
    """The model's parameters; the brightness is linear in one of them at least."""

    @property
    def linear_names(self) -> tuple[str, ...]:
        """Names of the parameters that the brightness is linear in, in order."""
        return tuple(p.name for p in self.parameters if p.linear)

    def basis(self, x: Tensor, y: Tensor, params: Mapping[str, Tensor]) -> Tensor:
        r"""Surface brightness per unit of each linear parameter.

        With the linear parameters :math:`a_k`, the brightness is :math:`\sum_k a_k b_k`.
        Models of many components override this where it can be had faster.

        Parameters
        ----------
        x, y : Tensor, (B, H, W), arcsec
            Positions.
        params : mapping of str to Tensor
            As for `surface_brightness`; the linear ones give shapes only.

        Returns
        -------
        Tensor, (B, K, H, W), flux per arcsec^2
        """
        import torch

        names = self.linear_names
        dark = {name: torch.zeros_like(params[name]) for name in names}
        return torch.stack(
            [
                self.surface_brightness(
                    x, y, {**params, **dark, name: torch.ones_like(params[name])}
                )
                for name in names
            ],
            dim=1,
        )

    @abstractmethod
    def surface_brightness(self, x: Tensor, y: Tensor, params: Mapping[str, Tensor]) -> Tensor:
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

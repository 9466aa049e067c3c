"""The interface of lens models."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping
from typing import TYPE_CHECKING, ClassVar

if TYPE_CHECKING:
    from torch import Tensor

    from astrorim.parameters import Parameter

__all__ = ["LensModel"]


class LensModel(ABC):
    r"""A projected mass distribution, as functions of position on the sky.

    All lengths are in arcsec and all quantities are scaled to the source at hand:
    :math:`\nabla\psi = \alpha` and :math:`\nabla^2\psi = 2\kappa`. Models are stateless;
    parameters come with each call, as tensors that broadcast against the positions
    (the caller gives ``(B, 1, 1)`` for positions ``(B, H, W)`` or ``(H, W)``), in the
    units that `parameters` declares. Values and gradients must be finite for every
    position and every parameter inside its support, the special points included, and
    must follow the dtype and device of what comes in.
    """

    name: ClassVar[str]
    """Name under which the model is registered, for example ``"sie"``."""

    parameters: ClassVar[tuple[Parameter, ...]]
    """The model's parameters; `Parameter.name` is the key in ``params``."""

    @abstractmethod
    def potential(self, x: Tensor, y: Tensor, params: Mapping[str, Tensor]) -> Tensor:
        r"""Lensing potential :math:`\psi`, up to a constant.

        Parameters
        ----------
        x, y : Tensor, (B, H, W), arcsec
            Positions on the sky.
        params : mapping of str to Tensor
            Parameter values that broadcast against the positions.

        Returns
        -------
        Tensor, (B, H, W), arcsec^2
        """

    @abstractmethod
    def deflection(
        self, x: Tensor, y: Tensor, params: Mapping[str, Tensor]
    ) -> tuple[Tensor, Tensor]:
        r"""Reduced deflection :math:`\alpha = \nabla\psi`.

        Parameters
        ----------
        x, y : Tensor, (B, H, W), arcsec
            Positions on the sky.
        params : mapping of str to Tensor
            Parameter values that broadcast against the positions.

        Returns
        -------
        alpha_x, alpha_y : Tensor, (B, H, W), arcsec
        """

    @abstractmethod
    def convergence(self, x: Tensor, y: Tensor, params: Mapping[str, Tensor]) -> Tensor:
        r"""Convergence :math:`\kappa = \Sigma / \Sigma_\mathrm{crit}`.

        Parameters
        ----------
        x, y : Tensor, (B, H, W), arcsec
            Positions on the sky.
        params : mapping of str to Tensor
            Parameter values that broadcast against the positions.

        Returns
        -------
        Tensor, (B, H, W), dimensionless
        """

"""What the draws of mass, light and source have in common."""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch

if TYPE_CHECKING:
    from torch import Tensor

__all__ = ["exists", "shape_components"]


def shape_components(modulus: Tensor, angle: Tensor) -> tuple[Tensor, Tensor]:
    """Ellipticity or shear as ``modulus (cos 2 angle, sin 2 angle)``.

    Parameters
    ----------
    modulus : Tensor, (...)
        Ellipticity (1-q)/(1+q), or shear.
    angle : Tensor, (...), rad
        Position angle.

    Returns
    -------
    tuple of Tensor, (...)
        The two components.
    """
    return modulus * torch.cos(2 * angle), modulus * torch.sin(2 * angle)


def exists(number: Tensor, most: int) -> Tensor:
    """Whether a lens has its j-th component.

    Parameters
    ----------
    number : Tensor, (B,)
        How many components each lens has.
    most : int
        Most components.

    Returns
    -------
    Tensor, (B, most)
        Zeros and ones, in the dtype of ``number``.
    """
    return (torch.arange(most, device=number.device) < number[:, None]).to(number.dtype)

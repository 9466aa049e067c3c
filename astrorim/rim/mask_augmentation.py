"""Masked pixels as real images have them: small frames, and neighbours cut out."""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch

if TYPE_CHECKING:
    from torch import Generator, Tensor

__all__ = ["draw_masks"]

_SMALL_FRAMES = 0.35  # of the lenses
_SMALLEST_FRAME = 0.66  # of the frame's side
_WITH_DISCS = 0.35  # of the lenses
_MOST_DISCS = 3
_RADII = (1.5, 6.0)  # pixels


def draw_masks(images: Tensor, generator: Generator) -> Tensor:
    """Masks for a batch of images.

    A third of the lenses have a frame smaller than the others', a third have one to three
    discs of 1.5 to 6 pixels' radius cut out at random places, which may hide a part of
    the arcs.

    Parameters
    ----------
    images : Tensor, (B, H, W)
        What is masked; only its shape, type and device are looked at.
    generator : Generator
        Source of randomness, on the device of the images.

    Returns
    -------
    Tensor, (B, H, W)
        One where a pixel counts, zero where it is masked.
    """
    number, height, width = images.shape
    device = images.device

    def uniform(*size: int) -> Tensor:
        return torch.rand(size, generator=generator, device=device)

    y = torch.arange(height, device=device)[None, :, None] - (height - 1) / 2
    x = torch.arange(width, device=device)[None, None, :] - (width - 1) / 2
    share = _SMALLEST_FRAME + (1 - _SMALLEST_FRAME) * uniform(number, 1, 1)
    share = torch.where(uniform(number, 1, 1) < _SMALL_FRAMES, share, 1.0)
    good = (x.abs() <= share * width / 2) & (y.abs() <= share * height / 2)
    has_discs = uniform(number, 1, 1) < _WITH_DISCS
    count = 1 + torch.floor(_MOST_DISCS * uniform(number, 1, 1))
    low, high = _RADII
    for disc in range(_MOST_DISCS):
        draws = uniform(3, number, 1, 1)
        radius = low + (high - low) * draws[0]
        distance = torch.hypot(x - (draws[1] - 0.5) * width, y - (draws[2] - 0.5) * height)
        good = good & ~((distance < radius) & has_discs & (disc < count))
    return good.to(images.dtype)

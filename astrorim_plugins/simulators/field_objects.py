"""Light of small objects in the frame, evaluated about each of them alone."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING

import torch

from astrorim_plugins.simulators.sources.components import present

if TYPE_CHECKING:
    from torch import Tensor

    from astrorim_plugins.simulators.rendering import SuperGrid

__all__ = ["add_objects", "moffat_brightness"]

_HALF_WIDTH = 96
"""Half the side of the window about an object, sub-pixels."""


def moffat_brightness(x: Tensor, y: Tensor, params: Mapping[str, Tensor]) -> Tensor:
    r"""Round Moffat profile :math:`A (1 + r^2/\alpha^2)^{-\beta}`.

    :math:`\alpha = \mathrm{FWHM} / (2 \sqrt{2^{1/\beta} - 1})` (Moffat 1969, A&A 3, 455).

    Parameters
    ----------
    x, y : Tensor, (B, H, W), arcsec
        Positions.
    params : mapping of str to Tensor, (B, 1, 1)
        ``amplitude`` A, ``fwhm``, ``beta``, ``x0``, ``y0``.

    Returns
    -------
    Tensor, (B, H, W), counts per arcsec^2
    """
    beta = params["beta"]
    alpha = params["fwhm"] / (2 * torch.sqrt(2 ** (1 / beta) - 1))
    square = ((x - params["x0"]) ** 2 + (y - params["y0"]) ** 2) / alpha**2
    return params["amplitude"] * torch.exp(-beta * torch.log1p(square))


def add_objects(
    scene: Tensor,
    grid: SuperGrid,
    table: Mapping[str, Tensor],
    brightness: Callable[[Tensor, Tensor, Mapping[str, Tensor]], Tensor],
) -> None:
    """Add objects to scenes, each in a window of 192 x 192 sub-pixels about it, in place.

    Field galaxies of half-light radii up to 0.08 arcsec and stars fall below 1e-4 of the
    brightest lens galaxies' centres well inside the window, which is 0.96 arcsec away.

    Parameters
    ----------
    scene : Tensor, (B, H', W'), counts per arcsec^2
        Scenes on the sub-pixels, margin included.
    grid : SuperGrid
        The sub-pixels.
    table : mapping of str to Tensor, (B, n)
        Parameters of n objects; those of amplitude zero do not exist.
    brightness : callable
        ``brightness(x, y, params)`` at positions (B, H, W).
    """
    axes = grid.axes(scene.device)
    for _, rows, own in present(table):
        windows = []
        for axis, name in zip(axes, ("x0", "y0"), strict=True):
            width = min(2 * _HALF_WIDTH, len(axis))
            middle = torch.round((own[name].view(-1) - axis[0]) / grid.spacing)
            start = (middle.to(torch.int64) - width // 2).clamp(0, len(axis) - width)
            windows.append(start[:, None] + torch.arange(width, device=scene.device))
        columns, lines = windows
        x, y = axes[0][columns][:, None, :], axes[1][lines][:, :, None]
        shape = (len(rows), lines.shape[1], columns.shape[1])
        values = brightness(x.expand(shape), y.expand(shape), own)
        place = (rows[:, None, None], lines[:, :, None], columns[:, None, :])
        scene.index_put_(place, values, accumulate=True)

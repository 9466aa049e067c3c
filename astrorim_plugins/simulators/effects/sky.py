"""The sky: a gradient across the frame, and what a wrong subtraction leaves behind."""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch

if TYPE_CHECKING:
    from torch import Tensor

__all__ = ["frame_axis", "residual_plane", "sky_plane"]


def frame_axis(number: int, *, like: Tensor) -> Tensor:
    r"""Centres of the pixels along one axis of a frame, in units of its side.

    :math:`x_i = (i + 1/2) / n - 1/2`: the outer edges of the first and the last pixel lie
    at :math:`\mp 1/2`, and the mean is zero.

    Parameters
    ----------
    number : int
        Pixels n along the axis.
    like : Tensor
        Whose dtype and device the axis has.

    Returns
    -------
    Tensor, (n,), sides of the frame
    """
    steps = torch.arange(number, dtype=torch.float64, device=like.device)
    return ((steps - (number - 1) / 2) / number).to(like.dtype)


def sky_plane(shape: tuple[int, int], gradient_x: Tensor, gradient_y: Tensor) -> Tensor:
    r"""Factor by which the sky differs from its mean, a plane.

    :math:`1 + g_x x + g_y y` with x, y in [-1/2, 1/2] from edge to edge of the frame
    (see `frame_axis`), so that the sky of a frame keeps its mean and a gradient is the
    relative change from one edge to the other.

    Parameters
    ----------
    shape : tuple of int
        Frame, ``(ny, nx)``, pixels.
    gradient_x, gradient_y : Tensor, (B,)
        Gradients :math:`g_x` along the rows and :math:`g_y` along the columns.

    Returns
    -------
    Tensor, (B, ny, nx)
        To be multiplied with the sky; dtype and device of the gradients.
    """
    return 1 + _plane(shape, gradient_x, gradient_y)


def residual_plane(
    shape: tuple[int, int], slope_x: Tensor, slope_y: Tensor, sky: Tensor
) -> Tensor:
    r"""Counts that an imperfect subtraction of the sky leaves behind, a plane.

    :math:`(b_x x + b_y y)\,S` with x, y in [-1, 1] from edge to edge of the frame: twice
    the coordinates of `sky_plane`. To be added once the noise is drawn and the sky taken
    off, as an error of the reduction has no photon noise.

    Parameters
    ----------
    shape : tuple of int
        Frame, ``(ny, nx)``, pixels.
    slope_x, slope_y : Tensor, (B,)
        Relative slopes :math:`b_x` and :math:`b_y`.
    sky : Tensor, (B,), counts
        Level S of the sky that was taken off.

    Returns
    -------
    Tensor, (B, ny, nx), counts
        With mean zero; dtype and device of the slopes.
    """
    return _plane(shape, 2 * slope_x * sky, 2 * slope_y * sky)


def _plane(shape: tuple[int, int], along_x: Tensor, along_y: Tensor) -> Tensor:
    ny, nx = shape
    x = frame_axis(nx, like=along_x)[None, None, :]
    y = frame_axis(ny, like=along_y)[None, :, None]
    return along_x[:, None, None] * x + along_y[:, None, None] * y

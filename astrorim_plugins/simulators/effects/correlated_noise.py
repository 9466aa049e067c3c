"""Noise whose neighbouring pixels are correlated, as in images that were resampled."""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch

if TYPE_CHECKING:
    from torch import Tensor

__all__ = ["LARGEST_CORRELATION", "correlate", "correlation_kernel"]

LARGEST_CORRELATION = 0.7
"""Largest correlation of neighbours; three taps reach the square root of one half."""


def correlation_kernel(rho: Tensor) -> Tensor:
    r"""Kernel that makes white noise correlate by rho between neighbouring pixels.

    Separable: along each axis :math:`[a, 1, a] / \sqrt{1 + 2 a^2}`. White noise convolved
    with it correlates by :math:`2 a / (1 + 2 a^2)` between horizontal or vertical
    neighbours; equal to :math:`\rho` for

    .. math:: a = \frac{1 - \sqrt{1 - 2 \rho^2}}{2 \rho}
                = \frac{\rho}{1 + \sqrt{1 - 2 \rho^2}} ,

    of which the second form is exact down to zero. Diagonal neighbours correlate by
    :math:`\rho^2`, pixels two apart by :math:`a^2 / (1 + 2 a^2)`, pixels further apart
    not at all. Drizzled images have such noise (Fruchter & Hook 2002, PASP 114, 144,
    section 7); theirs depends on where a pixel lies between the input pixels, ours is the
    same everywhere.

    Parameters
    ----------
    rho : Tensor, (B,)
        Correlation of neighbours, at most `LARGEST_CORRELATION` in modulus.

    Returns
    -------
    Tensor, (B, 3, 3)
        Squares sum to one, so that the variance stays; dtype and device of ``rho``.

    Raises
    ------
    ValueError
        If a correlation is too large.
    """
    # Three roundings of float32 are allowed for.
    if not bool((rho.abs() <= LARGEST_CORRELATION * (1 + 4e-7)).all()):
        raise ValueError(
            f"rho must lie within -{LARGEST_CORRELATION} and {LARGEST_CORRELATION}, which "
            f"three taps can reach, got {rho.tolist()}"
        )
    side = rho / (1 + torch.sqrt(1 - 2 * rho**2))
    taps = torch.stack([side, torch.ones_like(side), side], dim=-1)
    taps = taps / torch.sqrt(1 + 2 * side**2)[:, None]
    return taps[:, :, None] * taps[:, None, :]


def correlate(white: Tensor, kernel: Tensor) -> Tensor:
    r"""Convolve white noise with each lens' kernel, where the kernel lies in the frame.

    :math:`n_{yx} = \sum_{ij} k_{ij}\,w_{y - i,\,x - j}`, the convolution. To be given
    noise alone: an image convolved in this way would lose its sharpness. Sums are taken tap by
    tap, in the precision of the input on every device.

    Parameters
    ----------
    white : Tensor, (B, H + N - 1, W + N - 1)
        White noise on a frame N // 2 pixels larger on each side.
    kernel : Tensor, (B, N, N)
        Any kernel; N odd.

    Returns
    -------
    Tensor, (B, H, W)

    Raises
    ------
    ValueError
        If the kernel's side is even.
    """
    size = kernel.shape[-1]
    if size % 2 == 0:
        raise ValueError(f"kernel must have an odd side, got shape {tuple(kernel.shape)}")
    height, width = (n - size + 1 for n in white.shape[-2:])
    taps = kernel.flip(-2, -1)[..., None, None]
    total = torch.zeros_like(white[:, :height, :width])
    for i in range(size):
        for j in range(size):
            total = total + taps[:, i, j] * white[:, i : i + height, j : j + width]
    return total

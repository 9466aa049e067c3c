"""Convolution with a point spread function by FFT, with its exact transpose."""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch
from scipy.fft import next_fast_len

if TYPE_CHECKING:
    from torch import Tensor

__all__ = ["Convolution", "bin_kernel", "bin_pixels", "convolve", "spread_pixels"]


def bin_pixels(image: Tensor, factor: int) -> Tensor:
    """Mean over blocks of ``factor`` x ``factor`` pixels.

    Parameters
    ----------
    image : Tensor, (B, H factor, W factor)
        Any unit of surface brightness.
    factor : int
        Side of a block.

    Returns
    -------
    Tensor, (B, H, W)
        Same unit.
    """
    if factor == 1:
        return image
    return torch.nn.functional.avg_pool2d(image[:, None], factor)[:, 0]


def spread_pixels(image: Tensor, factor: int) -> Tensor:
    """Transpose of `bin_pixels`: each value divided evenly over its block."""
    if factor == 1:
        return image
    wide = image.repeat_interleave(factor, dim=-1).repeat_interleave(factor, dim=-2)
    return wide / factor**2


def bin_kernel(kernel: Tensor, factor: int) -> Tensor:
    r"""Kernel on a grid ``factor`` times coarser, for a scene constant in each element.

    With the fine kernel :math:`k_d`, the coarse one is
    :math:`K_J = \sum_d k_d \max(0, 1 - |d - f J| / f)`: convolving finely and then
    averaging over coarse elements is the same, exactly, as averaging first and
    convolving with K, where the scene is constant inside every coarse element.

    Parameters
    ----------
    kernel : Tensor, (B, K, K)
        Odd K, centred on its middle element.
    factor : int
        How many fine elements make the side of a coarse one.

    Returns
    -------
    Tensor, (B, L, L)
        Odd L; same sum.
    """
    if factor == 1:
        return kernel
    half = kernel.shape[-1] // 2
    coarse_half = -(-(half + factor - 1) // factor)
    fine = torch.arange(-half, half + 1, device=kernel.device)
    coarse = torch.arange(-coarse_half, coarse_half + 1, device=kernel.device)
    distance = (fine[None, :] - factor * coarse[:, None]).abs().to(kernel.dtype)
    weights = (1 - distance / factor).clamp_min(0)
    return weights @ kernel @ weights.mT


class Convolution:
    """Convolution of padded frames with a kernel each: "valid", so edges keep their light.

    Parameters
    ----------
    kernel : Tensor, (B, K, K) or (1, K, K)
        Odd K, centred on the middle element.
    shape : tuple of int
        Output frame (H, W); the input is larger by K // 2 on every side.

    Raises
    ------
    ValueError
        If the kernel's side is even.
    """

    def __init__(self, kernel: Tensor, shape: tuple[int, int]) -> None:
        size = kernel.shape[-1]
        if size % 2 == 0 or kernel.shape[-2] != size:
            raise ValueError(
                f"the PSF kernel must be square with an odd side, got {tuple(kernel.shape)}; "
                "pad or trim it so that its peak is the middle element"
            )
        self.half = size // 2
        self.shape = shape
        self.padded_shape = (shape[0] + 2 * self.half, shape[1] + 2 * self.half)
        self._fft_shape = tuple(next_fast_len(n, real=True) for n in self.padded_shape)
        rolled = torch.nn.functional.pad(
            kernel, (0, self._fft_shape[1] - size, 0, self._fft_shape[0] - size)
        ).roll((-self.half, -self.half), (-2, -1))
        self._transfer = torch.fft.rfft2(rolled)

    def _filtered(self, padded: Tensor, transfer: Tensor) -> Tensor:
        spectrum = torch.fft.rfft2(padded, s=self._fft_shape)
        return torch.fft.irfft2(spectrum * transfer, s=self._fft_shape)

    def apply(self, padded: Tensor) -> Tensor:
        """Convolve.

        Parameters
        ----------
        padded : Tensor, (B, H + K - 1, W + K - 1)
            Scene with its margin.

        Returns
        -------
        Tensor, (B, H, W)
        """
        h, (height, width) = self.half, self.shape
        return self._filtered(padded, self._transfer)[..., h : h + height, h : h + width]

    def transpose(self, image: Tensor) -> Tensor:
        """Apply the exact transpose of `apply`.

        Parameters
        ----------
        image : Tensor, (B, H, W)
            What `apply` returns, or anything of its shape.

        Returns
        -------
        Tensor, (B, H + K - 1, W + K - 1)
        """
        h = self.half
        padded = torch.nn.functional.pad(image, (h, h, h, h))
        full = self._filtered(padded, self._transfer.conj())
        return full[..., : self.padded_shape[0], : self.padded_shape[1]]


def convolve(images: Tensor, kernels: Tensor) -> Tensor:
    """Convolve frames that are zero outside, at the same size ("same").

    Parameters
    ----------
    images : Tensor, (B, H, W)
        Scenes.
    kernels : Tensor, (B, K, K)
        Odd K, centred.

    Returns
    -------
    Tensor, (B, H, W)
    """
    operator = Convolution(kernels, (images.shape[-2], images.shape[-1]))
    h = operator.half
    return operator.apply(torch.nn.functional.pad(images, (h, h, h, h)))

"""What the parameter encoder sees: the image in units of its noise, in one frame size."""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch

from astrorim.lensing.convolution import bin_kernel

if TYPE_CHECKING:
    from torch import Tensor

    from astrorim.lensing.forward import ImageData

__all__ = ["NUM_FEATURES", "image_features", "psf_features", "to_frame", "typical_noise"]

NUM_FEATURES = 7
"""Number of channels of `image_features`."""


def to_frame(image: Tensor, size: int) -> Tensor:
    """Crop or zero-pad the last two axes about their centre to ``size`` x ``size``.

    Parameters
    ----------
    image : Tensor, (B, H, W)
        H and W of any parity; a frame whose parity differs from ``size`` is shifted by
        half a pixel towards the origin of the array.
    size : int
        Side of the result.

    Returns
    -------
    Tensor, (B, size, size)
    """
    for axis in (-2, -1):
        excess = image.shape[axis] - size
        if excess > 0:
            image = image.narrow(axis, excess // 2, size)
        elif excess < 0:
            low = (-excess + 1) // 2
            pad = [0, 0, 0, 0]
            pad[0 if axis == -1 else 2] = low
            pad[1 if axis == -1 else 3] = -excess - low
            image = torch.nn.functional.pad(image, pad)
    return image


def typical_noise(data: ImageData) -> Tensor:
    """Median noise of the unmasked pixels, (B,), flux per pixel."""
    flat = torch.where(data.good > 0, data.noise, torch.nan).flatten(1)
    return flat.nanmedian(dim=1).values


def image_features(data: ImageData, frame: int) -> Tensor:
    r"""Encoder input, independent of the unit of the data.

    Channels: :math:`\mathrm{asinh}` of the signal to noise of each pixel; the image
    divided by the mean of its hundred brightest pixels, in which the shape of the light is
    linear; the logarithm of the noise over its median; the mask; the position x, y and
    radius in units of half a frame.

    Parameters
    ----------
    data : ImageData
        Images (B, H, W).
    frame : int
        Side N of the feature frame, pixels.

    Returns
    -------
    Tensor, (B, 7, N, N)
    """
    good = to_frame(data.good, frame)
    image = to_frame(data.image * data.good, frame)
    level = typical_noise(data)[:, None, None]
    noise = to_frame(torch.where(data.good > 0, data.noise, level), frame)
    noise = torch.where(noise > 0, noise, level)
    signal = image / noise
    brightest = image.flatten(1).topk(100, dim=1).values.mean(dim=1)[:, None, None]
    relative = image / torch.maximum(brightest.abs(), level)
    steps = torch.arange(frame, device=image.device, dtype=image.dtype)
    unit = (steps - (frame - 1) / 2) / (frame / 2)
    x = unit[None, None, :].expand_as(image)
    y = unit[None, :, None].expand_as(image)
    return torch.stack(
        [
            torch.asinh(signal) / 2,
            relative.clamp(-1, 5),
            (noise / level).log(),
            good,
            x,
            y,
            torch.hypot(x, y),
        ],
        dim=1,
    )


def psf_features(data: ImageData, frame: int) -> Tensor:
    """PSF stamp at the detector's sampling, relative to its peak; (B, 1, K, K).

    Parameters
    ----------
    data : ImageData
        Gives the PSF.
    frame : int
        Side K of the stamp; odd.
    """
    kernel = to_frame(bin_kernel(data.psf, data.psf_supersampling), frame)
    return (kernel / kernel.amax(dim=(-2, -1), keepdim=True))[:, None]

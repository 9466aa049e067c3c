"""Images binned to coarser pixels or cut to their middle, on which a fit costs a tenth."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import torch
import torch.nn.functional as nn

from astrorim.lensing.convolution import bin_kernel, bin_pixels
from astrorim.lensing.forward import ForwardModel, ImageData

if TYPE_CHECKING:
    from torch import Tensor

__all__ = ["central_model", "coarse_mask", "coarse_model"]


def _padded(image: Tensor, factor: int, value: float = 0.0) -> Tensor:
    """Rows and columns added at the end until the factor divides both."""
    height, width = image.shape[-2:]
    return nn.pad(image, (0, -width % factor, 0, -height % factor), value=value)


def coarse_model(model: ForwardModel, factor: int) -> ForwardModel:
    """The same images on pixels of ``factor`` x ``factor`` old ones.

    A new pixel counts where all its old ones do. The PSF is brought to the sampling of the
    new pixels, and the source is traced on two sub-pixels a side.

    Parameters
    ----------
    model : ForwardModel
        Of the images as they are.
    factor : int
        Old pixels along the side of a new one; 1 coarsens the PSF's sampling alone.

    Returns
    -------
    ForwardModel
    """
    data = model.data
    area = factor**2
    image = bin_pixels(_padded(data.image, factor), factor) * area
    variance = bin_pixels(_padded(data.noise**2, factor, 1.0), factor) * area
    good = (bin_pixels(_padded(data.good, factor), factor) > 1 - 1e-6).to(data.good)
    height, width = model.shape
    scale = float(data.pixel_scale[0])
    return ForwardModel(
        model.system,
        ImageData(
            image,
            variance.sqrt(),
            good,
            bin_kernel(data.psf, data.psf_supersampling * factor),
            1,
            data.pixel_scale * factor,
            None if data.background is None else data.background * area,
        ),
        supersampling=2,
        light_supersampling=4,
        interpolation=model.interpolation,
        # What was added at the end moves the middle of the frame.
        middle=(
            model.middle[0] + (-width % factor) * scale / 2,
            model.middle[1] + (-height % factor) * scale / 2,
        ),
    )


def coarse_mask(used: Tensor, factor: int) -> Tensor:
    """Pixels all of whose old ones are in a mask: (H, W) bool to (H', W') bool."""
    return bin_pixels(_padded(used.float(), factor)[None], factor)[0] > 1 - 1e-6


def central_model(
    model: ForwardModel, used: Tensor, radius: float
) -> tuple[ForwardModel, Tensor]:
    """The same image within a radius of the middle of its frame.

    Parameters
    ----------
    model : ForwardModel
        Of the image as it is.
    used : Tensor, (H, W), bool
        Which of its pixels count.
    radius : float
        Of the pixels that are to count further on, arcsec.

    Returns
    -------
    model : ForwardModel
        Of the square that holds them.
    used : Tensor, (H', W'), bool
        Which pixels count.
    """
    data, m = model.data, model.margin
    height, width = model.shape
    frame = (0, slice(m, m + height), slice(m, m + width))
    x, y = (position[frame] for position in model.positions(1))
    scale = float(data.pixel_scale[0])
    used = used & (torch.hypot(x - model.middle[0], y - model.middle[1]) < radius)
    cut = max(0, int(min(height, width) / 2 - radius / scale) - 1)
    part = (..., slice(cut, height - cut), slice(cut, width - cut))
    inner = replace(data, image=data.image[part], noise=data.noise[part], good=data.good[part])
    return model.changed(data=inner), used[part]

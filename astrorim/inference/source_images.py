r"""Images of the source's pixels, by sparse matrices.

The image of a source is linear in its pixels, :math:`m = K L s`: L interpolates the source
bilinearly at the rays of each element of the PSF's grid, K blurs, bins to the detector's
pixels and divides by the noise (Warren & Dye 2003, ApJ 590, 673). A ray meets four pixels of
the source and a PSF is small beside the frame, so that both are sparse.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import torch
from scipy.sparse import coo_array, csr_array, vstack

from astrorim.lensing.convolution import bin_kernel

if TYPE_CHECKING:
    from numpy.typing import NDArray
    from torch import Tensor

    from astrorim.lensing.forward import ForwardModel
    from astrorim.lensing.interpolation import SourceFrames

__all__ = ["SourceImages"]

_MOST_ENTRIES = 2**24  # of the blurring matrix that is in memory at a time


class SourceImages:
    """The images of one observation's source pixels, for lenses that are tried in turn.

    Parameters
    ----------
    model : ForwardModel
        Of one image; the source is interpolated bilinearly.
    used : Tensor, (H, W), bool
        Which N of its pixels are wanted.
    weight : Tensor, (N,)
        What their images are multiplied by, for example one over the noise.
    """

    def __init__(self, model: ForwardModel, used: Tensor, weight: Tensor) -> None:
        self._model = model
        self._places = used.nonzero().numpy()
        self._weight = weight.numpy()
        self._element, self._share = _seen(model)
        rows, number = max(1, _MOST_ENTRIES // len(self._share)), len(self._places)
        blocks = [slice(first, first + rows) for first in range(0, number, rows)]
        # A blurring matrix that is too large is made anew, block by block, for each lens.
        self._blocks = blocks if len(blocks) > 1 else [self._blur(slice(0, number))]

    def design(self, values: Tensor, frames: SourceFrames) -> csr_array:
        """Weighted image of every source pixel.

        Parameters
        ----------
        values : Tensor, (1, P)
            Parameters.
        frames : SourceFrames
            Frame of the source, of n pixels a side.

        Returns
        -------
        csr_array, (N, n^2)
            For one flux per arcsec^2; flux per pixel, times the weight.
        """
        rays = self._interpolation(values, frames)
        images = [
            (self._blur(block) if isinstance(block, slice) else block) @ rays
            for block in self._blocks
        ]
        return vstack(images, format="csr")

    def _blur(self, block: slice) -> csr_array:
        """Some weighted pixels from the elements of the PSF's grid in the padded frame."""
        model, (row, column) = self._model, self._places[block].T
        height, width = ((n + 2 * model.margin) * model.sampling for n in model.shape)
        first = (row * width + column) * model.sampling
        places = (first[:, None] + self._element).astype(np.int32)
        shares = self._weight[block, None] * self._share
        starts = np.arange(len(first) + 1) * len(self._share)
        shape = (len(first), height * width)
        return csr_array((shares.ravel(), places.ravel(), starts), shape=shape)

    def _interpolation(self, values: Tensor, frames: SourceFrames) -> csr_array:
        """Mean brightness of each element of the PSF's grid from (n^2,) source pixels."""
        model, n = self._model, frames.size
        coarse = model.supersampling // model.sampling
        u, v = (place[0].numpy() for place in frames.pixels(*model.trace(values)))
        row, column = (np.arange(side, dtype=np.int32) // coarse for side in u.shape)
        number = (row[-1] + 1) * (column[-1] + 1)
        near = (u > -1) & (u < n) & (v > -1) & (v < n)
        element = (row[:, None] * (column[-1] + 1) + column)[near]
        u, v = u[near], v[near]
        left, top = np.floor(u).astype(np.int32), np.floor(v).astype(np.int32)
        shares, elements, pixels = [], [], []
        for x in (left, left + 1):
            for y in (top, top + 1):
                inside = (x >= 0) & (x < n) & (y >= 0) & (y < n)
                share = (1 - np.abs(u - x)) * (1 - np.abs(v - y)) / coarse**2
                shares.append(share[inside].astype(u.dtype))
                elements.append(element[inside])
                pixels.append((y * n + x)[inside])
        places = (np.concatenate(elements), np.concatenate(pixels))
        entries = coo_array((np.concatenate(shares), places), shape=(number, n * n))
        return csr_array(entries)  # entries at one place are added


def _seen(model: ForwardModel) -> tuple[NDArray[np.integer], NDArray[np.floating]]:
    """Elements of the PSF's grid that the first pixel sees, and what share of each.

    The elements of the padded frame are counted along its rows.
    """
    sampling = model.sampling
    kernel = bin_kernel(model.data.psf, model.data.psf_supersampling // sampling)[0]
    margin = model.margin * sampling - kernel.shape[-1] // 2
    # The kernel, turned over, meets every element of the pixel.
    wide = torch.nn.functional.pad(kernel.flip(0, 1), (sampling - 1,) * 4)[None]
    seen = torch.nn.functional.avg_pool2d(wide, sampling, stride=1)[0]
    row, column = (place.numpy() for place in seen.nonzero(as_tuple=True))
    width = (model.shape[1] + 2 * model.margin) * sampling
    element = (row + margin) * width + column + margin
    return element, (seen * model.data.pixel_scale**2).numpy()[row, column]

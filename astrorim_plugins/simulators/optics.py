"""Kernels of the point spread functions that simulators use."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

import torch

from astrorim.plugins import load_plugins

if TYPE_CHECKING:
    from torch import Tensor

__all__ = ["kernel_size", "psf_kernel", "with_coma"]

_ENCLOSED = 0.995
_COMA = 0.05


def psf_kernel(kind: str, sampling: Tensor, size: int, params: Mapping[str, Tensor]) -> Tensor:
    """Kernels of a registered PSF.

    Parameters
    ----------
    kind : str
        Name of the PSF.
    sampling : Tensor, (B,), arcsec
        Side of a kernel element.
    size : int
        Elements along each side; odd.
    params : mapping of str to Tensor, (B,)
        Parameters of the PSF.

    Returns
    -------
    Tensor, (B, size, size)
        Sum one.
    """
    return load_plugins().psfs.create(kind).kernel(sampling, size, params)


def kernel_size(kind: str, sampling: float, widest: Mapping[str, float], most: int) -> int:
    """Odd size that holds 99.5 % of the light of the widest PSF, or ``most``.

    Parameters
    ----------
    kind : str
        Name of the PSF.
    sampling : float
        Side of a kernel element, arcsec.
    widest : mapping of str to float
        Parameters of the widest PSF.
    most : int
        Largest size.

    Returns
    -------
    int
    """
    own = {name: torch.tensor([value], dtype=torch.float64) for name, value in widest.items()}
    own.setdefault("angle", torch.zeros(1, dtype=torch.float64))
    psf = load_plugins().psfs.create(kind)
    return min(
        psf.size_for(torch.tensor([sampling], dtype=torch.float64), own, _ENCLOSED), most
    )


def with_coma(kernel: Tensor, sampling: Tensor, fwhm: Tensor) -> Tensor:
    r"""Kernels made lopsided along +x.

    Multiplied by :math:`1 + 0.05\, c / \max|c|` with :math:`c = x \exp(-r^2 / 2 (1.5
    \sigma)^2)`, :math:`\sigma = \mathrm{FWHM} / 2.3548`, and normalised again.

    Parameters
    ----------
    kernel : Tensor, (B, K, K)
        Sum one.
    sampling : Tensor, (B,), arcsec
        Side of a kernel element.
    fwhm : Tensor, (B,), arcsec
        Width of the PSF.

    Returns
    -------
    Tensor, (B, K, K)
        Sum one.
    """
    size = kernel.shape[-1]
    offset = torch.arange(size, dtype=kernel.dtype, device=kernel.device) - (size - 1) / 2
    place = sampling[:, None] * offset
    square = place[:, None, :] ** 2 + place[:, :, None] ** 2
    width = 1.5 * fwhm[:, None, None] / 2.3548
    coma = place[:, None, :] * torch.exp(-0.5 * square / width**2)
    coma = coma / coma.abs().amax(dim=(-2, -1), keepdim=True)
    lopsided = kernel * (1 + _COMA * coma)
    return lopsided / lopsided.sum(dim=(-2, -1), keepdim=True)

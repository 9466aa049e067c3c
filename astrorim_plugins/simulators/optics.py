"""Kernels of the point spread functions that simulators use."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

import torch

from astrorim.exceptions import SimulationError
from astrorim.interfaces import PSF
from astrorim.plugins import load_plugins

if TYPE_CHECKING:
    from torch import Tensor

__all__ = ["kernel_size", "psf_kernel", "with_coma"]

_ENCLOSED = 0.995
_COMA = 0.05
_FWHM_PER_SIGMA = 2.3548


def psf_kernel(
    kind: str | PSF, sampling: Tensor, size: int, params: Mapping[str, Tensor]
) -> Tensor:
    """Kernels of one kind of PSF, with the widths that were drawn.

    Parameters
    ----------
    kind : str or PSF
        Name of a registered PSF, or a PSF such as `MeasuredPSF`, made from a stamp.
    sampling : Tensor, (B,), arcsec
        Side of a kernel element.
    size : int
        Elements along each side; odd. What lies outside is cut off and the rest
        normalised, which leaves the FWHM as it is.
    params : mapping of str to Tensor, (B,)
        Parameters of the PSF; others are passed over. Without ``ellipticity`` and
        ``angle`` the PSF is round.

    Returns
    -------
    Tensor, (B, size, size), dimensionless
        Sum one.

    Raises
    ------
    SimulationError
        If a parameter of the PSF is missing.
    UnknownNameError
        If no PSF has that name.
    """
    psf = _resolved(kind)
    return psf.kernel(sampling, size, _own(psf, params, torch.zeros_like(sampling)))


def kernel_size(
    kind: str | PSF, sampling: float, widest: Mapping[str, float], most: int
) -> int:
    """Odd size that holds 99.5 % of the light of the widest PSF, but at most ``most``.

    Airy patterns need 71 times their FWHM: 497 to 1065 elements of 0.01 arcsec for FWHM of
    0.07 to 0.15 arcsec. The square of 257 such elements holds 99.04 % of the light for
    0.07, 98.62 % for 0.10 and 97.94 % for 0.15 arcsec; the kernel is normalised, so that
    the light beyond is put back where the kernel is.

    Parameters
    ----------
    kind : str or PSF
        Name of a registered PSF, or a PSF.
    sampling : float
        Side of a kernel element, arcsec.
    widest : mapping of str to float
        Parameters of the widest PSF. Along the axes, angle zero, it needs the largest
        square.
    most : int
        Largest size; odd.

    Returns
    -------
    int

    Raises
    ------
    SimulationError
        If ``most`` is not a positive odd number, or a parameter of the PSF is missing.
    """
    if most < 1 or most % 2 == 0:
        raise SimulationError(
            f"most must be a positive odd number, so that the kernel has a middle element, "
            f"got {most}; use {max(most, 0) + 1}"
        )
    psf = _resolved(kind)
    step = torch.tensor([sampling], dtype=torch.float64)
    values = {name: torch.full_like(step, value) for name, value in widest.items()}
    own = _own(psf, values, torch.zeros_like(step))
    return min(psf.size_for(step, own, _ENCLOSED), most)


def with_coma(kernel: Tensor, sampling: Tensor, fwhm: Tensor) -> Tensor:
    r"""Kernels made lopsided along +x.

    Multiplied by :math:`1 + 0.05\, c / \max|c|` with :math:`c = x \exp(-r^2 / 2 (1.5
    \sigma)^2)`, :math:`\sigma = \mathrm{FWHM} / 2.3548`, and normalised again.

    The centroid moves towards +x, for a round Gaussian by

    .. math::
        0.05\, \frac{e^{1/2}}{1.5} \left(\frac{1.5^2}{1 + 1.5^2}\right)^2 \sigma
        = 0.0263\, \sigma = 0.0112\, \mathrm{FWHM},

    and the FWHM grows by less than 0.1 %. The shift is part of the kernel that is handed
    over, so that images and kernels agree.

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
    Tensor, (B, K, K), dimensionless
        Sum one.
    """
    size = kernel.shape[-1]
    offset = torch.arange(size, dtype=kernel.dtype, device=kernel.device) - (size - 1) / 2
    place = sampling[:, None] * offset
    width = 1.5 * fwhm[:, None] / _FWHM_PER_SIGMA
    decline = torch.exp(-0.5 * (place / width) ** 2)
    coma = (place * decline)[:, None, :] * decline[:, :, None]
    coma = coma / coma.abs().amax(dim=(-2, -1), keepdim=True)
    lopsided = kernel * (1 + _COMA * coma)
    return lopsided / lopsided.sum(dim=(-2, -1), keepdim=True)


def _resolved(kind: str | PSF) -> PSF:
    return kind if isinstance(kind, PSF) else load_plugins().psfs.create(kind)


def _own(psf: PSF, params: Mapping[str, Tensor], zero: Tensor) -> dict[str, Tensor]:
    """The parameters that a PSF declares."""
    given = {"ellipticity": zero, "angle": zero, **params}
    names = [parameter.name for parameter in psf.parameters]
    missing = [name for name in names if name not in given]
    if missing:
        raise SimulationError(
            f"params must hold {', '.join(missing)} for the PSF {psf.name!r}, got "
            f"{', '.join(params) or 'nothing'}"
        )
    return {name: given[name] for name in names}

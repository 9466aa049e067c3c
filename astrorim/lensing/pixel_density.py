r"""Pixels of a rectilinear source image that are close where the source is steep.

Along x and y each, the number of pixels up to the offset t, in halves of the frame, is
:math:`n \int_{-1}^{t} \rho(t') dt'`, with a density :math:`\rho` that is linear between
knots, so that the integral and its derivative are exact and smooth.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING

import torch

if TYPE_CHECKING:
    from torch import Tensor

__all__ = ["PixelDensity", "equidistributed"]

_KNOTS = 129
_SMOOTHED = 1.5  # knots, the deviation of the Gaussian that the brightness is smoothed with
_POWER = 0.2  # of the squared second derivative
_ROUNDING = 16  # units in the last place of the brightest pixel
_EVEN_SHARE = 0.15  # of the pixels that are spread evenly


@dataclass(frozen=True)
class PixelDensity:
    """Density of pixels along the axes of source frames.

    Parameters
    ----------
    values : Tensor, (B, 2, T)
        At T equally spaced offsets from -1 to 1, along x and y; positive. Only their ratios
        count.

    Raises
    ------
    ValueError
        If the shape does not fit, or a value is not positive and finite.
    """

    values: Tensor

    def __post_init__(self) -> None:
        shape = tuple(self.values.shape)
        if len(shape) != 3 or shape[1] != 2 or shape[2] < 2:
            raise ValueError(f"values must have shape (B, 2, T), T at least 2, got {shape}")
        if not bool(((self.values > 0) & self.values.isfinite()).all()):
            raise ValueError(
                f"values must be positive and finite, got {float(self.values.min()):g} at least"
            )

    @cached_property
    def _density(self) -> Tensor:
        """Of unit integral."""
        means = (self.values[..., 1:] + self.values[..., :-1]) / 2
        return self.values / (means.sum(dim=-1, keepdim=True) * self._spacing)

    @cached_property
    def _integral(self) -> Tensor:
        """From -1 to each knot."""
        means = (self._density[..., 1:] + self._density[..., :-1]) / 2
        sums = (means * self._spacing).cumsum(dim=-1)
        return torch.cat([torch.zeros_like(sums[..., :1]), sums], dim=-1)

    @property
    def _spacing(self) -> float:
        return 2 / (self.values.shape[-1] - 1)

    def share(self, offset: Tensor, axis: int) -> tuple[Tensor, Tensor]:
        """Part of the pixels that lies before an offset, and its derivative.

        Parameters
        ----------
        offset : Tensor, (B, ...)
            In halves of the frame; beyond -1 and 1 the density of the edge goes on.
        axis : {0, 1}
            x or y.

        Returns
        -------
        share, density : Tensor, (B, ...)
        """
        flat = offset.reshape(len(offset), -1)
        inside = flat.clamp(-1, 1)
        place = (inside + 1) / self._spacing
        knot = place.detach().floor().clamp(0, self.values.shape[-1] - 2)
        part, index = place - knot, knot.long()
        density, integral = self._density[:, axis], self._integral[:, axis]
        low, high = density.gather(1, index), density.gather(1, index + 1)
        share = integral.gather(1, index)
        share = share + self._spacing * part * (low + (high - low) * part / 2)
        here = low + (high - low) * part
        share = share + (flat - inside) * here
        return share.view_as(offset), here.view_as(offset)

    def offsets(self, share: Tensor) -> Tensor:
        """Inverse of `share`, inside the frame.

        Parameters
        ----------
        share : Tensor, (M,)
            Between 0 and 1.

        Returns
        -------
        Tensor, (B, 2, M)
        """
        wanted = share.to(self._integral).expand(*self._integral.shape[:2], -1).contiguous()
        knot = torch.searchsorted(self._integral, wanted, right=True) - 1
        knot = knot.clamp(0, self.values.shape[-1] - 2)
        low, high = self._density.gather(2, knot), self._density.gather(2, knot + 1)
        rest = (wanted - self._integral.gather(2, knot)) / self._spacing
        # The root of low p + (high - low) p^2 / 2 = rest, without cancellation.
        part = 2 * rest / (low + (low**2 + 2 * (high - low) * rest).clamp_min(0).sqrt())
        return (knot + part) * self._spacing - 1

    def select(self, index: Tensor) -> PixelDensity:
        """The densities of some lenses of the batch."""
        return PixelDensity(self.values[index])


def equidistributed(
    brightness: Callable[[Tensor, Tensor], Tensor], centre: Tensor, half: Tensor
) -> PixelDensity:
    r"""Density that spreads the error of interpolation evenly.

    Linear interpolation of s on spacings h errs by :math:`h^2 |s''| / 8`; its squared sum is
    least for spacings :math:`\propto |s''|^{-2/5}` (de Boor 1973, in *Spline Functions and
    Approximation Theory*, 57). Here s'' along x is the root mean square over y, and the
    other way round; a part of the pixels is spread evenly.

    Parameters
    ----------
    brightness : callable
        Of a source at positions x, y, arcsec, each (1, T, T).
    centre : Tensor, (1, 2), arcsec
        Of the frame.
    half : Tensor, (1,), arcsec
        Half its side.

    Returns
    -------
    PixelDensity
    """
    steps = torch.linspace(-1, 1, _KNOTS, dtype=centre.dtype, device=centre.device) * half
    shape = (1, _KNOTS, _KNOTS)
    source = brightness(
        (centre[:, :1] + steps)[:, None, :].expand(shape),
        (centre[:, 1:] + steps)[:, :, None].expand(shape),
    )[0]
    source = _smoothed(_smoothed(source).mT).mT
    rounding = _ROUNDING * torch.finfo(source.dtype).eps * source.abs().max()
    densities = []
    for image in (source, source.mT):
        bends = image.diff(n=2, dim=1)
        # What rounding bends an even source by differs from one processor to the next.
        bends = torch.where(bends.abs() > rounding, bends, 0.0)
        bend = (bends**2).mean(dim=0) ** _POWER
        bend = _smoothed(torch.cat([bend[:1], bend, bend[-1:]])[None])[0]
        mean = bend.mean()
        # Of a source without structure all pixels are alike.
        relative = bend / mean if bool(mean > 0) else torch.ones_like(bend)
        densities.append(_EVEN_SHARE + (1 - _EVEN_SHARE) * relative)
    return PixelDensity(torch.stack(densities)[None])


def _smoothed(rows: Tensor) -> Tensor:
    """Rows (K, T) convolved with a Gaussian."""
    reach = math.ceil(5 * _SMOOTHED)
    steps = torch.arange(-reach, reach + 1, dtype=rows.dtype, device=rows.device)
    kernel = torch.exp(-0.5 * (steps / _SMOOTHED) ** 2)
    padded = torch.nn.functional.pad(rows[:, None], (reach, reach), mode="replicate")
    return torch.nn.functional.conv1d(padded, (kernel / kernel.sum())[None, None])[:, 0]

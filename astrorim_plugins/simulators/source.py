"""Analytic sources: Sersic profiles plus Gaussian clumps."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

import torch

if TYPE_CHECKING:
    from torch import Tensor

    from astrorim.interfaces import LightModel

__all__ = ["ComponentSource"]


@dataclass(frozen=True)
class ComponentSource:
    r"""A source that is a sum of Sersic profiles and round Gaussian clumps.

    A clump is :math:`a \exp(-r^2 / 2\sigma^2)`. Components that a lens does not have
    carry the amplitude zero and cost nothing.

    Parameters
    ----------
    model : LightModel
        The Sersic profile.
    profiles : mapping of str to Tensor, (B, m)
        Parameters of the m Sersic profiles, by the model's names; arcsec, and
        counts/arcsec^2 for the amplitude.
    clumps : mapping of str to Tensor, (B, n)
        ``amplitude`` (counts/arcsec^2), ``sigma``, ``x0`` and ``y0`` (arcsec) of the n
        clumps.
    """

    model: LightModel
    profiles: Mapping[str, Tensor]
    clumps: Mapping[str, Tensor]

    def __len__(self) -> int:
        return len(self.profiles["amplitude"])

    def select(self, rows: slice | Tensor) -> ComponentSource:
        """The sources of some lenses of the batch."""
        return ComponentSource(
            self.model,
            {name: values[rows] for name, values in self.profiles.items()},
            {name: values[rows] for name, values in self.clumps.items()},
        )

    def to(self, *args: torch.dtype | torch.device | str) -> ComponentSource:
        """The same sources in another dtype or on another device."""
        return ComponentSource(
            self.model,
            {name: values.to(*args) for name, values in self.profiles.items()},
            {name: values.to(*args) for name, values in self.clumps.items()},
        )

    def scaled(self, factor: Tensor) -> ComponentSource:
        """The same sources with all amplitudes times ``factor``, (B,)."""
        profiles, clumps = dict(self.profiles), dict(self.clumps)
        profiles["amplitude"] = profiles["amplitude"] * factor[:, None]
        clumps["amplitude"] = clumps["amplitude"] * factor[:, None]
        return ComponentSource(self.model, profiles, clumps)

    def __call__(self, x: Tensor, y: Tensor) -> Tensor:
        """Surface brightness at any positions.

        Parameters
        ----------
        x, y : Tensor, (B, ...), arcsec
            Positions on the source plane.

        Returns
        -------
        Tensor, (B, ...), counts per arcsec^2
        """
        return self.profile_brightness(x, y) + self._sum(
            self.clumps, _clump_brightness, x, y
        )

    def profile_brightness(self, x: Tensor, y: Tensor) -> Tensor:
        """Surface brightness of the Sersic profiles alone; see `__call__`."""
        return self._sum(self.profiles, self.model.surface_brightness, x, y)

    def _sum(self, components, brightness, x, y):  # type: ignore[no-untyped-def]
        """Add up the components that exist, each evaluated only for lenses that have it."""
        total = torch.zeros_like(x)
        present = components["amplitude"] != 0
        shape = (-1, *(1,) * (x.ndim - 1))
        for j, counted in enumerate(present.sum(dim=0).tolist()):
            if counted == 0:
                continue
            if counted == len(x):
                own = {name: values[:, j].view(shape) for name, values in components.items()}
                total += brightness(x, y, own)
            else:
                rows = present[:, j].nonzero()[:, 0]
                own = {name: values[rows, j].view(shape) for name, values in components.items()}
                total.index_add_(0, rows, brightness(x[rows], y[rows], own))
        return total

    def total_flux(self) -> Tensor:
        """Flux of all components over the whole plane, (B,), counts."""
        profiles = self.model.total_flux(self.profiles)
        clumps = 2 * math.pi * self.clumps["sigma"] ** 2 * self.clumps["amplitude"]
        return profiles.sum(dim=1) + clumps.sum(dim=1)

    def image(self, axis: Tensor, pixel_scale: float, subsampling: int = 3) -> Tensor:
        """Source averaged over the pixels of a square grid.

        Sersic profiles are averaged over sub-points; clumps, which may be narrower than a
        pixel, are integrated exactly.

        Parameters
        ----------
        axis : Tensor, (n,), arcsec
            Centres of the columns and rows.
        pixel_scale : float
            Side of a pixel, arcsec.
        subsampling : int, optional
            Sub-points along each side of a pixel.

        Returns
        -------
        Tensor, (B, n, n), counts per arcsec^2
        """
        size = len(axis)
        steps = (torch.arange(subsampling, device=axis.device) + 0.5) / subsampling - 0.5
        fine = (axis[:, None] + pixel_scale * steps.to(axis)).flatten()
        shape = (len(self), len(fine), len(fine))
        x = fine[None, None, :].expand(shape).contiguous()
        y = fine[None, :, None].expand(shape).contiguous()
        cells = (len(self), size, subsampling, size, subsampling)
        image = self.profile_brightness(x, y).view(cells).mean(dim=(2, 4))
        clumps = self.clumps
        if bool((clumps["amplitude"] != 0).any()):
            along_x = _clump_means(axis, pixel_scale, clumps["x0"], clumps["sigma"])
            along_y = _clump_means(axis, pixel_scale, clumps["y0"], clumps["sigma"])
            image += (clumps["amplitude"][..., None] * along_y).mT @ along_x
        return image


def _clump_brightness(x: Tensor, y: Tensor, params: Mapping[str, Tensor]) -> Tensor:
    dx = x - params["x0"]
    dy = y - params["y0"]
    exponent = (dx.square_() + dy.square_()).mul_(-0.5 / params["sigma"] ** 2)
    return exponent.exp_().mul_(params["amplitude"])


def _clump_means(axis: Tensor, pixel_scale: float, centre: Tensor, sigma: Tensor) -> Tensor:
    r"""Means of :math:`\exp(-(x - c)^2 / 2 \sigma^2)` over pixels; (B, n_clumps, n)."""
    scale = math.sqrt(2) * sigma[..., None]
    edge = torch.cat([axis - pixel_scale / 2, axis[-1:] + pixel_scale / 2])
    cumulative = torch.special.erf((edge - centre[..., None]) / scale)
    return cumulative.diff(dim=-1) * scale * (math.sqrt(math.pi) / 2 / pixel_scale)

"""Analytic sources: Sersic profiles plus Gaussian clumps."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

import torch

if TYPE_CHECKING:
    from torch import Tensor

    from astrorim.interfaces import LightModel

__all__ = ["ComponentSource"]

_CORES = ((16, 4), (4, 24))
"""Squares about a profile's centre: pixels along the side, points along a pixel's side."""


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

    def to(self, dtype: torch.dtype) -> ComponentSource:
        """The same sources in another dtype."""
        return ComponentSource(
            self.model,
            {name: values.to(dtype) for name, values in self.profiles.items()},
            {name: values.to(dtype) for name, values in self.clumps.items()},
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
        total = torch.zeros_like(x)
        for components, brightness in (
            (self.profiles, self.model.surface_brightness),
            (self.clumps, _clump_brightness),
        ):
            for rows, own in self._present(components, x.ndim):
                if len(rows) == len(x):
                    total += brightness(x, y, own)
                else:
                    total.index_add_(0, rows, brightness(x[rows], y[rows], own))
        return total

    def _present(
        self, components: Mapping[str, Tensor], ndim: int = 3
    ) -> Iterator[tuple[Tensor, dict[str, Tensor]]]:
        """Each component that any lens has: those lenses, and their parameters."""
        present = components["amplitude"] != 0
        shape = (-1, *(1,) * (ndim - 1))
        for j in present.any(dim=0).nonzero()[:, 0].tolist():
            rows = present[:, j].nonzero()[:, 0]
            yield rows, {name: value[rows, j].view(shape) for name, value in components.items()}

    def components(self) -> dict[str, Tensor]:
        """Parameters of every component, (B,) each: ``source_0_e1``, ``clump_2_sigma``."""
        return {
            f"{kind}_{j}_{name}": column
            for kind, table in (("source", self.profiles), ("clump", self.clumps))
            for name, values in table.items()
            for j, column in enumerate(values.unbind(dim=1))
        }

    def total_flux(self) -> Tensor:
        """Flux of all components over the whole plane, (B,), counts."""
        profiles = self.model.total_flux(self.profiles)
        clumps = 2 * math.pi * self.clumps["sigma"] ** 2 * self.clumps["amplitude"]
        return profiles.sum(dim=1) + clumps.sum(dim=1)

    def image(self, axis: Tensor, pixel_scale: float) -> Tensor:
        r"""Source averaged over the pixels of a square grid.

        Clumps, which may be narrower than a pixel, are integrated exactly. Sersic profiles
        are averaged over 24 x 24 points in each of the 4 x 4 pixels about their centres,
        over 4 x 4 points in 16 x 16 pixels, and elsewhere have the mean that follows from
        the neighbouring pixels, :math:`I + \nabla^2 I\, h^2 / 24`.

        Parameters
        ----------
        axis : Tensor, (n,), arcsec
            Centres of the columns and rows.
        pixel_scale : float
            Side of a pixel, arcsec.

        Returns
        -------
        Tensor, (B, n, n), counts per arcsec^2
        """
        shape = (len(self), len(axis), len(axis))
        x = axis[None, None, :].expand(shape).contiguous()
        y = axis[None, :, None].expand(shape).contiguous()
        image = torch.zeros_like(x)
        for rows, own in self._present(self.profiles):
            points = self.model.surface_brightness(x[: len(rows)], y[: len(rows)], own)
            means = _means_from_neighbours(points)
            for width, number in _CORES:
                self._refine_core(means, own, axis, pixel_scale, width, number)
            image.index_add_(0, rows, means)
        clumps = self.clumps
        if bool((clumps["amplitude"] != 0).any()):
            along_x = _clump_means(axis, pixel_scale, clumps["x0"], clumps["sigma"])
            along_y = _clump_means(axis, pixel_scale, clumps["y0"], clumps["sigma"])
            image += (clumps["amplitude"][..., None] * along_y).mT @ along_x
        return image

    def _refine_core(
        self,
        image: Tensor,
        params: Mapping[str, Tensor],
        axis: Tensor,
        pixel_scale: float,
        width: int,
        number: int,
    ) -> None:
        """Replace the pixels about a profile's centre by means over finer points."""
        size = len(axis)
        width = min(width, size)
        steps = torch.arange(number, device=axis.device)
        steps = ((steps + 0.5) / number - 0.5).to(axis) * pixel_scale
        places, positions = [], []
        for name in ("x0", "y0"):
            centre = torch.round((params[name].view(-1) - axis[0]) / pixel_scale)
            start = (centre.to(torch.int64) - width // 2).clamp(0, size - width)
            place = start[:, None] + torch.arange(width, device=axis.device)
            places.append(place)
            positions.append((axis[place][..., None] + steps).flatten(1))
        shape = (len(image), width * number, width * number)
        core = self.model.surface_brightness(
            positions[0][:, None, :].expand(shape).contiguous(),
            positions[1][:, :, None].expand(shape).contiguous(),
            params,
        )
        means = torch.nn.functional.avg_pool2d(core[:, None], number)[:, 0]
        lens = torch.arange(len(image), device=axis.device)[:, None, None]
        image[lens, places[1][:, :, None], places[0][:, None, :]] = means


def _means_from_neighbours(points: Tensor) -> Tensor:
    """Means over pixels of a smooth image given at their centres, to fourth order."""
    edged = torch.nn.functional.pad(points[:, None], (1, 1, 1, 1), mode="replicate")[:, 0]
    rows = edged[:, :-2, 1:-1] + edged[:, 2:, 1:-1]
    columns = edged[:, 1:-1, :-2] + edged[:, 1:-1, 2:]
    return points + (rows + columns - 4 * points) / 24


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

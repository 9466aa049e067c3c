"""Analytic sources: Sersic profiles, Gaussian clumps and a spiral pattern over them."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, fields, replace
from typing import TYPE_CHECKING, Any

import torch

from astrorim_plugins.light_models.sersic import sersic_b
from astrorim_plugins.simulators.selection import rows_set
from astrorim_plugins.simulators.sources.pixel_means import PixelMeans, means_from_neighbours

if TYPE_CHECKING:
    from torch import Tensor

    from astrorim.interfaces import LightModel
    from astrorim_plugins.simulators.sources.galaxy_images import GalaxyCutouts

__all__ = ["ComponentSource", "present"]

_CORES = ((16, 4), (4, 24))
"""Squares about a profile's centre: pixels along the side, points along a pixel's side."""

_FLUX_RADII = 12
_FLUX_ANGLES = 24

Components = Mapping[str, "Tensor"]


@dataclass(frozen=True)
class ComponentSource:
    r"""A source of Sersic profiles, round Gaussian clumps and, where given, real galaxies.

    A clump is :math:`a \exp(-r^2 / 2\sigma^2)`. A spiral pattern multiplies profiles and
    clumps by :math:`1 + A \sin(3\theta + w r + \varphi_0)` about its centre. Components
    that a lens does not have carry the amplitude zero and cost nothing.

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
    spiral : mapping of str to Tensor, (B,), optional
        ``amplitude``, ``phase`` (rad), ``winding`` w (rad/arcsec), ``x0``, ``y0`` (arcsec).
    num_spiral_profiles : int, optional
        How many of the first profiles carry the pattern, and no clump; None for all
        profiles and clumps.
    galaxies : GalaxyCutouts, optional
        Images of real galaxies, one for each lens.
    """

    model: LightModel
    profiles: Components
    clumps: Components
    spiral: Components = field(default_factory=dict)
    num_spiral_profiles: int | None = None
    galaxies: GalaxyCutouts | None = None

    def __len__(self) -> int:
        return len(self.profiles["amplitude"])

    def _map(
        self, change: Callable[[Tensor], Tensor], galaxies: GalaxyCutouts | None
    ) -> ComponentSource:
        profiles, clumps, spiral = (
            {name: change(value) for name, value in table.items()}
            for table in (self.profiles, self.clumps, self.spiral)
        )
        return replace(self, profiles=profiles, clumps=clumps, spiral=spiral, galaxies=galaxies)

    @classmethod
    def concatenate(cls, parts: Sequence[ComponentSource]) -> ComponentSource:
        """One batch of several; all of them from the same declaration."""
        first = parts[0]
        tables: dict[str, Any] = {
            table: {
                name: torch.cat([getattr(part, table)[name] for part in parts])
                for name in getattr(first, table)
            }
            for table in ("profiles", "clumps", "spiral")
        }
        galaxies = None
        if first.galaxies is not None:
            each = [part.galaxies for part in parts]
            names = [f.name for f in fields(first.galaxies) if f.name != "library"]
            joined: dict[str, Any] = {
                name: torch.cat([getattr(own, name) for own in each]) for name in names
            }
            galaxies = replace(first.galaxies, **joined)
        return replace(first, **tables, galaxies=galaxies)

    def select(self, rows: slice | Tensor) -> ComponentSource:
        """The sources of some lenses of the batch."""
        chosen = None if self.galaxies is None else self.galaxies.select(rows)
        return self._map(lambda value: value[rows], chosen)

    def to(self, dtype: torch.dtype) -> ComponentSource:
        """The same sources in another dtype."""
        galaxies = None if self.galaxies is None else self.galaxies.to(dtype)
        return self._map(lambda value: value.to(dtype), galaxies)

    def scaled(self, factor: Tensor) -> ComponentSource:
        """The same sources with all amplitudes times ``factor``, (B,)."""
        profiles, clumps = dict(self.profiles), dict(self.clumps)
        profiles["amplitude"] = profiles["amplitude"] * factor[:, None]
        clumps["amplitude"] = clumps["amplitude"] * factor[:, None]
        galaxies = None if self.galaxies is None else self.galaxies.scaled(factor)
        return replace(self, profiles=profiles, clumps=clumps, galaxies=galaxies)

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
        first = self.num_modulated
        self._add(total, x, y, self.profiles, slice(0, first))
        if self.num_spiral_profiles is None:
            self._add(total, x, y, self.clumps)
        self._modulate(total, x, y)
        self._add(total, x, y, self.profiles, slice(first, None))
        if self.num_spiral_profiles is not None:
            self._add(total, x, y, self.clumps)
        if self.galaxies is not None:
            total += self.galaxies(x, y)
        return total

    @property
    def num_modulated(self) -> int:
        """Number of the first profiles that the spiral pattern covers."""
        number = self.num_spiral_profiles
        return self.profiles["amplitude"].shape[1] if number is None else number

    def _add(
        self,
        total: Tensor,
        x: Tensor,
        y: Tensor,
        table: Components,
        columns: slice = slice(None),
    ) -> None:
        brightness = (
            self.model.surface_brightness if table is self.profiles else _clump_brightness
        )
        for _, rows, own in present(table, x.ndim, columns):
            if len(rows) == len(x):
                total += brightness(x, y, own)
            else:
                total.index_add_(0, rows, brightness(x[rows], y[rows], own))

    def _modulate(self, values: Tensor, x: Tensor, y: Tensor) -> None:
        """Multiply brightnesses (B, ...) by the spiral pattern, in place."""
        if not self.spiral:
            return
        rows = (self.spiral["amplitude"] != 0).nonzero()[:, 0]
        if len(rows):
            values[rows] *= self.spiral_factor(x[rows], y[rows], rows)

    def spiral_factor(self, x: Tensor, y: Tensor, rows: Tensor | slice = slice(None)) -> Tensor:
        r"""Spiral pattern :math:`1 + A \sin(3\theta + w r + \varphi_0)`.

        Parameters
        ----------
        x, y : Tensor, (R, ...), arcsec
            Positions on the source plane.
        rows : Tensor or slice, optional
            The R lenses of the batch that the positions belong to.

        Returns
        -------
        Tensor, (R, ...), dimensionless
        """
        shape = (-1, *(1,) * (x.ndim - 1))
        own = {name: value[rows].view(shape) for name, value in self.spiral.items()}
        dx, dy = x - own["x0"], y - own["y0"]
        angle = 3 * torch.atan2(dy, dx) + own["phase"]
        # Where all are zero the term changes nothing; a GPU is not asked whether they are.
        if angle.device.type != "cpu" or bool((own["winding"] != 0).any()):
            angle = angle + own["winding"] * torch.hypot(dx, dy)
        return 1 + own["amplitude"] * torch.sin(angle)

    def components(self) -> dict[str, Tensor]:
        """Parameters of every component, (B,) each: ``source_0_e1``, ``clump_2_sigma``."""
        named = {
            f"{kind}_{j}_{name}": column
            for kind, table in (("source", self.profiles), ("clump", self.clumps))
            for name, values in table.items()
            for j, column in enumerate(values.unbind(dim=1))
        }
        named |= {f"spiral_{name}": value for name, value in self.spiral.items()}
        if self.spiral and self.num_spiral_profiles is not None:
            number = torch.full_like(self.spiral["phase"], self.num_spiral_profiles)
            named["spiral_profiles"] = number
        if self.galaxies is not None:
            named |= self.galaxies.components()
        return named

    def total_flux(self) -> Tensor:
        """Flux of all components over the whole plane, (B,), counts.

        Where there is a spiral pattern its mean over each component is taken at 12 radii
        that share the component's flux evenly, 24 angles each.
        """
        profiles = self.model.total_flux(self.profiles)
        clumps = 2 * math.pi * self.clumps["sigma"] ** 2 * self.clumps["amplitude"]
        if self.spiral:
            rows = (self.spiral["amplitude"] != 0).nonzero()[:, 0]
            first = self.num_modulated
            covered = {name: value[rows, :first] for name, value in self.profiles.items()}
            profiles = profiles.clone()
            profiles[rows, :first] *= self._mean_factor(rows, covered, _sersic_radii(covered))
            if self.num_spiral_profiles is None:
                covered = {name: value[rows] for name, value in self.clumps.items()}
                radii = _gaussian_radii(covered["sigma"])
                clumps[rows] *= self._mean_factor(rows, covered, radii)
        total = profiles.sum(dim=1) + clumps.sum(dim=1)
        return total if self.galaxies is None else total + self.galaxies.total_flux()

    def _mean_factor(self, rows: Tensor, table: Components, radius: Tensor) -> Tensor:
        """Mean of the pattern over components of lenses, flux at ``radius`` (R, m, radii)."""
        step = 2 * math.pi / _FLUX_ANGLES
        angle = torch.arange(_FLUX_ANGLES, dtype=radius.dtype, device=radius.device) * step
        radius = radius[..., None]
        x, y = radius * torch.cos(angle), radius * torch.sin(angle)
        if "e1" in table:
            # Area-preserving map of circles to ellipses, the symmetric root of the shape.
            e1, e2 = (table[name][..., None, None] for name in ("e1", "e2"))
            norm = torch.sqrt(1 - e1 * e1 - e2 * e2)
            x, y = ((1 + e1) * x + e2 * y) / norm, (e2 * x + (1 - e1) * y) / norm
        x = x + table["x0"][..., None, None]
        y = y + table["y0"][..., None, None]
        return self.spiral_factor(x, y, rows).mean(dim=(-2, -1))

    def image(self, centre: Tensor, pixel_scale: Tensor, size: int) -> Tensor:
        r"""Source averaged over the pixels of square grids.

        Clumps, which may be narrower than a pixel, are integrated exactly. Sersic profiles
        are averaged over 24 x 24 points in each of the 4 x 4 pixels about their centres,
        over 4 x 4 points in 16 x 16 pixels, and elsewhere have the mean that follows from
        the neighbouring pixels, :math:`I + \nabla^2 I\, h^2 / 24`. Galaxies and the spiral
        pattern over clumps are taken at the centres of 4 x 4 and 1 sub-pixels.

        Parameters
        ----------
        centre : Tensor, (B, 2), arcsec
            Position (x, y) of the grids' centres.
        pixel_scale : Tensor, (B,), arcsec
            Side of a pixel.
        size : int
            Pixels n along a side.

        Returns
        -------
        Tensor, (B, n, n), counts per arcsec^2
        """
        grid = PixelMeans(centre, pixel_scale, size)
        x, y = grid.points()
        image = torch.zeros_like(x)
        for table, columns, modulated in (
            (self.profiles, slice(0, self.num_modulated), bool(self.spiral)),
            (self.profiles, slice(self.num_modulated, None), False),
        ):
            for _, rows, own in present(table, 3, columns):
                brightness = self._brightness_of(own, rows, modulated=modulated)
                means = means_from_neighbours(brightness(x[rows], y[rows]))
                for width, number in _CORES:
                    grid.refine(
                        means,
                        rows,
                        own["x0"],
                        own["y0"],
                        brightness,
                        width=width,
                        number=number,
                    )
                image.index_add_(0, rows, means)
        if bool((self.clumps["amplitude"] != 0).any()):
            clumps = grid.gaussian_means(**self.clumps)
            if self.num_spiral_profiles is None:
                self._modulate(clumps, x, y)
            image += clumps
        if self.galaxies is not None:
            image += grid.mean_over(self.galaxies, 4)
        return image

    def _brightness_of(
        self, own: Components, rows: Tensor, *, modulated: bool
    ) -> Callable[[Tensor, Tensor], Tensor]:
        def brightness(x: Tensor, y: Tensor) -> Tensor:
            values = self.model.surface_brightness(x, y, own)
            return values * self.spiral_factor(x, y, rows) if modulated else values

        return brightness


def present(
    table: Components, ndim: int = 3, columns: slice = slice(None)
) -> Iterator[tuple[int, Tensor, dict[str, Tensor]]]:
    """Each component of a table that any lens has.

    Parameters
    ----------
    table : mapping of str to Tensor, (B, m)
        Parameters of m components; those of amplitude zero do not exist.
    ndim : int, optional
        Axes that the parameters are given, to broadcast against positions.
    columns : slice, optional
        Components that are looked at.

    Yields
    ------
    int
        Number of the component.
    Tensor, (R,)
        The lenses that have it.
    dict of str to Tensor, (R, 1, ...)
        Their parameters.
    """
    exists = table["amplitude"] != 0
    shape = (-1, *(1,) * (ndim - 1))
    numbers = range(*columns.indices(exists.shape[1]))
    for j, rows in zip(numbers, rows_set(exists[:, columns]), strict=True):
        if len(rows):
            yield j, rows, {name: value[rows, j].view(shape) for name, value in table.items()}


def _clump_brightness(x: Tensor, y: Tensor, params: Components) -> Tensor:
    dx = x - params["x0"]
    dy = y - params["y0"]
    exponent = (dx.square_() + dy.square_()).mul_(-0.5 / params["sigma"] ** 2)
    return exponent.exp_().mul_(params["amplitude"])


def _shares(like: Tensor) -> Tensor:
    """Middles of 12 equal shares of the flux, (12,)."""
    number = torch.arange(_FLUX_RADII, dtype=like.dtype, device=like.device)
    return (number + 0.5) / _FLUX_RADII


def _gaussian_radii(sigma: Tensor) -> Tensor:
    """Radii with equal shares of a Gaussian's flux between them, (B, n, 12), arcsec."""
    return sigma[..., None] * torch.sqrt(-2 * torch.log(1 - _shares(sigma)))


def _sersic_radii(table: Components) -> Tensor:
    r"""Radii with equal shares of a profile's flux between them, (B, m, 12), arcsec.

    The flux inside R is :math:`\gamma(2n, b_n (R/R_e)^{1/n}) / \Gamma(2n)` (Graham &
    Driver 2005, equation 2), inverted by bisection in the logarithm.
    """
    index = table["sersic_index"][..., None]
    share = _shares(index)
    low = torch.full_like(index * share, -14.0)
    high = torch.full_like(low, 4.0)
    for _ in range(40):
        middle = (low + high) / 2
        inside = torch.special.gammainc((2 * index).expand_as(middle), torch.exp(middle))
        low = torch.where(inside < share, middle, low)
        high = torch.where(inside < share, high, middle)
    ratio = torch.exp((low + high) / 2) / sersic_b(index)
    return table["half_light_radius"][..., None] * ratio**index

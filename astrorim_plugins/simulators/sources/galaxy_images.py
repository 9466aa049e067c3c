"""Images of real galaxies as sources of lenses."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import torch

if TYPE_CHECKING:
    from torch import Tensor

    from astrorim_plugins.simulators.random_streams import RandomStreams
    from astrorim_plugins.simulators.sources.galaxy_library import GalaxyLibrary

__all__ = ["GalaxyCutouts", "draw_galaxies"]

_VALUES = ("scale", "orientation", "mirrored", "x0", "y0", "flux")


@dataclass(frozen=True)
class GalaxyCutouts:
    r"""Sources that are images of galaxies, one for each lens of a batch.

    A position is turned by minus the orientation, mirrored, and divided by the scale;
    there the spline of `GalaxyLibrary.coefficients` is evaluated and multiplied by
    flux / scale^2, so that surface brightness is that of an image with the drawn flux.

    Parameters
    ----------
    library : GalaxyLibrary
        The images.
    which : Tensor, (B,), int64
        Number of each lens' galaxy in the library.
    scale : Tensor, (B,), arcsec
        Side of a pixel of the image after it has been resized.
    orientation : Tensor, (B,), rad
        Angle from the x axis of the plane to that of the image, counter-clockwise.
    mirrored : Tensor, (B,)
        -1 where the image is mirrored along its x axis before it is turned, else 1.
    x0, y0 : Tensor, (B,), arcsec
        Position of the centroid.
    flux : Tensor, (B,), counts
        Total flux; a lens with a flux of zero costs nothing.
    """

    library: GalaxyLibrary
    which: Tensor
    scale: Tensor
    orientation: Tensor
    mirrored: Tensor
    x0: Tensor
    y0: Tensor
    flux: Tensor

    def __len__(self) -> int:
        return len(self.which)

    def _map(self, change: Callable[[Tensor], Tensor]) -> GalaxyCutouts:
        return GalaxyCutouts(
            self.library,
            self.which,
            **{name: change(getattr(self, name)) for name in _VALUES},
        )

    def select(self, rows: slice | Tensor) -> GalaxyCutouts:
        """The sources of some lenses of the batch."""
        return replace(self._map(lambda value: value[rows]), which=self.which[rows])

    def to(self, dtype: torch.dtype) -> GalaxyCutouts:
        """The same sources in another dtype; the library's images stay as they are."""
        return self._map(lambda value: value.to(dtype))

    def scaled(self, factor: Tensor) -> GalaxyCutouts:
        """The same sources with all fluxes times ``factor``, (B,)."""
        return replace(self, flux=self.flux * factor)

    def __call__(self, x: Tensor, y: Tensor) -> Tensor:
        """Surface brightness at any positions.

        Parameters
        ----------
        x, y : Tensor, (B, ...), arcsec
            Positions on the source plane.

        Returns
        -------
        Tensor, (B, ...), counts per arcsec^2
            Not negative, zero outside the images.
        """
        scale = self.scale[:, None]
        dx = (x.reshape(len(self), -1) - self.x0[:, None]) / scale
        dy = (y.reshape(len(self), -1) - self.y0[:, None]) / scale
        reach = torch.where(self.flux != 0, self.library.reach[self.which], 0)
        near = dx * dx + dy * dy < (reach**2).to(dx)[:, None]
        points = near.flatten().nonzero()[:, 0]
        lens = points.div(dx.shape[1], rounding_mode="floor")
        cosine, sine = torch.cos(self.orientation)[lens], torch.sin(self.orientation)[lens]
        dx, dy = dx.flatten()[points], dy.flatten()[points]
        column = (cosine * dx + sine * dy) * self.mirrored[lens]
        row = cosine * dy - sine * dx
        values = self._spline(self.which[lens], column, row)
        brightness = torch.zeros(near.numel(), dtype=values.dtype, device=values.device)
        brightness[points] = values * (self.flux / self.scale**2)[lens]
        return brightness.view(x.shape)

    def _spline(self, which: Tensor, column: Tensor, row: Tensor) -> Tensor:
        """Spline of some images at pixels from their centres; all (M,)."""
        coefficients = self.library.coefficients
        size = coefficients.shape[-1]
        column, row = ((p + (size - 1) / 2).clamp(1, size - 3) for p in (column, row))
        first_column, first_row = torch.floor(column), torch.floor(row)
        weights = _weights(column - first_column)
        corner = (which * size + first_row.long() - 1) * size + first_column.long() - 1
        flat = coefficients.flatten()
        total = torch.zeros_like(column)
        for i, down in enumerate(_weights(row - first_row)):
            line = torch.zeros_like(column)
            for j, across in enumerate(weights):
                line += across * flat[corner + (i * size + j)]
            total += down * line
        return total

    def components(self) -> dict[str, Tensor]:
        """Parameters of each lens' galaxy, (B,) each: ``galaxy_number``, ``galaxy_scale``."""
        named = {f"galaxy_{name}": getattr(self, name) for name in _VALUES}
        radius = self.library.half_light_radius / self.library.pixel_scale
        return {
            "galaxy_number": self.which.to(self.scale),
            "galaxy_half_light_radius": radius[self.which].to(self.scale) * self.scale,
            **named,
        }

    def total_flux(self) -> Tensor:
        """Flux over the whole plane, (B,), counts."""
        return self.flux

    def peak(self) -> Tensor:
        """Largest surface brightness, (B,), counts per arcsec^2, to half a pixel."""
        return self.library.peak[self.which].to(self.scale) * self.flux / self.scale**2

    def reach(self) -> Tensor:
        """Radius about (x0, y0) beyond which there is no light, (B,), arcsec."""
        return self.library.reach[self.which].to(self.scale) * self.scale


def _weights(t: Tensor) -> tuple[Tensor, Tensor, Tensor, Tensor]:
    """Cubic B-splines of the four pixels about a position t in [0, 1) past the second."""
    s = 1 - t
    before, after = s**3 / 6, t**3 / 6
    here = 2 / 3 - t * t * (1 - t / 2)
    return before, here, 1 - before - here - after, after


def draw_galaxies(
    streams: RandomStreams,
    library: GalaxyLibrary,
    half_light_radius: Tensor,
    x0: Tensor,
    y0: Tensor,
) -> GalaxyCutouts:
    """Draw a galaxy for each lens, turned and mirrored at random, with a flux of one.

    Parameters
    ----------
    streams : RandomStreams
        Random numbers of B lenses; "galaxy_number", "galaxy_orientation" and
        "galaxy_mirror" are used.
    library : GalaxyLibrary
        The galaxies, each as likely as the other.
    half_light_radius : Tensor, (B,), arcsec
        Size that the galaxies are given: the radius of the circle with half of the light.
    x0, y0 : Tensor, (B,), arcsec
        Positions of the centroids.

    Returns
    -------
    GalaxyCutouts
        In the dtype of the radius, on the device of the streams.
    """
    names = ("galaxy_number", "galaxy_orientation", "galaxy_mirror")
    drawn = {k: v[:, 0] for k, v in streams.uniform(dict.fromkeys(names, 1)).items()}
    library = library.to(streams.index.device)
    which = (drawn["galaxy_number"] * len(library)).long().clamp(max=len(library) - 1)
    pixels = (library.half_light_radius / library.pixel_scale)[which].to(half_light_radius)
    return GalaxyCutouts(
        library,
        which,
        half_light_radius / pixels,
        (2 * math.pi * drawn["galaxy_orientation"]).to(half_light_radius),
        torch.where(drawn["galaxy_mirror"] < 0.5, -1.0, 1.0).to(half_light_radius),
        x0,
        y0,
        torch.ones_like(half_light_radius),
    )

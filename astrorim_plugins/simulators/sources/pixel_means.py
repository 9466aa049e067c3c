"""Means of a surface brightness over the pixels of a grid of its own for each lens."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING

import torch

if TYPE_CHECKING:
    from torch import Tensor

__all__ = ["PixelMeans", "means_from_neighbours"]

Brightness = Callable[["Tensor", "Tensor"], "Tensor"]


def means_from_neighbours(points: Tensor) -> Tensor:
    r"""Means over pixels of a smooth image, :math:`I + \nabla^2 I\, h^2 / 24`.

    Parameters
    ----------
    points : Tensor, (B, n, n)
        Values at the centres of the pixels.

    Returns
    -------
    Tensor, (B, n, n)
        To fourth order in the pixel's side h; the border repeats its pixels.
    """
    edged = torch.nn.functional.pad(points[:, None], (1, 1, 1, 1), mode="replicate")[:, 0]
    rows = edged[:, :-2, 1:-1] + edged[:, 2:, 1:-1]
    columns = edged[:, 1:-1, :-2] + edged[:, 1:-1, 2:]
    return points + (rows + columns - 4 * points) / 24


@dataclass(frozen=True)
class PixelMeans:
    """Square grids, one for each lens of a batch.

    Parameters
    ----------
    centre : Tensor, (B, 2), arcsec
        Position (x, y) of each grid's centre.
    pixel_scale : Tensor, (B,), arcsec
        Side of a pixel.
    size : int
        Pixels n along a side.
    """

    centre: Tensor
    pixel_scale: Tensor
    size: int

    def axes(self, points: int = 1) -> tuple[Tensor, Tensor]:
        """Positions of the columns (x) and rows (y) of finer grids, (B, n points)."""
        number = self.size * points
        steps = torch.arange(number, dtype=self.centre.dtype, device=self.centre.device)
        offset = ((steps - (number - 1) / 2) / points) * self.pixel_scale[:, None]
        return self.centre[:, :1] + offset, self.centre[:, 1:] + offset

    def points(self, points: int = 1) -> tuple[Tensor, Tensor]:
        """Positions x and y of the (sub-)pixels' centres, (B, n points, n points)."""
        x, y = self.axes(points)
        shape = (len(x), x.shape[1], x.shape[1])
        return x[:, None, :].expand(shape).contiguous(), y[:, :, None].expand(
            shape
        ).contiguous()

    def mean_over(self, brightness: Brightness, points: int) -> Tensor:
        """Means over ``points`` x ``points`` positions in every pixel, (B, n, n)."""
        values = brightness(*self.points(points))
        return torch.nn.functional.avg_pool2d(values[:, None], points)[:, 0]

    def gaussian_means(
        self, amplitude: Tensor, sigma: Tensor, x0: Tensor, y0: Tensor
    ) -> Tensor:
        r"""Exact means of the sum of round Gaussians :math:`a \exp(-r^2/2\sigma^2)`.

        Parameters
        ----------
        amplitude : Tensor, (B, m), any unit
            Central values a.
        sigma, x0, y0 : Tensor, (B, m), arcsec
            Dispersions and centres.

        Returns
        -------
        Tensor, (B, n, n)
            In the unit of ``amplitude``.
        """
        x, y = self.axes()
        along_x, along_y = (
            self._gaussian_axis(axis, centre, sigma) for axis, centre in ((x, x0), (y, y0))
        )
        return (amplitude[..., None] * along_y).mT @ along_x

    def _gaussian_axis(self, axis: Tensor, centre: Tensor, sigma: Tensor) -> Tensor:
        """Means over the pixels of one axis, (B, m, n)."""
        width = self.pixel_scale[:, None]
        edge = torch.cat([axis - width / 2, axis[:, -1:] + width / 2], dim=1)
        scale = math.sqrt(2) * sigma[..., None]
        cumulative = torch.special.erf((edge[:, None, :] - centre[..., None]) / scale)
        factor = math.sqrt(math.pi) / 2 / width[..., None]
        return cumulative.diff(dim=-1) * scale * factor

    def refine(
        self,
        image: Tensor,
        rows: Tensor,
        x0: Tensor,
        y0: Tensor,
        brightness: Brightness,
        *,
        width: int,
        number: int,
    ) -> None:
        """Replace the pixels about a centre by means over finer points, in place.

        Parameters
        ----------
        image : Tensor, (R, n, n)
            Images of the lenses ``rows``.
        rows : Tensor, (R,)
            Lenses of the batch.
        x0, y0 : Tensor, (R, 1, 1), arcsec
            Centres.
        brightness : callable
            ``brightness(x, y)`` at positions (R, H, W).
        width : int
            Pixels along the side of the square that is replaced.
        number : int
            Points along the side of a pixel.
        """
        width = min(width, self.size)
        scale = self.pixel_scale[rows, None]
        steps = torch.arange(number, device=image.device)
        steps = ((steps + 0.5) / number - 0.5).to(image) * scale
        places, positions = [], []
        for axis, centre in zip(self.axes(), (x0, y0), strict=True):
            own = axis[rows]
            middle = torch.round((centre.view(-1, 1) - own[:, :1]) / scale)
            start = (middle.to(torch.int64) - width // 2).clamp(0, self.size - width)
            place = start + torch.arange(width, device=image.device)
            places.append(place)
            positions.append((own.gather(1, place)[..., None] + steps[:, None, :]).flatten(1))
        shape = (len(image), width * number, width * number)
        values = brightness(
            positions[0][:, None, :].expand(shape).contiguous(),
            positions[1][:, :, None].expand(shape).contiguous(),
        )
        means = torch.nn.functional.avg_pool2d(values[:, None], number)[:, 0]
        lens = torch.arange(len(image), device=image.device)[:, None, None]
        image[lens, places[1][:, :, None], places[0][:, None, :]] = means

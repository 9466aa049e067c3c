r"""Number of images of a point source, by the triangle method.

A mesh of triangles on the image plane is mapped to the source plane; each mapped triangle
that contains the source is an image (Schneider, Ehlers & Falco 1992, Gravitational Lenses,
section 10.3.3; Keeton 2001, arXiv:astro-ph/0102340, section 3.2).
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import TYPE_CHECKING

import torch

from astrorim.exceptions import SimulationError

if TYPE_CHECKING:
    from torch import Tensor

    from astrorim.interfaces import LensModel

__all__ = ["count_images", "is_singly_imaged"]

_HOLE = 1e-4
_CONCENTRATION = 3.0
_AT_ONCE = 16
_STEPS = 12
_TOLERANCE = 0.01
_NEAR = 1e-3


def count_images(
    model: LensModel,
    params: Mapping[str, Tensor],
    source_x: Tensor,
    source_y: Tensor,
    *,
    half_width: Tensor,
    num_cells: int = 96,
) -> Tensor:
    r"""Number of images of a point source.

    The mesh is polar about the deflector, ``x0``, ``y0``, with radii
    :math:`\propto \sinh(3 j / n)`. A hole of 1e-4 of its radius surrounds the deflector,
    so that no triangle contains its singular centre: that one's image on the source plane
    would cover the sources inside the cut and add a central image that does not exist.
    Other singular centres, of subhalos for instance, lie inside triangles. Images beyond
    the inmost ring are therefore followed by linear interpolation in triangles that shrink
    about them; those that do not converge on the source are dropped, and those that
    converge on the same point are counted once.

    Not counted are images inside the hole, whose magnification is below 1e-3 for singular
    isothermal centres, faint images within a cell of another singular centre, and pairs
    closer together than a cell, which belong to sources within about
    (half_width / num_cells)^2 of a caustic.

    Parameters
    ----------
    model : LensModel
        The mass.
    params : mapping of str to Tensor, (B,)
        Its parameters. Without ``x0``, ``y0`` the mesh is centred on the origin.
    source_x, source_y : Tensor, (B,), arcsec
        Position of the source on the source plane.
    half_width : Tensor, (B,), arcsec
        Radius of the mesh; images beyond it are not counted. Twice the Einstein radius
        plus the distance of the source holds all images of a galaxy.
    num_cells : int, optional
        Cells along the radius and round the circle; each is two triangles.

    Returns
    -------
    Tensor, (B,), int64

    Raises
    ------
    SimulationError
        If ``num_cells`` is below eight, or a half width is not positive.
    """
    if num_cells < 8:
        raise SimulationError(
            f"num_cells must be at least 8, got {num_cells}; 96 resolves the caustics of "
            "galaxies"
        )
    if not bool((half_width > 0).all()):
        raise SimulationError(
            f"half_width must be positive, in arcsec, got {float(half_width.min())}; twice "
            "the Einstein radius plus the source's distance is enough"
        )
    # float64, because a mapped triangle near a critical curve is a sliver.
    own = {name: value.double() for name, value in params.items()}
    source = torch.stack([source_x, source_y]).double()
    zero = torch.zeros_like(source[0])
    centre = torch.stack([own.get("x0", zero), own.get("y0", zero)])
    unit = _unit_mesh(num_cells, source.device)

    rows, inmost, corners = [], [], []
    for first in range(0, source.shape[1], _AT_ONCE):
        part = slice(first, first + _AT_ONCE)
        mesh = half_width[part, None, None].double() * unit[:, None]
        mesh = mesh + centre[:, part, None, None]
        few = {name: value[part, None, None] for name, value in own.items()}
        offset = _mapped(model, mesh, few) - source[:, part, None, None]
        lens, ring, triangle = _around_source(offset, mesh)
        rows.append(lens + first)
        inmost.append(ring == 0)
        corners.append(triangle)
    row = torch.cat(rows)
    order = row.argsort(stable=True)
    row = row[order]
    triangles = torch.cat(corners, dim=1)[:, order]
    few = {name: value[row, None] for name, value in own.items()}
    point, found = _followed(model, few, source[:, row, None], triangles)
    found |= torch.cat(inmost)[order]
    sides = (triangles - triangles.roll(1, dims=-1)).square().sum(dim=0).sqrt()
    found &= ~_repeated(row, point, _NEAR * sides.amax(dim=-1))
    return torch.bincount(row[found], minlength=source.shape[1])


def is_singly_imaged(
    model: LensModel,
    params: Mapping[str, Tensor],
    source_x: Tensor,
    source_y: Tensor,
    *,
    half_width: Tensor,
    num_cells: int = 96,
) -> Tensor:
    """Whether a point source has exactly one image; see `count_images`.

    Parameters
    ----------
    model : LensModel
        The mass.
    params : mapping of str to Tensor, (B,)
        Its parameters.
    source_x, source_y : Tensor, (B,), arcsec
        Position of the source on the source plane.
    half_width : Tensor, (B,), arcsec
        Radius of the mesh.
    num_cells : int, optional
        Cells along the radius and round the circle.

    Returns
    -------
    Tensor, (B,), bool

    Raises
    ------
    SimulationError
        As `count_images`.
    """
    number = count_images(
        model, params, source_x, source_y, half_width=half_width, num_cells=num_cells
    )
    return number == 1


def _unit_mesh(num_cells: int, device: torch.device) -> Tensor:
    """Polar mesh of radius one, (2, num_cells + 1, num_cells + 1); closed in angle."""
    step = torch.arange(num_cells + 1, dtype=torch.float64, device=device) / num_cells
    radius = torch.sinh(_CONCENTRATION * step) / math.sinh(_CONCENTRATION)
    radius = _HOLE + (1 - _HOLE) * radius
    # Half a step off the axes, where symmetric lenses have their cusps.
    angle = 2 * math.pi * (step[:-1] + 0.5 / num_cells)
    angle = torch.cat([angle, angle[:1]])
    return radius[:, None] * torch.stack([torch.cos(angle), torch.sin(angle)])[:, None]


def _mapped(model: LensModel, position: Tensor, params: Mapping[str, Tensor]) -> Tensor:
    """Positions (2, ...) on the source plane."""
    return position - torch.stack(model.deflection(position[0], position[1], params))


def _cross(a: Tensor, b: Tensor) -> Tensor:
    return a[0] * b[1] - a[1] * b[0]


def _around_source(offset: Tensor, mesh: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """Triangles around the origin: lens and ring, (M,), and corners, (2, M, 3).

    On which side of an edge the origin lies is found once for both triangles that share
    the edge, so that rounding neither loses an image nor counts it twice.
    """
    inner, outer = offset[..., :-1, :], offset[..., 1:, :]
    rings = _cross(offset[..., :-1], offset[..., 1:]) > 0
    spokes = _cross(inner, outer) > 0
    diagonals = _cross(inner[..., :-1], outer[..., 1:]) > 0
    # (inner left, inner right, outer right) and (inner left, outer right, outer left)
    right = (rings[:, :-1] == spokes[..., 1:]) & (rings[:, :-1] != diagonals)
    left = (rings[:, 1:] == spokes[..., :-1]) & (rings[:, 1:] != diagonals)
    rows, rings_found, corners = [], [], []
    for found, middle in ((right, (0, 1)), (left, (1, 0))):
        lens, i, j = found.nonzero(as_tuple=True)
        places = ((0, 0), middle, (1, 1))
        rows.append(lens)
        rings_found.append(i)
        corners.append(torch.stack([mesh[:, lens, i + a, j + b] for a, b in places], dim=-1))
    return torch.cat(rows), torch.cat(rings_found), torch.cat(corners, dim=1)


def _followed(
    model: LensModel, params: Mapping[str, Tensor], source: Tensor, corners: Tensor
) -> tuple[Tensor, Tensor]:
    """Where triangles (2, M, 3) shrink to, (2, M), and whether it maps to the source."""
    shape = corners - corners.mean(dim=-1, keepdim=True)
    offset = _mapped(model, corners, params) - source
    size = (offset - offset.roll(1, dims=-1)).square().sum(dim=0).amax(dim=-1).sqrt()
    nearest = torch.full_like(size, math.inf)
    for _ in range(_STEPS):
        # Barycentric coordinates of the source: the areas that it makes with the edges.
        weight = _cross(offset.roll(-1, dims=-1), offset.roll(-2, dims=-1))
        weight = weight / weight.sum(dim=-1, keepdim=True)
        weight = torch.nan_to_num(weight, nan=1 / 3).clamp(-1, 2)
        weight = weight + (1 - weight.sum(dim=-1, keepdim=True)) / 3
        point = (weight * corners).sum(dim=-1, keepdim=True)
        shape = shape / 2
        corners = point + shape
        miss = (_mapped(model, point, params) - source)[..., 0]
        nearest = torch.minimum(nearest, miss.square().sum(dim=0).sqrt())
        offset = _mapped(model, corners, params) - source
    return point[..., 0], nearest < _TOLERANCE * size


def _repeated(row: Tensor, point: Tensor, near: Tensor) -> Tensor:
    """Whether an earlier point (2, M) of the same lens, ``row`` rising, is as near as that."""
    repeated = torch.zeros_like(row, dtype=torch.bool)
    most = int(torch.bincount(row).max()) if len(row) else 0
    for back in range(1, most):
        apart = (point[:, back:] - point[:, :-back]).square().sum(dim=0).sqrt()
        repeated[back:] |= (row[back:] == row[:-back]) & (apart < near[back:])
    return repeated

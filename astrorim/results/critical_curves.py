r"""Critical curves and caustics of any sum of lens models: all of them.

Tangential critical curves are where :math:`1 - \kappa - |\gamma| = 0`, radial ones where
:math:`1 - \kappa + |\gamma| = 0` (Schneider, Ehlers & Falco 1992, Gravitational Lenses,
section 5.2), both from the exact derivatives of the deflection, never from the extrema
of a magnification on pixels. The frame of the image plays no part. The lens mapping takes
critical curves to caustics.

A component whose deflection stays finite and changes its direction at its centre, such as
a singular isothermal one, has no radial critical curve: its place on the source plane is
taken by the *cut*, the image of a vanishing circle about the centre, across which the
number of images changes by one (Kormann, Schneider & Bartelmann 1994, A&A 284, 285,
section 2). A point mass, or a profile steeper than isothermal, has neither.

Where a singular isothermal component lies inside the critical curve of the others, radial
critical curves begin and end at its centre; they are closed there. Curves smaller than
`HOLE` about a component's centre are not found.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

import astropy.units as u
import numpy as np
from astropy.table import QTable

from astrorim.results.contour_mesh import Mesh, zero_lines
from astrorim.results.lens_fields import LensFields, lens_centres, lens_fields

if TYPE_CHECKING:
    from astrorim.interfaces import LensModel

__all__ = ["HOLE", "CriticalCurve", "CriticalCurves", "Cut", "find_critical_curves"]

HOLE = 1e-4
"""Radius about each component's centre inside which nothing is looked for, arcsec."""

FARTHEST = 100.0
"""Distance from the components inside which curves are looked for, arcsec."""

_FLAT = 1e-3
"""Largest logarithmic slope of a deflection that counts as finite at the centre."""


def _polygon_area(points: np.ndarray) -> float:
    x, y = (points - points.mean(axis=0)).T
    return 0.5 * abs(float(x @ np.roll(y, -1) - y @ np.roll(x, -1)))


@dataclass(frozen=True)
class CriticalCurve:
    """A closed critical curve and its caustic.

    Parameters
    ----------
    kind : {"tangential", "radial"}
        Which eigenvalue vanishes on it.
    points : ndarray, (P, 2), arcsec
        Positions (x, y) on the image, in order; the first is not repeated.
    caustic : ndarray, (P, 2), arcsec
        The same points on the source plane.
    """

    kind: str
    points: np.ndarray
    caustic: np.ndarray

    @property
    def area(self) -> float:
        """Area inside the critical curve, arcsec^2."""
        return _polygon_area(self.points)

    @property
    def radius(self) -> float:
        """Radius of the circle of that area, arcsec."""
        return math.sqrt(self.area / math.pi)

    def encloses(self, x: float, y: float) -> bool:
        """Whether a position, arcsec, lies inside the critical curve."""
        px, py = self.points.T
        qx, qy = np.roll(px, -1), np.roll(py, -1)
        spans = (py > y) != (qy > y)
        at = px + (y - py) * (qx - px) / np.where(qy == py, 1.0, qy - py)
        return bool(np.count_nonzero(spans & (at > x)) % 2)


@dataclass(frozen=True)
class Cut:
    """What a singular centre with a finite deflection makes of the source plane.

    Parameters
    ----------
    centre : tuple of float, arcsec
        The centre, on the image.
    caustic : ndarray, (P, 2), arcsec
        The curve on the source plane.
    """

    centre: tuple[float, float]
    caustic: np.ndarray


@dataclass(frozen=True)
class CriticalCurves:
    """All critical curves of a lens, the largest first, and the cuts.

    Parameters
    ----------
    curves : tuple of CriticalCurve
        Closed curves of both kinds.
    cuts : tuple of Cut
        One for each centre that has one.
    num_open : int
        Curves that run into the edge of the region, or into a hole; they are left out.
    """

    curves: tuple[CriticalCurve, ...]
    cuts: tuple[Cut, ...]
    num_open: int = 0

    @property
    def tangential(self) -> tuple[CriticalCurve, ...]:
        """The tangential ones."""
        return tuple(curve for curve in self.curves if curve.kind == "tangential")

    @property
    def radial(self) -> tuple[CriticalCurve, ...]:
        """The radial ones."""
        return tuple(curve for curve in self.curves if curve.kind == "radial")

    def table(self) -> QTable:
        """Points of all curves, a row each.

        Returns
        -------
        `~astropy.table.QTable`
            Columns ``curve`` (number, from 1), ``kind`` (``tangential``, ``radial`` or
            ``cut``), ``x``, ``y`` (on the image) and ``source_x``, ``source_y`` (on the
            source plane), arcsec from the centre of the image.
        """
        parts = [(c.kind, c.points, c.caustic) for c in self.curves]
        parts += [
            ("cut", np.broadcast_to(np.array(c.centre), c.caustic.shape), c.caustic)
            for c in self.cuts
        ]
        numbers = [np.full(len(image), n) for n, (_, image, _) in enumerate(parts, 1)]
        kinds = [np.full(len(image), kind) for kind, image, _ in parts]
        empty = np.empty((0, 2))
        image = np.concatenate([empty, *(part[1] for part in parts)])
        source = np.concatenate([empty, *(part[2] for part in parts)])
        return QTable(
            {
                "curve": np.concatenate([np.empty(0, int), *numbers]),
                "kind": np.concatenate([np.empty(0, "U10"), *kinds]),
                "x": image[:, 0] * u.arcsec,
                "y": image[:, 1] * u.arcsec,
                "source_x": source[:, 0] * u.arcsec,
                "source_y": source[:, 1] * u.arcsec,
            }
        )


def find_critical_curves(model: LensModel, params: Mapping[str, float]) -> CriticalCurves:
    """Find all critical curves, caustics and cuts of a lens.

    Parameters
    ----------
    model : LensModel
        Any lens model or sum.
    params : mapping of str to float
        Lens parameters, in their declared units.

    Returns
    -------
    CriticalCurves
    """
    params = {name: float(value) for name, value in params.items()}
    centres = lens_centres(params)

    def fields(points: np.ndarray) -> LensFields:
        return lens_fields(model, params, points[:, 0], points[:, 1])

    mesh = Mesh(centres, hole=HOLE, reach=_reach(fields, centres))
    at_nodes = fields(mesh.nodes)
    curves: list[CriticalCurve] = []
    num_open = 0
    for kind in ("tangential", "radial"):

        def eigenvalue(points: np.ndarray, kind: str = kind) -> np.ndarray:
            return getattr(fields(points), kind)

        values = getattr(at_nodes, kind)
        closed, open_ = zero_lines(mesh, values, eigenvalue)
        for finer in mesh.extrema(values):
            closed += zero_lines(finer, eigenvalue(finer.nodes), eigenvalue)[0]
        through = [line for line in open_ if _through_a_centre(line, centres)]
        closed += through
        num_open += len(open_) - len(through)
        for line in closed:
            at = fields(line)
            caustic = line - np.stack([at.alpha_x, at.alpha_y], axis=-1)
            curves.append(CriticalCurve(kind, line, caustic))
    curves.sort(key=lambda curve: -curve.area)
    cuts = [cut for centre in centres if (cut := _cut(fields, centre)) is not None]
    return CriticalCurves(tuple(curves), tuple(cuts), num_open)


def _through_a_centre(line: np.ndarray, centres: np.ndarray) -> bool:
    """Whether both ends of a line lie at the hole about the same centre."""
    ends = np.hypot(*(line[[0, -1], None] - centres).transpose(2, 0, 1))
    return bool((ends < 1.2 * HOLE).all(axis=0).any())


def _circle(centre: np.ndarray, radius: float, number: int = 256) -> np.ndarray:
    angle = 2 * math.pi * np.arange(number) / number
    return centre + radius * np.stack([np.cos(angle), np.sin(angle)], axis=-1)


def _reach(fields: object, centres: np.ndarray) -> float:
    """Distance from the centres beyond which no eigenvalue vanishes, arcsec."""
    radii = np.geomspace(1e-2, FARTHEST, 93)
    rings = np.concatenate([_circle(c, r, 48) for c in centres for r in radii])
    values = fields(rings).tangential.reshape(len(centres), radii.size, 48)  # type: ignore[operator]
    inside = (values <= 0).any(axis=(0, 2))
    if not inside.any():
        return 1.0
    return float(min(2 * radii[np.flatnonzero(inside)[-1]], FARTHEST))


def _cut(fields: object, centre: np.ndarray) -> Cut | None:
    """The cut of a centre, if the deflection is finite there and has a direction."""
    circles = [fields(_circle(centre, factor * HOLE)) for factor in (1, 2, 4)]  # type: ignore[operator]
    x, y = ([f.alpha_x for f in circles], [f.alpha_y for f in circles])
    # other components vary linearly across the circle, which this takes out
    steps = [(2 * x[i] - x[i + 1], 2 * y[i] - y[i + 1]) for i in range(2)]
    small, large = (float(np.hypot(a - a.mean(), b - b.mean()).max()) for a, b in steps)
    if small < 10 * HOLE or abs(math.log2(large / small)) > _FLAT:
        return None
    image = centre - np.stack(steps[0], axis=-1)
    return Cut((float(centre[0]), float(centre[1])), image)

"""Zero lines of a function of position that is steep about a few centres.

A grid of pixels sees neither a curve smaller than a pixel nor, next to a pole, what is a
curve and what is the pole. Here the function is taken on nodes of log-polar grids about
the centres, each ruling the part of the plane that it is nearest to, so that the mesh is
as fine as the distance to the next centre asks for; the centres themselves are holes in
it. Zero lines are followed from triangle to triangle, on whose edges the function
changes its sign.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from scipy.spatial import Delaunay

__all__ = ["Mesh", "zero_lines"]

Function = Callable[[np.ndarray], np.ndarray]
"""Positions (N, 2), arcsec, to values (N,)."""

_NUM_ANGLES = 72
_REFINED = 0.2


class Mesh:
    """Triangles that cover a disk but for small holes about the centres.

    About a centre, as far as no other one is near, triangles lie between the rings of
    its log-polar grid; what is between several centres is triangulated by Delaunay's rule,
    which keeps the outermost ring of each as it is, since no node lies inside.

    Parameters
    ----------
    centres : ndarray, (C, 2), arcsec
        Where the function may be singular.
    hole : float, arcsec
        Radius of the holes.
    reach : float, arcsec
        Every point this far from a centre is covered.
    num_angles : int, optional
        Nodes on a circle about a centre; radii grow in the same proportion.

    Attributes
    ----------
    nodes : ndarray, (N, 2), arcsec
        Positions of the nodes.
    triangles : ndarray, (T, 3)
        Indices of their corners.
    """

    def __init__(
        self,
        centres: np.ndarray,
        *,
        hole: float,
        reach: float,
        num_angles: int = _NUM_ANGLES,
    ) -> None:
        middle = centres.mean(axis=0)
        outermost = reach + np.hypot(*(centres - middle).T).max()
        nodes, triangles, outer, between = [], [], [], []
        count = 0
        for number, centre in enumerate(centres):
            others = np.delete(centres, number, axis=0)
            nearest = np.hypot(*(others - centre).T).min(initial=np.inf)
            own = max(0.4 * nearest, 2 * hole)
            limit = outermost + np.hypot(*(centre - middle))
            rings = _rings(centre, hole, min(own, limit), num_angles)
            if nearest <= 4 * hole:
                rings = rings[:1]
            nodes.append(rings.reshape(-1, 2))
            triangles.append(count + _between_rings(len(rings), num_angles))
            outer.append(count + np.arange(nodes[-1].shape[0] - num_angles, len(nodes[-1])))
            count += nodes[-1].shape[0]
            if len(others):
                last = np.hypot(*(rings[-1] - centre).T).max()
                further = _rings(centre, last, limit, num_angles)[1:].reshape(-1, 2)
                away = np.hypot(*(further[:, None] - centres).transpose(2, 0, 1))
                between.append(further[away.argmin(axis=1) == number])
        self.nodes = np.concatenate(nodes)
        if between:
            loose = np.concatenate(between)
            loose = loose[np.hypot(*(loose - middle).T) <= 1.1 * outermost]
            radii = np.array(
                [
                    np.hypot(*(self.nodes[o] - c).T).max()
                    for o, c in zip(outer, centres, strict=True)
                ]
            )
            away = np.hypot(*(loose[:, None] - centres).transpose(2, 0, 1))
            loose = loose[(away > 1.01 * radii).all(axis=1)]
            index = np.concatenate([*outer, count + np.arange(len(loose))])
            self.nodes = np.concatenate([self.nodes, loose])
            simplices = Delaunay(self.nodes[index]).simplices
            owner = np.concatenate(
                [np.repeat(np.arange(len(centres)), num_angles), np.full(len(loose), -1)]
            )[simplices]
            inside = (owner[:, :1] == owner).all(axis=1) & (owner[:, 0] >= 0)
            triangles.append(index[simplices[~inside]])
        self.triangles = np.concatenate(triangles)

    @property
    def edges(self) -> np.ndarray:
        """Pairs of nodes that are joined, (E, 2), each once, the smaller index first."""
        pairs = np.sort(self.triangles[:, [[0, 1], [1, 2], [2, 0]]].reshape(-1, 2), axis=1)
        return np.unique(pairs, axis=0)

    def extrema(self, values: np.ndarray) -> list[Mesh]:
        """Finer meshes about the nodes at which a loop too small for this one may be.

        These are nodes at which the function is nearer to zero than at all neighbours, of
        its own sign at all of them, and within 0.2 of zero.

        Parameters
        ----------
        values : ndarray, (N,)
            The function at the nodes.

        Returns
        -------
        list of Mesh
            A disk without a hole about each.
        """
        first, second = self.edges.T
        lowest = np.full(len(values), np.inf)
        length = np.zeros(len(values))
        sides = np.hypot(*(self.nodes[first] - self.nodes[second]).T)
        for one, other in ((first, second), (second, first)):
            np.minimum.at(lowest, one, values[other] * np.sign(values[one]))
            np.maximum.at(length, one, sides)
        size = np.abs(values)
        chosen = np.flatnonzero((size < _REFINED) & (size <= lowest) & (length > 0))
        return [_disk(self.nodes[node], length[node]) for node in chosen]


def _rings(centre: np.ndarray, first: float, last: float, num_angles: int) -> np.ndarray:
    """Nodes (K, num_angles, 2) on rings from ``first`` to at least ``last``, staggered."""
    step = 2 * np.pi / num_angles
    number = max(int(np.ceil(np.log(last / first) / step)), 1) + 1
    radii = first * np.exp(step * np.arange(number))
    turn = 0.1234 + 0.5 * step * (np.arange(number) % 2)
    angle = step * np.arange(num_angles) + turn[:, None]
    return centre + radii[:, None, None] * np.stack([np.cos(angle), np.sin(angle)], axis=-1)


def _between_rings(number: int, num_angles: int) -> np.ndarray:
    """Triangles between consecutive rings of `_rings`, by the index of their nodes."""
    ring, here = np.meshgrid(np.arange(number - 1), np.arange(num_angles), indexing="ij")
    following = (here + 1) % num_angles
    inner, outer = ring * num_angles, (ring + 1) * num_angles
    # odd rings are turned by half a step: beside node j of an even one lie j - 1 and j
    even = ring % 2 == 0
    one = np.stack([inner + here, inner + following, outer + np.where(even, here, following)])
    two = np.stack([outer + here, outer + following, inner + np.where(even, following, here)])
    return np.concatenate([one.reshape(3, -1), two.reshape(3, -1)], axis=1).T


def _disk(centre: np.ndarray, radius: float, num_rings: int = 12) -> Mesh:
    """Mesh of a disk, evenly fine."""
    offsets = [np.zeros((1, 2))]
    for ring in range(1, num_rings + 1):
        angle = 2 * np.pi * np.arange(6 * ring) / (6 * ring)
        offsets.append(ring / num_rings * np.stack([np.cos(angle), np.sin(angle)], axis=-1))
    flat = np.concatenate(offsets)
    mesh = object.__new__(Mesh)
    mesh.nodes = centre + radius * flat
    mesh.triangles = Delaunay(flat).simplices
    return mesh


def zero_lines(
    mesh: Mesh, values: np.ndarray, function: Function
) -> tuple[list[np.ndarray], list[np.ndarray]]:
    """Follow the lines on which a function is zero.

    Parameters
    ----------
    mesh : Mesh
        The triangles.
    values : ndarray, (N,)
        The function at their nodes.
    function : callable
        The function; continuous but at the mesh's holes.

    Returns
    -------
    closed, open_ : list of ndarray, (P, 2), arcsec
        Points of each line in order, on the line to rounding; the first point of a closed
        one is not repeated. Open lines end at a hole or at the edge.
    """
    positive = values > 0
    signs = positive[mesh.triangles]
    crossed = mesh.triangles[signs.any(axis=1) & ~signs.all(axis=1)]
    if not len(crossed):
        return [], []
    sides = np.sort(crossed[:, [[0, 1], [1, 2], [2, 0]]], axis=2)
    change = positive[sides[..., 0]] != positive[sides[..., 1]]
    # each crossed triangle has two sides on which the sign changes: a piece of the line
    edges, index = np.unique(sides[change], axis=0, return_inverse=True)
    pieces = index.reshape(-1, 2)
    low = np.where(positive[edges[:, :1]], mesh.nodes[edges[:, 1]], mesh.nodes[edges[:, 0]])
    high = np.where(positive[edges[:, :1]], mesh.nodes[edges[:, 0]], mesh.nodes[edges[:, 1]])
    points = _root(function, low, high)
    closed: list[np.ndarray] = []
    open_: list[np.ndarray] = []
    for chain, is_closed in _chains(pieces, len(edges)):
        line = points[chain]
        for _ in range(3):
            line = _densify(function, line, closed=is_closed)
        (closed if is_closed else open_).append(line)
    return closed, open_


def _root(function: Function, low: np.ndarray, high: np.ndarray) -> np.ndarray:
    """Zero between points with negative and with positive values, (N, 2).

    By the Illinois method (Dowell & Jarratt 1971, BIT 11, 168), every third step a
    bisection, along the straight line between the two.
    """
    if not len(low):
        return low
    step = high - low
    a, b = np.zeros(len(low)), np.ones(len(low))
    fa, fb = function(low), function(high)
    c = 0.5 * (a + b)
    for number in range(40):
        secant = (a * fb - b * fa) / np.where(fb == fa, 1.0, fb - fa)
        c = 0.5 * (a + b) if number % 3 == 2 else secant
        fc = function(low + c[:, None] * step)
        above = fc > 0
        # Illinois: halve the value of an end that stays, so that it does not stick
        fa, fb = np.where(above, 0.5 * fa, fc), np.where(above, fc, 0.5 * fb)
        a, b = np.where(above, a, c), np.where(above, c, b)
        if np.all((np.abs(fc) < 1e-12) | (b - a < 1e-12)):
            break
    return low + c[:, None] * step


def _chains(pieces: np.ndarray, number: int) -> list[tuple[list[int], bool]]:
    """Join pieces (pairs of points) that share a point, of which each has one or two."""
    joined: list[list[int]] = [[] for _ in range(number)]
    for one, other in pieces.tolist():
        joined[one].append(other)
        joined[other].append(one)
    seen = np.zeros(number, dtype=bool)
    ends = [point for point in range(number) if len(joined[point]) == 1]
    chains = []
    for start in (*ends, *range(number)):
        if seen[start]:
            continue
        chain, point = [start], start
        seen[start] = True
        while True:
            following = [n for n in joined[point] if not seen[n]]
            if not following:
                break
            point = following[0]
            seen[point] = True
            chain.append(point)
        chains.append((chain, start in joined[point] and len(chain) > 2))
    return chains


def _densify(function: Function, line: np.ndarray, *, closed: bool) -> np.ndarray:
    """Put a point of the line between each two, where one is found beside the middle."""
    following = np.roll(line, -1, axis=0)
    middle, step = 0.5 * (line + following), following - line
    normal = 0.5 * np.stack([-step[:, 1], step[:, 0]], axis=-1)
    one, other = middle + normal, middle - normal
    positive_one, positive_other = function(one) > 0, function(other) > 0
    usable = positive_one != positive_other
    usable[-1] &= closed
    low = np.where(positive_one[:, None], other, one)[usable]
    high = np.where(positive_one[:, None], one, other)[usable]
    between = _root(function, low, high)
    return np.insert(line, np.flatnonzero(usable) + 1, between, axis=0)

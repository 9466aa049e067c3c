"""Zero lines against curves that are known in closed form."""

from __future__ import annotations

import numpy as np
import pytest

from astrorim.results.contour_mesh import Mesh, zero_lines

ORIGIN = np.zeros((1, 2))


def area(line):
    x, y = line.T
    return abs(0.5 * np.sum(x * np.roll(y, -1) - y * np.roll(x, -1)))


def follow(centres, function, **options):
    mesh = Mesh(np.asarray(centres, dtype=float), **({"hole": 1e-3, "reach": 3.0} | options))
    return zero_lines(mesh, function(mesh.nodes), function)


def signed_areas(mesh):
    a, b, c = (mesh.nodes[mesh.triangles[:, i]] for i in range(3))
    u, v = b - a, c - a
    return np.abs(0.5 * (u[:, 0] * v[:, 1] - u[:, 1] * v[:, 0]))


@pytest.mark.parametrize("radius", [0.004, 0.3, 2.0])
def test_circle_of_any_size_about_a_centre(radius):
    (line,), open_ = follow(ORIGIN, lambda p: np.hypot(*p.T) - radius)
    assert open_ == []
    np.testing.assert_allclose(np.hypot(*line.T), radius, rtol=1e-8)
    np.testing.assert_allclose(area(line), np.pi * radius**2, rtol=1e-4)


def test_ellipse_that_is_not_about_the_centre():
    centre = np.array([0.4, -0.7])
    (line,), _ = follow(ORIGIN, lambda p: np.hypot(*((p - centre) / [1.1, 0.6]).T) - 1)
    np.testing.assert_allclose(area(line), np.pi * 1.1 * 0.6, rtol=1e-4)


def test_two_centres_two_loops_or_one():
    """Cassini's ovals: the product of the distances from two centres is constant."""
    centres = np.array([[-1.0, 0.0], [1.0, 0.0]])

    def oval(product):
        def function(points):
            return (
                np.hypot(*(points - centres[0]).T) * np.hypot(*(points - centres[1]).T)
                - product
            )

        return function

    apart, _ = follow(centres, oval(0.9))
    assert len(apart) == 2
    together, _ = follow(centres, oval(1.2))
    assert len(together) == 1
    for line in (*apart, *together):
        assert np.ptp(oval(0)(line)) < 1e-9


def test_line_that_leaves_the_mesh_is_open():
    closed, (line,) = follow(ORIGIN, lambda p: p[:, 0] - 0.3)
    assert closed == []
    np.testing.assert_allclose(line[:, 0], 0.3, atol=1e-10)
    assert np.ptp(line[:, 1]) > 5.5


def test_function_of_one_sign_has_no_line():
    assert follow(ORIGIN, lambda p: 1 + p[:, 0] ** 2) == ([], [])


@pytest.mark.parametrize(
    "centres", [[[0, 0]], [[-0.6, 0], [0.8, 0.3]], [[0, 0], [1, 0], [0.2, 1]]]
)
def test_triangles_cover_the_disk_once(centres):
    """Areas add up to that of the hull, less the holes."""
    from scipy.spatial import ConvexHull

    centres = np.array(centres, dtype=float)
    mesh = Mesh(centres, hole=0.05, reach=2.0)
    number = 72
    hole = len(centres) * number / 2 * 0.05**2 * np.sin(2 * np.pi / number)
    hull = ConvexHull(mesh.nodes).volume  # of two dimensions: the area
    np.testing.assert_allclose(signed_areas(mesh).sum(), hull - hole, rtol=5e-3)
    assert (signed_areas(mesh) > 0).all()
    assert len(np.unique(mesh.edges, axis=0)) == len(mesh.edges)


def test_loops_smaller_than_the_mesh_are_found_about_its_extrema():
    centre = np.array([1.213, 0.772])

    def function(points):
        return np.hypot(*(points - centre).T) - 0.05

    mesh = Mesh(ORIGIN, hole=1e-3, reach=3.0, num_angles=36)
    values = function(mesh.nodes)
    assert zero_lines(mesh, values, function) == ([], [])
    found = []
    for finer in mesh.extrema(values):
        found += zero_lines(finer, function(finer.nodes), function)[0]
    assert len(found) >= 1
    np.testing.assert_allclose(area(found[0]), np.pi * 0.05**2, rtol=1e-2)

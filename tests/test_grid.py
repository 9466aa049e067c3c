"""Grids and angles follow the conventions, and the sky's answers depend on the sky alone."""

from __future__ import annotations

import astropy.units as u
import numpy as np
import pytest
from astropy.coordinates import SkyCoord
from astropy.wcs import WCS

from astrorim.grid import (
    ImageGrid,
    SourceGrid,
    image_angle,
    pixel_scale_of,
    sky_position_angle,
)

TURNS = [0.0, 30.0, 90.0, 163.0, 250.0]


def make_wcs(rotation, mirrored, scale=0.05):
    wcs = WCS(naxis=2)
    wcs.wcs.ctype = "RA---TAN", "DEC--TAN"
    wcs.wcs.crval = 150.0, 20.0
    wcs.wcs.crpix = 51, 51
    angle = np.radians(rotation)
    turn = np.array([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]])
    wcs.wcs.cd = np.diag([1.0 if mirrored else -1.0, 1.0]) @ turn * scale / 3600
    return wcs


def test_origin_is_the_arrays_centre():
    x, y = ImageGrid((3, 5), 0.1).coordinates()
    assert x.shape == y.shape == (3, 5)
    np.testing.assert_allclose(x[0], [-0.2, -0.1, 0, 0.1, 0.2], atol=1e-15)
    np.testing.assert_allclose(y[:, 0], [-0.1, 0, 0.1], atol=1e-15)


def test_even_arrays_have_their_origin_between_pixels():
    x, _ = ImageGrid((4, 4), 1.0).coordinates()
    np.testing.assert_array_equal(x[0], [-1.5, -0.5, 0.5, 1.5])


@pytest.mark.parametrize("k", [2, 3, 4])
def test_sub_pixels_tile_their_pixel(k):
    grid = SourceGrid((4, 6), 0.05, x0=0.3, y0=-0.2)
    x, y = grid.coordinates()
    fine_x, fine_y = grid.coordinates(k)
    for coarse, fine in ((x, fine_x), (y, fine_y)):
        mean = fine.reshape(4, k, 6, k).mean(axis=(1, 3))
        np.testing.assert_allclose(mean, coarse, atol=1e-15)
    left, right, bottom, top = grid.extent
    np.testing.assert_allclose(fine_x[0, 0] - 0.025 / k, left, atol=1e-15)
    np.testing.assert_allclose(fine_x[0, -1] + 0.025 / k, right, atol=1e-15)
    np.testing.assert_allclose(fine_y[0, 0] - 0.025 / k, bottom, atol=1e-15)
    np.testing.assert_allclose(fine_y[-1, 0] + 0.025 / k, top, atol=1e-15)


@pytest.mark.parametrize("k", [0, -1, 1.5])
def test_supersampling_must_be_a_positive_integer(k):
    with pytest.raises(ValueError, match="supersampling must be a positive integer, got"):
        ImageGrid((3, 3), 1.0).coordinates(k)


def test_pixels_and_arcsec_are_inverse():
    grid = SourceGrid((10, 12), 0.05, x0=1.0, y0=2.0)
    x, y = grid.coordinates()
    np.testing.assert_allclose(grid.to_arcsec(7, 3), (x[3, 7], y[3, 7]), rtol=1e-14)
    np.testing.assert_allclose(grid.to_pixel(*grid.to_arcsec(7.3, 3.1)), (7.3, 3.1), rtol=1e-12)


def test_field_of_view_is_from_edge_to_edge():
    np.testing.assert_allclose(ImageGrid((10, 20), 0.1).field_of_view, (1.0, 2.0), rtol=1e-14)


def test_grids_are_values():
    grid = ImageGrid((np.int64(3), 4), np.float32(0.5))
    assert grid == ImageGrid((3, 4), 0.5)
    assert hash(grid) == hash(ImageGrid((3, 4), 0.5))
    assert type(grid.shape[0]) is int


@pytest.mark.parametrize("shape", [(3,), (0, 4), (3, 4, 5)])
def test_shape_must_be_two_positive_sizes(shape):
    with pytest.raises(ValueError, match="shape must be"):
        ImageGrid(shape, 1.0)


@pytest.mark.parametrize("scale", [0, -1.0, np.nan, np.inf])
def test_pixel_scale_must_be_positive(scale):
    with pytest.raises(ValueError, match="pixel_scale must be positive"):
        ImageGrid((3, 3), scale)


def test_the_image_has_its_origin_at_the_centre():
    with pytest.raises(ValueError, match="use SourceGrid"):
        ImageGrid((3, 3), 1.0, x0=0.1)


@pytest.mark.parametrize("mirrored", [False, True])
@pytest.mark.parametrize("rotation", TURNS)
def test_pixel_scale_ignores_rotation_and_parity(rotation, mirrored):
    scale = pixel_scale_of(make_wcs(rotation, mirrored, scale=0.07))
    np.testing.assert_allclose(scale.to_value(u.arcsec), 0.07, rtol=1e-9)


def test_pixel_scale_needs_a_celestial_wcs():
    for wcs in (None, WCS(naxis=2)):
        with pytest.raises(ValueError, match="not celestial; pass pixel_scale="):
            pixel_scale_of(wcs)


@pytest.mark.parametrize(
    ("stretch", "message"),
    [(np.diag([1, 1.01]), "0.05050 arcsec; resample"), ([[1, 0.1], [0.1, 1]], "skewed axes")],
)
def test_pixels_must_be_square(stretch, message):
    wcs = make_wcs(30, mirrored=False)
    wcs.wcs.cd = wcs.wcs.cd @ np.asarray(stretch)
    with pytest.raises(ValueError, match=message):
        pixel_scale_of(wcs)


@pytest.mark.parametrize("mirrored", [False, True])
@pytest.mark.parametrize("rotation", TURNS)
@pytest.mark.parametrize("phi", [0.0, 0.4, 1.9, 3.0])
def test_position_angle_agrees_with_the_sky(rotation, mirrored, phi):
    """Compared over half a pixel, where the projection's curvature is below 1e-5 degrees."""
    wcs = make_wcs(rotation, mirrored)
    ends = [wcs.pixel_to_world(50 + r * np.cos(phi), 50 + r * np.sin(phi)) for r in (-0.5, 0.5)]
    expected = SkyCoord(ends[0]).position_angle(ends[1]).deg % 180
    difference = (sky_position_angle(phi, wcs) - expected + 90) % 180 - 90
    np.testing.assert_allclose(difference, 0, atol=1e-5)


@pytest.mark.parametrize("mirrored", [False, True])
@pytest.mark.parametrize("rotation", TURNS)
def test_image_angle_undoes_the_position_angle(rotation, mirrored):
    wcs = make_wcs(rotation, mirrored)
    phi = np.linspace(0.01, 3.1, 9)
    np.testing.assert_allclose(image_angle(sky_position_angle(phi, wcs), wcs), phi, rtol=1e-12)

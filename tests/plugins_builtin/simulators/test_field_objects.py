"""Field objects, in a window about each."""

from __future__ import annotations

import math

import pytest
import torch

from astrorim.plugins import load_plugins
from astrorim_plugins.simulators.field_objects import add_objects, moffat_brightness
from astrorim_plugins.simulators.rendering import SuperGrid

GRID = SuperGrid((64, 72), 0.04, 4, margin=3)
GALAXY = {
    "amplitude": 0.35 / 0.01**2, "half_light_radius": 0.08, "sersic_index": 3.5, "e1": 0.3,
    "e2": -0.2,
}  # fmt: skip
LENS_PEAK = 20.0 / 0.01**2
"""Centre of a faint and wide lens galaxy of the populations, counts/arcsec^2: 10^4 counts
with a Sersic index of three and a half-light radius of one arcsec."""


def table_of(values, places):
    table = {n: torch.full((1, len(places)), v) for n, v in values.items()}
    x, y = zip(*places, strict=True)
    return table | {"x0": torch.tensor([x]), "y0": torch.tensor([y])}


def in_windows(table, brightness):
    y, x = ((n + 6) * 4 for n in GRID.shape)
    scene = torch.zeros((1, y, x))
    add_objects(scene, GRID, table, brightness)
    return scene


def in_full(table, brightness):
    x, y = GRID.meshes(1, "cpu")
    total = torch.zeros_like(x)
    for j in range(table["x0"].shape[1]):
        total = total + brightness(x, y, {n: v[:, j, None, None] for n, v in table.items()})
    return total


@pytest.mark.parametrize(
    "place",
    [(0.0, 0.0), (-1.44, 1.28), (1.5, -0.3), (0.2, 1.4)],
    ids=["middle", "corner of the frame", "in the margin", "beyond the margin"],
)
def test_a_window_holds_a_galaxy_to_1e_4_of_a_lens_galaxy(place):
    """The steepest, widest and brightest of the populations."""
    sersic = load_plugins().light_models.create("sersic").surface_brightness
    table = table_of(GALAXY, [place])
    scene, full = in_windows(table, sersic), in_full(table, sersic)
    assert float((scene - full).abs().max()) < 1e-4 * LENS_PEAK
    assert float(scene.sum() / full.sum()) == pytest.approx(1, abs=0.02)


def test_overlapping_objects_add_up():
    table = table_of({"amplitude": 2.0, "fwhm": 0.1, "beta": 3.0}, [(0, 0), (0.1, 0), (0.1, 0)])
    scene, full = in_windows(table, moffat_brightness), in_full(table, moffat_brightness)
    torch.testing.assert_close(scene, full, rtol=1e-4, atol=1e-3)


def test_objects_that_do_not_exist_change_nothing():
    table = table_of({"amplitude": 0.0, "fwhm": 0.1, "beta": 3.0}, [(0.3, 0.2)])
    assert not bool(in_windows(table, moffat_brightness).any())


def test_a_frame_smaller_than_the_window_is_filled():
    grid = SuperGrid((5, 7), 0.04, 2, margin=1)
    scene = torch.zeros((1, 14, 18))
    table = table_of({"amplitude": 1.0, "fwhm": 0.2, "beta": 3.0}, [(0.9, -0.9)])
    add_objects(scene, grid, table, moffat_brightness)
    assert bool((scene > 0).all())


def test_a_moffat_profile_has_its_width_and_flux(dtype):
    """Half of the centre at FWHM/2; flux pi alpha^2 A / (beta - 1)."""
    fwhm, beta = 0.3, 3.0
    params = {"amplitude": 2.0, "fwhm": fwhm, "beta": beta, "x0": 0.0, "y0": 0.1}
    params = {n: torch.tensor([[[v]]], dtype=dtype) for n, v in params.items()}
    radius = torch.linspace(0, 60, 200_001, dtype=dtype)
    values = moffat_brightness(
        radius[None, None], torch.full_like(radius, 0.1)[None, None], params
    )
    half = torch.tensor([[[fwhm / 2]]], dtype=dtype)
    assert float(moffat_brightness(half, half * 0 + 0.1, params)) == pytest.approx(1.0)
    flux = float(torch.trapezoid(values[0, 0] * 2 * math.pi * radius, radius))
    alpha = fwhm / (2 * math.sqrt(2 ** (1 / beta) - 1))
    assert flux == pytest.approx(2 * math.pi * alpha**2 / (beta - 1), rel=1e-4)

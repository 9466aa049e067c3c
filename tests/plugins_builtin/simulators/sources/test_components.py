"""Sources of profiles, clumps and a spiral pattern."""

from __future__ import annotations

import math

import pytest
import torch

from astrorim.plugins import load_plugins
from astrorim_plugins.simulators.foundation import Foundation
from astrorim_plugins.simulators.sources.components import ComponentSource, present

PROFILE = {
    "amplitude": 3.0, "half_light_radius": 0.15, "sersic_index": 1.0, "e1": 0.2, "e2": 0.1,
    "x0": 0.1, "y0": -0.2,
}  # fmt: skip
CLUMP = {"amplitude": 5.0, "sigma": 0.024, "x0": 0.2, "y0": 0.3}
SPIRAL = {"amplitude": 0.3, "phase": 0.4, "winding": 9.0, "x0": 0.02, "y0": -0.1}


def table(*columns, dtype):
    """Parameters of several components of one lens."""
    return {
        name: torch.tensor([[column[name] for column in columns]], dtype=dtype)
        for name in columns[0]
    }


def spiral_source(dtype, num_spiral_profiles=None, **changes):
    """Two profiles, one steep and off the centre, and a clump, under a strong pattern."""
    other = PROFILE | {"sersic_index": 3.0, "half_light_radius": 0.08, "x0": 0.0, "e1": -0.3}
    spiral = {n: torch.tensor([v], dtype=dtype) for n, v in (SPIRAL | changes).items()}
    return ComponentSource(
        load_plugins().light_models.create("sersic"),
        table(PROFILE, other, dtype=dtype),
        table(CLUMP | {"sigma": 0.1, "y0": -0.1}, dtype=dtype),
        spiral,
        num_spiral_profiles,
    )


@pytest.fixture(scope="module")
def source():
    """Twelve sources of the population, total flux one, float64."""
    return Foundation().draw(12, seed=21).source


def test_the_drawn_sources_include_every_number_of_components(source):
    assert set((source.profiles["amplitude"] != 0).sum(dim=1).tolist()) == {1, 2, 3}
    assert 0 in (source.clumps["amplitude"] != 0).sum(dim=1).tolist()
    assert len(source) == 12


def test_positions_of_any_shape_give_the_same_brightness(source, generator, dtype):
    x, y = 0.5 * torch.randn((2, 12, 4, 6), dtype=dtype, generator=generator)
    frame = source(x, y)
    torch.testing.assert_close(source(x.flatten(1), y.flatten(1)), frame.flatten(1))


def test_each_source_is_the_sum_of_its_own_components(source, generator, dtype):
    x, y = 0.5 * torch.randn((2, 12, 50), dtype=dtype, generator=generator)
    model = source.model
    expected = torch.zeros_like(x)
    for j in range(3):
        own = {name: values[:, j, None] for name, values in source.profiles.items()}
        expected += model.surface_brightness(x, y, own)
    for j in range(4):
        a, sigma, x0, y0 = (
            source.clumps[n][:, j, None] for n in ("amplitude", "sigma", "x0", "y0")
        )
        expected += a * torch.exp(-((x - x0) ** 2 + (y - y0) ** 2) / (2 * sigma**2))
    torch.testing.assert_close(source(x, y), expected)


@pytest.mark.parametrize("number", [None, 1, 2])
def test_the_pattern_covers_the_first_profiles_alone(number, generator, dtype):
    """With a number of profiles, neither the rest nor the clumps carry it."""
    source = spiral_source(dtype, number)
    assert source.num_modulated == (2 if number is None else number)
    x, y = 0.3 * torch.randn((2, 1, 40), dtype=dtype, generator=generator)
    dx, dy = x - SPIRAL["x0"], y - SPIRAL["y0"]
    phase = 3 * torch.atan2(dy, dx) + 9 * torch.hypot(dx, dy) + SPIRAL["phase"]
    factor = 1 + 0.3 * torch.sin(phase)
    torch.testing.assert_close(source.spiral_factor(x, y), factor)
    covered = torch.zeros_like(x)
    rest = torch.zeros_like(x)
    for j in range(2):
        own = {name: values[:, j, None] for name, values in source.profiles.items()}
        part = covered if number is None or j < number else rest
        part += source.model.surface_brightness(x, y, own)
    (a, sigma, x0, y0) = (float(source.clumps[n]) for n in ("amplitude", "sigma", "x0", "y0"))
    clump = a * torch.exp(-((x - x0) ** 2 + (y - y0) ** 2) / (2 * sigma**2))
    (covered if number is None else rest).add_(clump)
    torch.testing.assert_close(source(x, y), covered * factor + rest)


@pytest.mark.parametrize("number", [None, 1])
@pytest.mark.parametrize("winding", [0.0, 9.0])
def test_the_total_flux_is_the_integral_over_the_plane(number, winding, dtype):
    """In polar rings about each profile; the pattern of the populations is weaker."""
    source = spiral_source(dtype, number, amplitude=0.1, winding=winding)
    log_radius = torch.linspace(math.log(1e-7), math.log(20), 3000, dtype=dtype)
    angle = torch.arange(192, dtype=dtype) * (2 * math.pi / 192)
    radius = torch.exp(log_radius)[:, None]
    total = 0.0
    dark = source.clumps | {"amplitude": torch.zeros_like(source.clumps["amplitude"])}
    for j in range(3):
        profiles = dict(source.profiles)
        lit = torch.arange(2) == j
        profiles["amplitude"] = profiles["amplitude"] * lit
        clumps = source.clumps if j == 2 else dark
        own = ComponentSource(source.model, profiles, clumps, source.spiral, number)
        place = profiles if j < 2 else clumps
        column = min(j, place["x0"].shape[1] - 1)
        x = place["x0"][:, column, None] + radius * torch.cos(angle)
        y = place["y0"][:, column, None] + radius * torch.sin(angle)
        along = own(x[None], y[None])[0].mean(dim=1) * 2 * math.pi * radius[:, 0] ** 2
        total += float(torch.trapezoid(along, log_radius))
    assert float(source.total_flux()) == pytest.approx(total, rel=1e-3)


def test_the_pattern_changes_the_total_flux(dtype):
    source = spiral_source(dtype, winding=0.0)
    plain = ComponentSource(source.model, source.profiles, source.clumps)
    assert abs(float(plain.total_flux()) / float(source.total_flux()) - 1) > 2e-3


@pytest.mark.parametrize("i", [5, 8])
def test_the_image_is_the_mean_of_the_brightness_over_its_pixels(source, i, dtype):
    """Points at the pixels' centres, or 3 x 3 of them, are off by up to 7 % of the peak."""
    own, k = source.select(slice(i, i + 1)), 25
    fine = (torch.arange(64 * k, dtype=dtype) - (64 * k - 1) / 2) * 0.03 / k
    shape = (1, 64 * k, 64 * k)
    exact = torch.nn.functional.avg_pool2d(
        own(fine[None, None, :].expand(shape), fine[None, :, None].expand(shape)), k
    )
    image = own.image(torch.zeros((1, 2), dtype=dtype), torch.full((1,), 0.03, dtype=dtype), 64)
    error = (image - exact).abs() / exact.max()
    assert float(error.max()) < 5e-3  # the pixel with the cusp
    assert float(error.flatten().sort(descending=True).values[16]) < 1e-3


def test_every_lens_has_the_frame_that_it_asks_for(source, dtype):
    """A batch of different frames is the same as one frame at a time."""
    two = source.select(slice(5, 7))
    centre = torch.tensor([[0.1, -0.2], [0.3, 0.05]], dtype=dtype)
    scale = torch.tensor([0.02, 0.05], dtype=dtype)
    images = two.image(centre, scale, 48)
    for i in range(2):
        rows = slice(i, i + 1)
        alone = two.select(rows).image(centre[rows], scale[rows], 48)
        torch.testing.assert_close(images[rows], alone)
        axis = (torch.arange(48, dtype=dtype) - 23.5) * scale[i]
        x, y = torch.meshgrid(axis + centre[i, 0], axis + centre[i, 1], indexing="xy")
        points = two.select(rows)(x[None], y[None])
        far = points < 0.05 * points.max()
        torch.testing.assert_close(images[rows][far], points[far], rtol=0.1, atol=1e-3)


@pytest.mark.parametrize("number", [None, 1])
def test_the_image_of_a_patterned_source_has_its_flux(number, dtype):
    source = spiral_source(dtype, number)
    frame = torch.zeros((1, 2), dtype=dtype), torch.full((1,), 0.012, dtype=dtype)
    flux = source.image(*frame, 400).sum() * 0.012**2
    assert float(flux) == pytest.approx(float(source.total_flux()), rel=5e-3)


def test_the_flux_of_the_image_is_the_total_flux(dtype):
    """Clumps and a compact profile, all well inside the frame."""
    model = load_plugins().light_models.create("sersic")
    source = ComponentSource(model, table(PROFILE, dtype=dtype), table(CLUMP, dtype=dtype))
    frame = torch.zeros((1, 2), dtype=dtype), torch.full((1,), 0.03, dtype=dtype)
    flux = source.image(*frame, 128).sum() * 0.03**2
    assert float(flux) == pytest.approx(float(source.total_flux()), rel=1e-4)


def test_scaling_scales_flux_and_brightness(source, dtype):
    factor = torch.arange(1.0, 13.0, dtype=dtype)
    scaled = source.scaled(factor)
    torch.testing.assert_close(scaled.total_flux(), factor * source.total_flux())
    x = torch.full((12, 1), 0.2, dtype=dtype)
    torch.testing.assert_close(scaled(x, x), factor[:, None] * source(x, x))


def test_parts_put_together_are_the_whole(source, dtype):
    parts = [source.select(slice(0, 5)), source.select(torch.arange(5, 12))]
    whole = ComponentSource.concatenate(parts)
    x = torch.linspace(-0.5, 0.5, 12 * 9, dtype=dtype).view(12, 9)
    assert torch.equal(whole(x, x), source(x, x))
    assert whole.components().keys() == source.components().keys()


def test_another_dtype_is_that_of_all_parameters(source):
    single = source.to(torch.float32)
    assert {value.dtype for value in single.components().values()} == {torch.float32}
    assert single(torch.zeros(12, 1), torch.zeros(12, 1)).dtype == torch.float32


def test_components_list_every_parameter_by_its_number(source, dtype):
    components = source.components()
    assert len(components) == 3 * 7 + 4 * 4
    assert torch.equal(
        components["source_1_sersic_index"], source.profiles["sersic_index"][:, 1]
    )
    assert torch.equal(components["clump_3_sigma"], source.clumps["sigma"][:, 3])
    patterned = spiral_source(dtype, 1).components()
    assert float(patterned["spiral_winding"]) == SPIRAL["winding"]
    assert float(patterned["spiral_profiles"]) == 1


def test_absent_components_are_passed_over(dtype):
    amplitude = torch.tensor([[1.0, 0.0, 0.0], [2.0, 0.0, 3.0]], dtype=dtype)
    found = [
        (j, rows.tolist(), own["amplitude"].shape)
        for j, rows, own in present({"amplitude": amplitude}, 4)
    ]
    assert found == [(0, [0, 1], (2, 1, 1, 1)), (2, [1], (1, 1, 1, 1))]
    assert [j for j, _, _ in present({"amplitude": amplitude}, 3, slice(1, None))] == [2]

from __future__ import annotations

import pytest
import torch

from astrorim.plugins import load_plugins
from astrorim_plugins.simulators.foundation import Foundation
from astrorim_plugins.simulators.source import ComponentSource


@pytest.fixture(scope="module")
def source():
    """Twelve sources of the population, total flux one, float64."""
    return Foundation().draw(12, seed=21).source.select(slice(0, 12))


def test_the_drawn_sources_include_every_number_of_components(source):
    assert set((source.profiles["amplitude"] != 0).sum(dim=1).tolist()) == {1, 2, 3}
    assert 0 in (source.clumps["amplitude"] != 0).sum(dim=1).tolist()


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


@pytest.mark.parametrize("i", [5, 8])
def test_the_image_is_the_mean_of_the_brightness_over_its_pixels(source, i, dtype):
    """Points at the pixels' centres, or 3 x 3 of them, are off by up to 7 % of the peak."""
    own, k = source.select(slice(i, i + 1)), 25
    axis = (torch.arange(64, dtype=dtype) - 31.5) * 0.03
    fine = (torch.arange(64 * k, dtype=dtype) - (64 * k - 1) / 2) * 0.03 / k
    shape = (1, 64 * k, 64 * k)
    exact = torch.nn.functional.avg_pool2d(
        own(fine[None, None, :].expand(shape), fine[None, :, None].expand(shape)), k
    )
    error = (own.image(axis, 0.03) - exact).abs() / exact.max()
    assert float(error.max()) < 5e-3  # the pixel with the cusp
    assert float(error.flatten().sort(descending=True).values[16]) < 1e-3


def test_the_flux_of_the_image_is_the_total_flux(dtype):
    """Clumps and a compact profile, all well inside the frame."""
    model = load_plugins().light_models.create("sersic")
    column = {
        "amplitude": 3.0, "half_light_radius": 0.15, "sersic_index": 1.0, "e1": 0.2,
        "e2": 0.1, "x0": 0.1, "y0": -0.2,
    }  # fmt: skip
    clump = {"amplitude": 5.0, "sigma": 0.024, "x0": 0.2, "y0": 0.3}
    source = ComponentSource(
        model,
        {name: torch.tensor([[value]], dtype=dtype) for name, value in column.items()},
        {name: torch.tensor([[value]], dtype=dtype) for name, value in clump.items()},
    )
    axis = (torch.arange(128, dtype=dtype) - 63.5) * 0.03
    flux = source.image(axis, 0.03).sum() * 0.03**2
    assert float(flux) == pytest.approx(float(source.total_flux()), rel=1e-4)


def test_scaling_scales_flux_and_brightness(source, dtype):
    factor = torch.arange(1.0, 13.0, dtype=dtype)
    scaled = source.scaled(factor)
    torch.testing.assert_close(scaled.total_flux(), factor * source.total_flux())


def test_components_list_every_parameter_by_its_number(source):
    components = source.components()
    assert len(components) == 3 * 7 + 4 * 4
    assert torch.equal(
        components["source_1_sersic_index"], source.profiles["sersic_index"][:, 1]
    )
    assert torch.equal(components["clump_3_sigma"], source.clumps["sigma"][:, 3])

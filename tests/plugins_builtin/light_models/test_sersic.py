"""The Sersic profile against lenstronomy, and its constants against scipy."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch
from lenstronomy.LightModel.light_model import LightModel as Reference
from scipy.special import gammaincinv

from astrorim.plugins import load_plugins
from astrorim.testing import LightModelContract, draw_parameters
from astrorim.testing.checks import check_finite, report
from astrorim_plugins.light_models.sersic import sersic_b


class TestRegisteredLightModels(LightModelContract):
    @pytest.fixture(params=load_plugins().light_models.names())
    def model(self, request):
        return load_plugins().light_models.create(request.param)


@pytest.mark.parametrize("name", load_plugins().light_models.names())
def test_a_million_draws_are_finite(name):
    """Values and gradients, half of the draws in float32."""
    model = load_plugins().light_models.create(name)
    for dtype in (torch.float64, torch.float32):
        check_finite(LightModelContract.outputs(model), model.parameters, 500_000, dtype)


@pytest.mark.parametrize(("lowest", "limit"), [(0.3, 3e-3), (0.5, 4e-4), (1, 5e-5), (2, 5e-6)])
def test_half_light_constant(lowest, limit, record_property):
    """The asymptotic series loses digits as the index falls; the limits are documented."""
    index = np.linspace(lowest, 8, 400)
    b = sersic_b(torch.as_tensor(index)).numpy()
    deviation = np.abs(b / gammaincinv(2 * index, 0.5) - 1).max()
    report(record_property, f"sersic: b_n for n >= {lowest}", deviation, limit)


def test_agrees_with_lenstronomy(generator, record_property):
    """Their b_n = 1.9992 n - 0.3271 is turned into an amplitude and a radius of ours."""
    model = load_plugins().light_models.create("sersic")
    reference = Reference(["SERSIC_ELLIPSE"])
    worst = 0.0
    for _ in range(25):
        params = draw_parameters(model.parameters, (), generator)
        n = float(params["sersic_index"])
        b, b_theirs = float(sersic_b(params["sersic_index"])), 1.9992 * n - 0.3271
        kwargs = {
            # exp(-b' ((r/R')^(1/n) - 1)) is ours where b'/R'^(1/n) = b/R^(1/n)
            "amp": float(params["amplitude"]) * math.exp(b - b_theirs),
            "R_sersic": float(params["half_light_radius"]) * (b_theirs / b) ** n,
            "n_sersic": n,
            "e1": float(params["e1"]),
            "e2": float(params["e2"]),
            "center_x": float(params["x0"]),
            "center_y": float(params["y0"]),
        }
        x, y = 4 * torch.rand(2, 500, generator=generator, dtype=torch.float64) - 2
        ours = model.surface_brightness(x, y, params).numpy()
        theirs = reference.surface_brightness(x.numpy(), y.numpy(), [kwargs])
        worst = max(worst, np.abs(ours / theirs - 1).max())
    report(record_property, "sersic: relative to lenstronomy's", worst, 1e-10)


def test_half_of_the_light_lies_inside_the_half_light_ellipse():
    """Whatever the axis ratio, since the radius is the product average of the axes."""
    model = load_plugins().light_models.create("sersic")
    values = {
        "amplitude": 2.0,
        "half_light_radius": 0.7,
        "sersic_index": 3.0,
        "e1": 0.3,
        "e2": 0.0,
        "x0": 0.0,
        "y0": 0.0,
    }
    params = {name: torch.tensor(value, dtype=torch.float64) for name, value in values.items()}
    q = 0.7 / 1.3
    log_r = torch.linspace(-16, math.log(0.7), 20001, dtype=torch.float64)
    radius = torch.exp(log_r)
    brightness = model.surface_brightness(
        radius / math.sqrt(q), torch.zeros_like(radius), params
    )
    inside = 2 * math.pi * torch.trapezoid(brightness * radius**2, log_r)
    assert float(inside / model.total_flux(params)) == pytest.approx(0.5, abs=1e-6)


def test_the_outskirts_of_compact_profiles_are_normal_numbers(dtype):
    """Subnormal numbers made small disks seven times as slow to render."""
    for each in (dtype, torch.float32):
        x = torch.linspace(0, 20, 2001, dtype=each).view(1, 1, -1)
        one = torch.ones((1, 1, 1), dtype=each)
        values = {"amplitude": 1.0, "half_light_radius": 0.01, "sersic_index": 0.8}
        values |= dict.fromkeys(("e1", "e2", "x0", "y0"), 0.0)
        params = {name: value * one for name, value in values.items()}
        model = load_plugins().light_models.create("sersic")
        brightness = model.surface_brightness(x, torch.zeros_like(x), params)
        assert float(brightness.min()) >= torch.finfo(each).tiny
        assert float(brightness[..., -1]) < 1e-30

"""Draws of positions and parameters."""

from __future__ import annotations

import pytest
import torch

from astrorim.testing import draw_parameters, draw_special_points, largest_deviation
from astrorim.testing.checks import report
from astrorim_plugins.lens_models import NFW, PowerLaw
from astrorim_plugins.light_models import Sersic


@pytest.mark.parametrize("of_support", [False, True])
def test_draws_stay_in_their_interval(generator, of_support):
    params = draw_parameters(Sersic.parameters, (500,), generator, of_support=of_support)
    for parameter in Sersic.parameters:
        low, high = parameter.support if of_support else parameter.prior
        values = params[parameter.name]
        assert torch.isfinite(values).all()
        assert low <= float(values.min()) <= float(values.max()) <= high


def test_special_points_are_among_the_draws(generator):
    x, y, params = draw_special_points(PowerLaw.parameters, 5000, generator)
    centre = (x == params["x0"]) & (y == params["y0"])
    circle = (params["e1"] == 0) & (params["e2"] == 0)
    isothermal = params["slope"] == 2
    assert (centre & circle & isothermal).any()
    assert (params["slope"] == 1.2).any()
    x, y, params = draw_special_points(NFW.parameters, 5000, generator)
    assert (
        torch.abs(torch.hypot(x - params["x0"], y - params["y0"]) / params["rs"] - 1) < 1e-12
    ).any()


def test_deviation_is_relative_for_large_values():
    actual, expected = torch.tensor([100.0, 0.1]), torch.tensor([101.0, 0.2])
    assert largest_deviation(actual, expected) == pytest.approx(0.1)


def test_report_records_and_judges():
    recorded = {}
    report(recorded.__setitem__, "a check", 1e-9, 1e-7)
    assert recorded == {"a check": 1e-9}
    with pytest.raises(AssertionError, match="a check: deviation nan exceeds 1e-07"):
        report(recorded.__setitem__, "a check", float("nan"), 1e-7)

"""The singular isothermal sphere against lenstronomy."""

from __future__ import annotations

import torch

from astrorim_plugins.lens_models import SIS


def translate(params):
    return {
        "theta_E": params["theta_E"],
        "center_x": params["x0"],
        "center_y": params["y0"],
    }


def test_agrees_with_lenstronomy(compare_with_lenstronomy):
    compare_with_lenstronomy(SIS(), "SIS", translate)


def test_einstein_ring():
    """Points at the Einstein radius come from the centre of the source plane."""
    angle = torch.linspace(0, 6, 20, dtype=torch.float64)
    x, y = 1.3 * torch.cos(angle), 1.3 * torch.sin(angle)
    zero = torch.zeros((), dtype=torch.float64)
    alpha = SIS().deflection(x, y, {"theta_E": zero + 1.3, "x0": zero, "y0": zero})
    torch.testing.assert_close(alpha, (x, y), rtol=1e-14, atol=1e-15)

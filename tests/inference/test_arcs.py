"""Where the arcs are, and what their radius says of the lens."""

from __future__ import annotations

import pytest
import torch

from astrorim.inference.arcs import arc_map, arc_radii, theta_e_range


def test_radii_of_the_arcs_are_those_of_the_ring(ring):
    case = ring(theta_e=1.1)
    inner, median, outer = arc_radii(case.model, case.used, case.values, (0.05, 0.5, 0.95))
    assert inner < median < outer
    assert median == pytest.approx(1.1, abs=0.1)
    low, high = theta_e_range(case.model, case.used, case.values)
    assert low < 1.1 < high
    assert high / low < 3


def test_without_arcs_every_radius_is_possible(ring):
    case = ring(signal=0.0)
    used = torch.zeros(case.side, case.side, dtype=torch.bool)
    assert arc_radii(case.model, used, case.values, (0.5,)) is None
    low, high = theta_e_range(case.model, used, case.values)
    assert (low, high) == pytest.approx((3 * case.scale, 0.85 * case.side / 2 * case.scale))


def test_a_halo_is_no_arc(ring):
    """What is wide, as the outskirts of a galaxy, is not counted; the ring on it is."""
    case = ring(theta_e=1.0)
    x, y = (
        p[0, case.model.margin : -case.model.margin, case.model.margin : -case.model.margin]
        for p in case.model.positions(1)
    )
    halo = 20 * torch.exp(-0.5 * (x**2 + y**2) / 1.6**2)
    model = case.model.changed(
        data=case.model.data.__class__(
            case.model.data.image + halo,
            case.model.data.noise,
            case.model.data.good,
            case.model.data.psf,
            1,
            case.model.data.pixel_scale,
        )
    )
    arcs = arc_map(model, case.used, case.values)
    radius = torch.hypot(x, y)
    narrow = (radius > 0.7) & (radius < 1.4)
    assert float(arcs[narrow].sum()) > 0.9 * float(arcs.sum())
    median = arc_radii(model, case.used, case.values, (0.5,))[0]
    assert median == pytest.approx(1.0, abs=0.15)

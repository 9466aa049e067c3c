"""Halos, subhalos, and a spiral pattern."""

from __future__ import annotations

import torch

from astrorim_plugins.simulators.enhanced import Enhanced

DRAWN = Enhanced().simulate(64, seed=2, supersampling=1, shape=(24, 24))


def test_strengths_are_zero_where_a_component_is_not():
    for effect, strength in (("group_halo", "kappa_s_group"), ("centred_halo", "kappa_s")):
        there = DRAWN.metadata[f"effect_{effect}"] == 1
        assert 0 < int(there.sum()) < 64
        assert torch.equal(DRAWN.lens[strength] > 0, there)


def test_the_number_of_subhalos_is_that_of_the_strengths():
    strengths = torch.stack([DRAWN.lens[f"theta_E_sub{i}"] for i in range(1, 6)])
    number = DRAWN.metadata["num_subhalos"] * DRAWN.metadata["has_subhalos"]
    assert torch.equal((strengths > 0).sum(dim=0).float(), number)
    assert torch.equal(DRAWN.metadata["effect_subhalos"] == 1, number > 0)


def test_nearly_all_einstein_radii_are_wanted_ones():
    """Of galaxy and halo together; the prior version clipped to the bounds."""
    radius = DRAWN.metadata["drawn_theta_E"]
    inside = (radius >= 0.9) & (radius <= 1.5)
    assert bool(inside[DRAWN.metadata["any_theta_E"] == 0].all())
    assert not bool(((radius - 0.9).abs() < 1e-6).any())
    assert bool((DRAWN.lens["theta_E"] <= radius).all())


def test_the_kernel_is_elliptical_as_drawn():
    drawn = Enhanced().simulate(8, seed=2, supersampling=4, shape=(8, 8))
    offset = torch.arange(drawn.psf.shape[1]) - drawn.psf.shape[1] // 2
    xx, yy, xy = (
        (drawn.psf * weight).sum(dim=(1, 2))
        for weight in (offset**2, (offset**2)[:, None], offset * offset[:, None])
    )
    e = torch.hypot(xx - yy, 2 * xy) / (xx + yy)
    q = 1 - drawn.metadata["psf_ellipticity"]
    torch.testing.assert_close(e, (1 - q**2) / (1 + q**2), rtol=0.1, atol=0.005)

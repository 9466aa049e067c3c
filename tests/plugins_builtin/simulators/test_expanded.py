"""Second deflectors, and the widest ranges."""

from __future__ import annotations

import torch

from astrorim_plugins.simulators.expanded import Expanded


def test_a_second_deflector_has_mass_and_light():
    drawn = Expanded().simulate(48, seed=2, supersampling=2, shape=(80, 80), pixel_scale=0.1)
    there = drawn.metadata["effect_second_deflector"] == 1
    assert 0 < int(there.sum()) < 24
    assert torch.equal(drawn.lens["theta_E_second"] > 0, there)
    assert torch.equal(drawn.other_light.amax(dim=(1, 2)) > 0, there)
    ratio = drawn.other_light.sum(dim=(1, 2)) / drawn.lens_light.sum(dim=(1, 2))
    wanted = drawn.metadata["second_ratio"] ** 2
    # its light is more compact, and more of it inside the frame
    assert bool((ratio[there] > 0.8 * wanted[there]).all())
    assert bool((ratio[there] < 1.5 * wanted[there]).all())


def test_the_group_halo_is_placed_in_einstein_radii():
    drawn = Expanded().simulate(48, seed=2, supersampling=1, shape=(8, 8), pixel_scale=0.04)
    there = drawn.metadata["effect_group_halo"] == 1
    offset = (drawn.lens["x0_group"] - drawn.lens["x0"]) / drawn.metadata["drawn_theta_E"]
    assert int(there.sum()) > 2
    assert float(offset.abs().max()) <= 1 + 1e-3

"""Small strong lenses with neighbours."""

from __future__ import annotations

import torch

from astrorim_plugins.simulators.small_lens import SmallLens


def test_lenses_are_small():
    drawn = SmallLens().draw(200, seed=2)
    assert float(drawn.lens["theta_E"].max()) < 1.0
    assert 0.15 < float(drawn.lens["theta_E"].median()) < 0.45


def test_neighbours_are_in_the_image_and_apart_in_the_truth():
    drawn = SmallLens().simulate(12, seed=2, supersampling=2, shape=(64, 64))
    there = drawn.metadata["effect_neighbours"] == 1
    assert 0 < int(there.sum())
    assert torch.equal(drawn.other_light.amax(dim=(1, 2)) > 0, there)
    alone = SmallLens(without="neighbours").simulate(
        12, seed=2, supersampling=2, shape=(64, 64)
    )
    torch.testing.assert_close(
        drawn.noise_free - drawn.other_light, alone.noise_free, rtol=1e-4, atol=1e-2
    )


def test_a_single_image_is_not_magnified_much():
    drawn = SmallLens(single_image=True).simulate(16, seed=2, supersampling=2)
    single = drawn.metadata["singly_imaged"] == 1
    assert float(single.float().mean()) > 0.8
    multiple = SmallLens().simulate(16, seed=2, supersampling=2)
    assert float(drawn.metadata["magnification"][single].median()) < 0.6 * float(
        multiple.metadata["magnification"].median()
    )

from __future__ import annotations

import torch

from astrorim.rim.mask_augmentation import draw_masks


def masks(number=600, side=48, seed=1):
    images = torch.zeros(number, side, side, dtype=torch.float64)
    return draw_masks(images, torch.Generator().manual_seed(seed))


def test_masks_are_zeros_and_ones_of_the_type_of_the_images():
    good = masks()
    assert good.dtype == torch.float64
    assert set(good.unique().tolist()) == {0.0, 1.0}


def test_some_images_are_whole_some_small_and_some_have_holes():
    good = masks()
    whole = good.flatten(1).all(dim=1)
    small = (good[:, 0] == 0).all(dim=1)
    assert 0.3 < whole.double().mean() < 0.55
    assert 0.2 < small.double().mean() < 0.4
    with_holes = ~whole & ~small
    assert 0.1 < with_holes.double().mean() < 0.35


def test_frames_keep_two_thirds_of_their_side():
    good = masks()
    rows = good.amax(dim=2).sum(dim=1)
    assert rows.min() >= 0.6 * 48
    assert good.flatten(1).sum(dim=1).min() > 0.25 * 48**2


def test_same_generator_gives_the_same_masks():
    assert torch.equal(masks(20, seed=3), masks(20, seed=3))
    assert not torch.equal(masks(20, seed=3), masks(20, seed=4))

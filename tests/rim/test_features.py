from __future__ import annotations

from dataclasses import replace

import pytest
import torch

from astrorim.rim.features import (
    NUM_FEATURES,
    image_features,
    psf_features,
    to_frame,
    typical_noise,
)
from astrorim.rim.symmetries import NUM_SYMMETRIES, transform_image

X, Y = 4, 5  # channels that hold positions


def test_frame_of_the_same_size_is_the_image(data):
    assert torch.equal(to_frame(data.image, 32), data.image)


@pytest.mark.parametrize("size, start", [(4, 2), (12, -2)])
def test_frame_is_cropped_or_padded_about_its_centre(size, start):
    image = torch.arange(1.0, 65.0).reshape(1, 8, 8)
    framed = to_frame(image, size)
    assert framed.shape == (1, size, size)
    assert framed.sum() == (image.sum() if start < 0 else image[:, 2:6, 2:6].sum())
    assert framed[0, max(0, -start), max(0, -start)] == image[0, max(0, start), max(0, start)]


@pytest.mark.parametrize("shape, size", [((5, 5), 4), ((3, 3), 4), ((7, 5), 6), ((6, 8), 5)])
def test_frame_of_another_parity_is_half_a_pixel_towards_the_origin(shape, size):
    # so that positions measured in it are half a pixel too large, on both axes
    image = torch.zeros(1, *shape)
    image[0, shape[0] // 2, shape[1] // 2] = 1
    row, column = (int(i) for i in to_frame(image, size)[0].nonzero()[0])
    assert row - (size - 1) / 2 == shape[0] // 2 - (shape[0] - 1) / 2 + 0.5
    assert column - (size - 1) / 2 == shape[1] // 2 - (shape[1] - 1) / 2 + 0.5


def test_typical_noise_is_the_median_of_the_unmasked_pixels(data):
    noise = data.noise.clone()
    noise[:, :16] = 99.0
    good = data.good.clone()
    good[:, :16] = 0
    masked = replace(data, noise=noise, good=good)
    torch.testing.assert_close(typical_noise(masked), typical_noise(data), rtol=0, atol=0)


@pytest.mark.parametrize("frame", [16, 32, 48])
def test_features_are_finite_in_any_frame(data, frame):
    features = image_features(data, frame)
    assert features.shape == (3, NUM_FEATURES, frame, frame)
    assert torch.isfinite(features).all()


@pytest.mark.parametrize("unit", [1e-20, 1e6])
def test_features_do_not_depend_on_the_unit(data, unit):
    scaled = replace(data, image=unit * data.image, noise=unit * data.noise)
    torch.testing.assert_close(
        image_features(scaled, 32), image_features(data, 32), rtol=1e-12, atol=1e-12
    )


def test_features_of_a_lens_do_not_depend_on_the_unit_of_another(data):
    unit = torch.tensor([1.0, 1e30, 1e-30], dtype=data.image.dtype)[:, None, None]
    mixed = replace(data, image=unit * data.image, noise=unit * data.noise)
    torch.testing.assert_close(
        image_features(mixed, 32), image_features(data, 32), rtol=1e-12, atol=1e-12
    )


def test_masked_pixels_have_no_influence(data):
    good = data.good.clone()
    good[:, 3:6, 8:20] = 0
    masked = replace(data, good=good)
    other = replace(
        masked,
        image=torch.where(good > 0, data.image, 1e12),
        noise=torch.where(good > 0, data.noise, 1e-12),
    )
    assert torch.equal(image_features(other, 32), image_features(masked, 32))


@pytest.mark.parametrize("symmetry", range(NUM_SYMMETRIES))
@pytest.mark.parametrize("frame", [24, 32, 40])
def test_features_are_equivariant(data, symmetry, frame):
    moved = replace(
        data,
        image=transform_image(data.image, symmetry),
        noise=transform_image(data.noise, symmetry),
        psf=transform_image(data.psf, symmetry),
    )
    before, after = image_features(data, frame), image_features(moved, frame)
    maps = [i for i in range(NUM_FEATURES) if i not in {X, Y}]
    expected = transform_image(before[:, maps], symmetry)
    torch.testing.assert_close(after[:, maps], expected, rtol=1e-13, atol=1e-13)
    # positions belong to the frame, not to the sky
    assert torch.equal(after[:, [X, Y]], before[:, [X, Y]])
    psf = psf_features(moved, 9)
    expected = transform_image(psf_features(data, 9), symmetry)
    torch.testing.assert_close(psf, expected, rtol=1e-13, atol=1e-13)


@pytest.mark.parametrize("frame", [5, 9])
def test_psf_stamp_has_its_peak_one_in_the_middle(data, frame):
    stamp = psf_features(data, frame)
    assert stamp.shape == (3, 1, frame, frame)
    assert (stamp[..., frame // 2, frame // 2] == 1).all()
    assert stamp.max() == 1


def test_psf_stamp_is_at_the_sampling_of_the_detector(data):
    # a supersampled PSF of which one detector pixel holds everything
    psf = torch.zeros(3, 9, 9, dtype=data.psf.dtype)
    psf[:, 4, 4] = 1
    stamp = psf_features(replace(data, psf=psf, psf_supersampling=4), 5)
    expected = torch.zeros_like(stamp)
    expected[..., 2, 2] = 1
    torch.testing.assert_close(stamp, expected, rtol=0, atol=0)

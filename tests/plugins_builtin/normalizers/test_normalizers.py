"""Properties that hold for every registered normalizer."""

from __future__ import annotations

import numpy as np
import pytest

from astrorim.plugins import load_plugins

NAMES = load_plugins().normalizers.names()


@pytest.fixture(params=NAMES)
def normalizer(request):
    return load_plugins().normalizers.create(request.param)


@pytest.fixture
def image(rng):
    data = rng.normal(3.0, 0.2, (24, 31))
    data[10:14, 12:17] += rng.exponential(20.0, (4, 5))
    return data


def test_inverse_undoes_apply(normalizer, image):
    scaling = normalizer.fit(image)
    restored = scaling.invert(scaling.apply(image))
    np.testing.assert_allclose(restored, image, rtol=1e-13, atol=1e-13)


def test_scaling_is_linear_and_never_clips(normalizer, image):
    scaled = normalizer.fit(image).apply(image)
    slope = (scaled.max() - scaled.min()) / (image.max() - image.min())
    expected = scaled.min() + slope * (image - image.min())
    np.testing.assert_allclose(scaled, expected, rtol=1e-12, atol=1e-12)
    assert np.unique(scaled).size == np.unique(image).size


def test_follows_a_change_of_units_and_zero_point(normalizer, image):
    """The scaled image does not depend on the unit or the offset of the input."""
    scaled = normalizer.fit(image).apply(image)
    other = 250.0 * image - 17.0
    np.testing.assert_allclose(
        normalizer.fit(other).apply(other), scaled, rtol=1e-11, atol=1e-11
    )


def test_masked_and_non_finite_pixels_have_no_influence(normalizer, image):
    mask = np.zeros(image.shape, dtype=bool)
    mask[0, :5] = True
    expected = normalizer.fit(image, mask)
    spoilt = image.copy()
    spoilt[mask] = 1e8
    assert normalizer.fit(spoilt, mask) == expected
    spoilt[mask] = np.nan
    assert normalizer.fit(spoilt) == expected


@pytest.mark.parametrize("value", [0.0, -3.5])
def test_constant_image_is_refused(normalizer, value):
    with pytest.raises(ValueError, match=rf"must vary, got 12 pixels that all are {value:g}"):
        normalizer.fit(np.full((3, 4), value))


def test_image_without_usable_pixels_is_refused(normalizer, image):
    with pytest.raises(ValueError, match="finite, unmasked pixel, got none among 744"):
        normalizer.fit(np.full(image.shape, np.nan))
    with pytest.raises(ValueError, match="finite, unmasked pixel, got none among 744"):
        normalizer.fit(image, np.ones(image.shape, dtype=bool))


def test_mask_of_another_shape_is_refused(normalizer, image):
    with pytest.raises(ValueError, match=r"shape of data, \(24, 31\), got \(31, 24\)"):
        normalizer.fit(image, np.zeros((31, 24), dtype=bool))

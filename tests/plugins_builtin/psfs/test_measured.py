"""PSFs given as images."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from astrorim.testing import PSFContract
from astrorim_plugins.psfs import GaussianPSF, MeasuredPSF


def gaussian(sampling, size, fwhm=0.3):
    params = {"fwhm": fwhm, "ellipticity": 0.2, "angle": 0.3}
    params = {name: torch.tensor([v], dtype=torch.float64) for name, v in params.items()}
    return GaussianPSF().kernel(torch.tensor([sampling], dtype=torch.float64), size, params)


class TestMeasuredPSF(PSFContract):
    @pytest.fixture
    def model(self):
        return MeasuredPSF(gaussian(0.05, 41)[0].numpy(), 0.05)


def test_own_sampling_gives_the_stamp():
    stamp = gaussian(0.05, 31)[0].numpy()
    kernel = MeasuredPSF(5 * stamp, 0.05).kernel(torch.tensor([0.05]).double(), 31, {})
    np.testing.assert_allclose(kernel[0], stamp, rtol=1e-14, atol=1e-18)


def test_smaller_and_larger_sizes_crop_and_pad_the_stamp():
    stamp = gaussian(0.05, 31)[0].numpy()
    sampling = torch.tensor([0.05]).double()
    model = MeasuredPSF(stamp, 0.05)
    cropped = stamp[5:-5, 5:-5] / stamp[5:-5, 5:-5].sum()
    np.testing.assert_allclose(model.kernel(sampling, 21, {})[0], cropped, rtol=1e-12)
    np.testing.assert_allclose(model.kernel(sampling, 35, {})[0, 2:-2, 2:-2], stamp, rtol=1e-12)


def test_resampling_follows_the_profile():
    """Cubic convolution of a PSF with six elements in its FWHM: 0.4 % of the peak."""
    model = MeasuredPSF(gaussian(0.05, 61)[0].numpy(), 0.05)
    for sampling, size in ((0.025, 121), (0.0125, 241), (0.1, 31)):
        expected = gaussian(sampling, size)
        kernel = model.kernel(torch.tensor([sampling]).double(), size, {})
        assert float((kernel - expected).abs().max() / expected.max()) < 4e-3


def test_size_covers_the_fraction_at_any_sampling():
    model = MeasuredPSF(gaussian(0.05, 61)[0].numpy(), 0.05)
    size = model.size_for(torch.tensor([0.05]), {})
    inside = model.stamp[30 - size // 2 : 31 + size // 2, 30 - size // 2 : 31 + size // 2]
    assert inside.sum() >= 0.995
    fine = model.size_for(torch.tensor([0.025]), {})
    assert fine * 0.025 >= size * 0.05


@pytest.mark.parametrize(
    ("stamp", "sampling", "message"),
    [
        (np.ones((4, 5)), 0.05, r"odd sides.* got shape \(4, 5\)"),
        (np.ones(5), 0.05, r"two-dimensional.* got shape \(5,\)"),
        (np.full((3, 3), np.nan), 0.05, "stamp must be finite, got 9 values"),
        (np.zeros((3, 3)), 0.05, r"sum of stamp must be positive, got 0\.0"),
        (np.ones((3, 3)), 0, "stamp_sampling must be positive, in arcsec, got 0"),
        (np.ones((3, 3)), np.inf, "stamp_sampling must be positive, in arcsec, got inf"),
    ],
)
def test_bad_stamps_are_refused(stamp, sampling, message):
    with pytest.raises(ValueError, match=message):
        MeasuredPSF(stamp, sampling)


def test_bad_fraction_is_refused():
    with pytest.raises(ValueError, match="enclosed must lie between 0 and 1, got 0"):
        MeasuredPSF(np.ones((3, 3)), 0.1).size_for(torch.tensor([0.1]), {}, 0)

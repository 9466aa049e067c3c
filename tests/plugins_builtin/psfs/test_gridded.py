"""The PSF at the lens' place among PSFs on a grid."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from astrorim.plugins import load_plugins
from astrorim.testing import PSFContract

POSITIONS = [(0, 0), (100, 0), (0, 200), (100, 200)]


def gaussian(sigma, size=31):
    axis = np.arange(size) - size // 2
    return np.exp(-(axis**2 + axis[:, None] ** 2) / (2 * sigma**2))


STAMPS = np.stack([gaussian(sigma) for sigma in (1.6, 2.0, 2.4, 2.8)])


def create(**changes):
    options = {
        "stamps": STAMPS, "positions": POSITIONS, "position": (25.0, 150.0),
        "pixel_scale": 0.05, "oversampling": 1,
    }  # fmt: skip
    return load_plugins().psfs.create("gridded", **(options | changes))


class TestGriddedPSF(PSFContract):
    @pytest.fixture
    def model(self):
        return create()


def test_a_grid_point_has_its_own_psf():
    stamp = create(position=(100.0, 200.0)).stamp
    np.testing.assert_allclose(stamp, STAMPS[3] / STAMPS[3].sum(), atol=1e-9)


def test_between_grid_points_it_is_bilinear():
    unit = STAMPS / STAMPS.sum(axis=(1, 2), keepdims=True)
    weights = np.array([0.75 * 0.25, 0.25 * 0.25, 0.75 * 0.75, 0.25 * 0.75])
    np.testing.assert_allclose(create().stamp, np.tensordot(weights, unit, 1), atol=1e-9)


def test_oversampled_stamps_keep_their_sampling():
    model = create(oversampling=2)
    assert model.stamp_sampling == 0.025
    kernel = model.kernel(torch.tensor([0.025], dtype=torch.float64), 31, {})[0]
    np.testing.assert_allclose(kernel, create().stamp, atol=1e-6)


@pytest.mark.parametrize(
    "changes, message",
    [
        ({"stamps": np.ones((4, 6, 6))}, r"with K odd, got shape \(4, 6, 6\)"),
        ({"positions": POSITIONS[:3]}, r"for each of the 4 stamps, got shape \(3, 2\)"),
        ({"position": (150.0, 20.0)}, r"within the grid of x from 0 to 100 .* got \(150"),
        ({"stamps": 0 * STAMPS}, "finite with a positive sum, got sums from 0.0"),
    ],
)
def test_bad_grids_are_refused(changes, message):
    with pytest.raises(ValueError, match=message):
        create(**changes)

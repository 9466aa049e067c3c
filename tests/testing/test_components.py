"""The contracts of PSFs, normalizers, simulators and network backends."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from astrorim.interfaces import PSF, NetworkBackend, Normalizer
from astrorim.interfaces.normalizer import LinearScaling
from astrorim.testing import NetworkBackendContract, NormalizerContract, PSFContract


class Box(PSF):
    """A third party's PSF: a square of three elements."""

    name = "box"
    parameters = ()

    def kernel(self, sampling, size, params):
        if size % 2 == 0:
            raise ValueError(f"size must be odd, got {size}")
        inside = torch.arange(size).sub(size // 2).abs() <= 1
        box = (inside & inside[:, None]).to(sampling.dtype)
        return (box / box.sum()).expand(len(sampling), size, size)

    def size_for(self, sampling, params, enclosed=0.995):
        return 3


class TestBox(PSFContract):
    @pytest.fixture
    def model(self):
        return Box()


class Unnormalised(Box):
    def kernel(self, sampling, size, params):
        return 2 * super().kernel(sampling, size, params)


def test_sum_other_than_one_is_found():
    with pytest.raises(AssertionError, match="not close"):
        PSFContract().test_unit_sum(Unnormalised(), {}, torch.tensor([0.05, 0.04]))


class Peak(Normalizer):
    """A third party's normalizer: divide by the brightest pixel."""

    name = "peak"

    def fit(self, data, mask=None):
        used = data[np.isfinite(data) if mask is None else np.isfinite(data) & ~mask]
        if used.size == 0 or np.ptp(used) == 0:
            raise ValueError("the image must not be constant")
        return LinearScaling(0.0, float(used.max()))


class TestPeak(NormalizerContract):
    @pytest.fixture
    def model(self):
        return Peak()


class Unmasked(Peak):
    def fit(self, data, mask=None):
        return LinearScaling(0.0, float(np.isfinite(data).sum()))


def test_use_of_masked_pixels_is_found(rng):
    with pytest.raises(AssertionError, match="a masked pixel must not change the scaling"):
        NormalizerContract().test_mask(Unmasked(), rng.normal(size=(8, 8)))


class Linear(NetworkBackend):
    """A third party's network."""

    name = "linear"
    role = "encoder"

    def build(self, *, width=3):
        return torch.nn.Linear(width, width)

    def architecture(self):
        return {"width": 3}


class TestLinear(NetworkBackendContract):
    @pytest.fixture
    def model(self):
        return Linear()


class Forgetful(Linear):
    def architecture(self):
        return {"width": 4}


def test_architecture_that_does_not_rebuild_is_found():
    with pytest.raises(AssertionError, match="does not rebuild the network"):
        NetworkBackendContract().test_build(Forgetful())

"""The plugin that takes its PSF from a field of stars."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from photutils.psf import MoffatPSF as MoffatImage

from astrorim.observation import LensObservation
from astrorim.plugins import load_plugins
from astrorim.testing import PSFContract


@pytest.fixture(scope="module")
def field():
    y, x = np.indices((160, 160))
    rng = np.random.default_rng(2)
    image = rng.normal(0, 1, x.shape)
    for row in range(20, 160, 40):
        for column in range(20, 160, 40):
            x_0, y_0 = np.array([column, row]) + rng.uniform(-0.5, 0.5, 2)
            image += MoffatImage(flux=3e4, x_0=x_0, y_0=y_0, alpha=2.5, beta=3.0)(x, y)
    return LensObservation(image, unit="adu", pixel_scale="0.05 arcsec")


class TestStarsPSF(PSFContract):
    @pytest.fixture
    def model(self, field):
        return load_plugins().psfs.create("stars", image=field)


def test_file_gives_the_same(field, tmp_path):
    path = tmp_path / "field.fits"
    field.write(path)
    kernels = [
        load_plugins().psfs.create("stars", image=image, supersampling=2)
        for image in (field, path)
    ]
    sampling = torch.tensor([0.025], dtype=torch.float64)
    first, second = (kernel.kernel(sampling, 31, {}) for kernel in kernels)
    # the file holds the pixel scale in degrees
    torch.testing.assert_close(first, second, rtol=1e-5, atol=1e-7)

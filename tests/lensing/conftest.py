"""Small lenses that the tests of this room share."""

from __future__ import annotations

import pytest
import torch

from astrorim.lensing import ForwardModel, ImageData, LensSystem, SourceFrames
from astrorim.plugins import load_plugins

VALUES = {
    "theta_E": 0.52,
    "e1": 0.11,
    "e2": -0.07,
    "x0": 0.013,
    "y0": -0.021,
    "gamma1": 0.03,
    "gamma2": -0.02,
    "light_amplitude": 900.0,
    "light_half_light_radius": 0.31,
    "light_sersic_index": 2.3,
    "light_e1": 0.06,
    "light_e2": 0.09,
    "light_x0": 0.011,
    "light_y0": -0.017,
}


@pytest.fixture
def deviation(record_property):
    """Record the largest deviation of an accuracy test, and return it."""

    def record(what, value):
        value = float(value)
        record_property(what, value)
        print(f"{what}: {value:.2e}")  # noqa: T201  (shown with -rP)
        return value

    return record


@pytest.fixture
def system():
    plugins = load_plugins()
    return LensSystem(
        plugins.lens_models.resolve("sie+shear"), plugins.light_models.create("sersic")
    )


@pytest.fixture
def values(system, dtype):
    """Parameters of two lenses, the second one slightly different."""
    first = torch.tensor([VALUES[p.name] for p in system.parameters], dtype=dtype)
    return torch.stack([first, 1.07 * first])


@pytest.fixture
def make_data(generator, dtype):
    """Images of noise with a skew PSF, for what holds for any image."""

    def make(shape=(17, 20), psf_size=5, psf_supersampling=1, batch=2, scale=0.1):
        def random(*size):
            return torch.rand(*size, generator=generator, dtype=dtype)

        psf = random(batch, psf_size, psf_size)
        return ImageData(
            image=random(batch, *shape),
            noise=0.5 + random(batch, *shape),
            good=(random(batch, *shape) > 0.1).to(dtype),
            psf=psf / psf.sum(dim=(-2, -1), keepdim=True),
            psf_supersampling=psf_supersampling,
            pixel_scale=torch.linspace(scale, 1.2 * scale, batch, dtype=dtype),
        )

    return make


@pytest.fixture
def frames(dtype):
    return SourceFrames(
        torch.tensor([[0.03, -0.02], [0.0, 0.05]], dtype=dtype),
        torch.tensor([0.05, 0.06], dtype=dtype),
        12,
    )


@pytest.fixture
def source(generator, dtype):
    return torch.rand(2, 12, 12, generator=generator, dtype=dtype)


@pytest.fixture
def model(system, make_data):
    return ForwardModel(system, make_data())

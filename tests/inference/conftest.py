"""A small simulated lens with its truth, and a ring without lens light."""

from __future__ import annotations

from dataclasses import dataclass

import pytest
import torch

from astrorim.interchange import truth_of
from astrorim.lensing.forward import ForwardModel, ImageData
from astrorim.lensing.interpolation import SourceFrames
from astrorim.lensing.system import LensSystem
from astrorim.plugins import load_plugins


@pytest.fixture(scope="session")
def small_batch():
    """Lens of 48 x 48 pixels."""
    simulator = load_plugins().simulators.create("foundation")
    return simulator.simulate(1, seed=10**9, start=2, shape=(48, 48), pixel_scale=0.06)


@pytest.fixture(scope="session")
def small_truth(small_batch):
    return truth_of(small_batch)


@dataclass
class Ring:
    """A compact source behind a singular isothermal lens, next to no noise."""

    model: ForwardModel
    values: torch.Tensor
    frames: SourceFrames
    side: int = 48
    scale: float = 0.1

    @property
    def used(self):
        return torch.ones(self.side, self.side, dtype=torch.bool)


@pytest.fixture
def ring():
    """Function that makes a `Ring` of an Einstein radius, arcsec, and a peak over the noise."""

    def make(theta_e=1.0, signal=50.0, side=48, scale=0.1, number=12):
        system = LensSystem(load_plugins().lens_models.resolve("sie"), None)
        names = system.parameters.names
        values = torch.zeros(1, len(names))
        values[0, names.index("theta_E")] = theta_e
        psf = torch.zeros(1, 3, 3)
        psf[0, 1, 1] = 1
        blank = torch.zeros(1, side, side)
        data = ImageData(blank, blank + 1, blank + 1, psf, 1, torch.tensor([scale]))
        frames = SourceFrames(torch.tensor([[0.05, 0.0]]), torch.tensor([0.08]), number)
        index = torch.arange(number) - (number - 1) / 2
        source = torch.exp(-0.5 * (index[:, None] ** 2 + index**2) / 1.5**2)
        model = ForwardModel(system, data)
        image = model.source_operator(values, frames).apply(source[None])
        image = image * signal / image.max()
        noise = torch.randn(image.shape, generator=torch.Generator().manual_seed(1))
        data = ImageData(image + noise, blank + 1, blank + 1, psf, 1, torch.tensor([scale]))
        return Ring(ForwardModel(system, data), values, frames, side, scale)

    return make

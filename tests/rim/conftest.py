"""A toy simulator and tiny networks that the tests of this room share."""

from __future__ import annotations

import astropy.units as u
import numpy as np
import pytest
import torch
from astropy.nddata import StdDevUncertainty

from astrorim.interfaces import SimulatedLenses, Simulator
from astrorim.lensing import ForwardModel, ImageData, LensSystem, SourceFrames
from astrorim.observation import LensObservation
from astrorim.plugins import load_plugins
from astrorim.rim.checkpoint import Checkpoint
from astrorim.rim.codec import ParameterCodec
from astrorim.rim.objectives import image_data
from astrorim.rim.recurrence import NUM_CELL_INPUTS
from astrorim_plugins.networks.flow_encoder import FlowEncoder
from astrorim_plugins.networks.unet_gru import UNetGRU

ENCODER = {"frame": 32, "psf_frame": 9, "width": 8, "context": 16, "transforms": 1}
CELL = {"channels_in": NUM_CELL_INPUTS, "fine": 4, "middle": 4, "coarse": 4}
SOURCE_SIZE = 16


def toy_system():
    plugins = load_plugins()
    return LensSystem(
        plugins.lens_models.resolve("sie+shear"), plugins.light_models.create("sersic")
    )


class ToySource:
    """Round Gaussian sources."""

    def __init__(self, amplitude, sigma, centre):
        self.amplitude, self.sigma, self.centre = amplitude, sigma, centre

    def __call__(self, x, y):
        def column(value):
            return value.reshape(-1, *[1] * (x.ndim - 1))

        square = (x - column(self.centre[:, 0])) ** 2 + (y - column(self.centre[:, 1])) ** 2
        return column(self.amplitude) * torch.exp(-square / (2 * column(self.sigma) ** 2))


class ToySimulator(Simulator):
    """Gaussian sources behind SIE lenses with shear, in small frames."""

    name = "toy"
    description = "small frames for tests"
    lens_model = "sie+shear"
    light_model = "sersic"
    parameters = ()
    dtype = torch.float32
    noise_level = 0.03

    def draw(self, number, seed, start):
        rows = []
        for index in range(start, start + number):
            own = torch.Generator().manual_seed(seed * 1_000_003 + index)
            rows.append(torch.rand(17, generator=own, dtype=torch.float64))
        unit = torch.stack(rows).to(self.dtype)

        def uniform(column, low, high):
            return low + (high - low) * unit[:, column]

        lens = {
            "theta_E": uniform(0, 0.7, 1.0),
            "e1": uniform(1, -0.2, 0.2),
            "e2": uniform(2, -0.2, 0.2),
            "x0": uniform(3, -0.05, 0.05),
            "y0": uniform(4, -0.05, 0.05),
            "gamma1": uniform(5, -0.05, 0.05),
            "gamma2": uniform(6, -0.05, 0.05),
        }
        light = {
            "amplitude": uniform(7, 15, 30),
            "half_light_radius": uniform(8, 0.15, 0.3),
            "sersic_index": uniform(9, 1, 3),
            "e1": uniform(10, -0.2, 0.2),
            "e2": uniform(11, -0.2, 0.2),
            "x0": lens["x0"],
            "y0": lens["y0"],
        }
        centre = torch.stack([uniform(12, -0.1, 0.1), uniform(13, -0.1, 0.1)], dim=1)
        source = ToySource(uniform(14, 40, 80), uniform(15, 0.08, 0.15), centre)
        return lens, light, source

    def simulate(
        self,
        number,
        *,
        seed,
        start=0,
        shape=(32, 32),
        pixel_scale=None,
        supersampling=2,
        device="cpu",
    ):
        lens, light, source = self.draw(number, seed, start)
        scale = torch.full((number,), pixel_scale or 0.1, dtype=self.dtype)
        offset = torch.arange(-3, 4, dtype=self.dtype)
        psf = torch.exp(-(offset[:, None] ** 2 + offset**2) / 2)
        psf = (psf / psf.sum()).repeat(number, 1, 1)
        blank = torch.zeros(number, *shape, dtype=self.dtype)
        data = ImageData(blank, blank + 1, blank + 1, psf, 1, scale)
        system = toy_system()
        values = system.stack(lens, light)
        model = ForwardModel(system, data, supersampling=supersampling, light_supersampling=2)
        galaxy = model.lens_light(values)
        noise_free = galaxy + model.observe(source(*model.trace(values)), supersampling)
        noise = torch.full_like(blank, self.noise_level)
        draws = []
        for index in range(start, start + number):
            own = torch.Generator().manual_seed(seed * 1_000_003 + index + 500_000)
            draws.append(torch.randn(shape, generator=own, dtype=torch.float64))
        frames = SourceFrames(source.centre, scale / 2, SOURCE_SIZE)
        return SimulatedLenses(
            image=noise_free + noise * torch.stack(draws).to(self.dtype),
            noise=noise,
            psf=psf,
            psf_supersampling=1,
            pixel_scale=scale,
            noise_free=noise_free,
            lens_light=galaxy,
            lens_model=self.lens_model,
            light_model=self.light_model,
            lens=lens,
            light=light,
            source=source,
            source_image=source(*frames.coordinates()),
            source_pixel_scale=scale / 2,
            source_centre=source.centre,
            seed=seed,
            index=torch.arange(start, start + number),
        )


class PreciseToySimulator(ToySimulator):
    dtype = torch.float64


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
def plugins():
    return load_plugins()


@pytest.fixture
def system():
    return toy_system()


@pytest.fixture
def simulator():
    return ToySimulator()


@pytest.fixture
def simulated():
    """Three lenses in float64."""
    return PreciseToySimulator().simulate(3, seed=7)


@pytest.fixture
def data(simulated):
    return image_data(simulated)


@pytest.fixture
def values(system, simulated):
    """Their true parameters."""
    return system.stack(simulated.lens, simulated.light)


@pytest.fixture
def place(simulated):
    """Where the frames of the sources are looked for."""
    return {
        "theta_e": simulated.lens["theta_E"],
        "centre": torch.stack([simulated.lens["x0"], simulated.lens["y0"]], dim=1),
    }


def lively_cell(dtype=torch.float64):
    """A cell that changes the source, which one with fresh weights does not."""
    torch.manual_seed(3)
    cell = UNetGRU().build(**CELL).to(dtype)
    torch.nn.init.normal_(cell.exit[-1].weight, std=0.05)
    return cell


@pytest.fixture
def cell():
    return lively_cell()


@pytest.fixture(scope="session")
def checkpoints():
    """An encoder and a recurrence that were never trained, in float32."""
    torch.manual_seed(11)
    system = toy_system()
    sample = ToySimulator().simulate(64, seed=1)
    codec = ParameterCodec(system.parameters)
    codec.fit((system.stack(sample.lens, sample.light), image_data(sample)))
    architecture = {"channels_in": 7, "num_parameters": len(system.parameters), **ENCODER}
    common = {
        "lens_model": "sie+shear",
        "light_model": "sersic",
        "parameters": list(system.parameters.names),
        "provenance": {"simulator": "toy"},
    }
    encoder = Checkpoint(
        network=FlowEncoder().build(**architecture).eval(),
        backend="flow-encoder",
        role="encoder",
        architecture=architecture,
        settings={"frame": 32, "psf_frame": 9, "mean": codec.mean, "std": codec.std},
        **common,
    )
    recurrence = Checkpoint(
        network=lively_cell(torch.float32).eval(),
        backend="unet-gru",
        role="recurrence",
        architecture=dict(CELL),
        settings={"source_size": SOURCE_SIZE, "num_steps": 2},
        **common,
    )
    return encoder, recurrence


@pytest.fixture
def make_observation():
    """Observation of a toy lens."""

    def make(number=0, *, shape=(32, 32), unit=1.0, name=None, mask=None, **changes):
        lens = PreciseToySimulator().simulate(1, seed=5, start=number, shape=shape)
        arguments = {
            "unit": u.electron / u.s,
            "uncertainty": StdDevUncertainty(lens.noise[0].numpy() * unit),
            "psf": lens.psf[0].numpy(),
            "pixel_scale": 0.1 * u.arcsec,
            "name": name,
            "mask": mask,
        }
        data = np.array(lens.image[0].numpy() * unit)
        return LensObservation(data, **(arguments | changes))

    return make

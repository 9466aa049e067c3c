"""Small batches of simulated lenses, plain ones and one with all that there can be."""

from __future__ import annotations

from dataclasses import replace

import pytest
import torch

from astrorim.plugins import load_plugins

SUM = "sie+shear+nfw+nfw@halo+sie@second+" + "+".join(f"sis@sub{n}" for n in range(1, 6))


def simulate(number, **options):
    foundation = load_plugins().simulators.create("foundation")
    return foundation.simulate(
        number, **{"seed": 9, "supersampling": 2, "shape": (30, 32), **options}
    )


def enrich(simulated):
    """Make lenses with odd numbers have everything, those with even numbers nothing new."""
    number, (ny, nx) = len(simulated), simulated.image.shape[1:]
    odd = (simulated.index % 2).to(torch.float32)
    lens = dict(simulated.lens)
    for parameter in load_plugins().lens_models.resolve(SUM).parameters:
        low, high = parameter.prior
        value = torch.full((number,), 0.4 * low + 0.6 * high)
        strength = parameter.name.startswith(("theta_E_", "kappa_s"))
        lens.setdefault(parameter.name, value * odd if strength else value)
    lens["theta_E_sub4"] = torch.zeros(number)
    generator = torch.Generator().manual_seed(4)
    pattern = torch.rand(ny, nx, generator=generator)
    other = 7 * odd[:, None, None] * pattern
    narrow = torch.nn.functional.pad(simulated.psf, (2, 2, 2, 2))
    broad = 0.5 * (narrow.roll(1, -1) + narrow.roll(-1, -1))
    kernel = torch.zeros(number, 5, 5)
    kernel[:, 2, 2] = 1
    kernel[odd == 1, 1:4, 1:4] = 1 / 3
    return replace(
        simulated,
        simulator="foundation",
        lens_model=SUM,
        lens=lens,
        psf=narrow,
        rendering_psf=torch.where(odd[:, None, None] == 1, broad, narrow),
        noise_free=simulated.noise_free + other,
        image=simulated.image + other,
        other_light=other,
        cosmic_rays=(pattern > 0.97) & (odd[:, None, None] == 1),
        noise_kernel=kernel,
        metadata={
            **simulated.metadata,
            "effect_psf_mismatch": odd,
            "effect_cosmic_rays": odd,
            "effect_vignetting": torch.zeros(number),
        },
    )


@pytest.fixture(scope="session")
def simulated():
    """Lenses 4, 5 and 6 of a dataset."""
    return simulate(3, start=4)


@pytest.fixture(scope="session")
def rich(simulated):
    """The same lenses, of which number 5 has everything."""
    return enrich(simulated)


@pytest.fixture
def draw():
    """Function that simulates lenses of the same dataset."""
    return simulate


@pytest.fixture
def draw_rich():
    """Function that simulates lenses of a dataset that has everything."""
    return lambda number, **options: enrich(simulate(number, **options))

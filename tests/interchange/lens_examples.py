"""Reconstructions whose forward image is that of their own source and parameters."""

from __future__ import annotations

import astropy.units as u
import numpy as np
import torch
from astropy.nddata import StdDevUncertainty

from astrorim.grid import SourceGrid
from astrorim.lensing import ForwardModel, ImageData, LensSystem, SourceFrames
from astrorim.observation import LensObservation
from astrorim.plugins import load_plugins
from astrorim.results import Reconstruction

SCALE = 0.08
SIZE = 48
MARGIN = 6
"""Half of the PSF: as far from the edges, light from outside the frame comes in."""
BACKGROUND = 0.03
LENSES = {
    "sie+shear": {
        "theta_E": 1.1, "e1": 0.12, "e2": -0.06, "x0": 0.02, "y0": -0.03, "gamma1": 0.04,
        "gamma2": -0.03,
    },
    "sis": {"theta_E": 1.2, "x0": -0.025, "y0": 0.013},
    "epl+mass-sheet": {
        "theta_E": 1.1, "slope": 2.1, "e1": -0.1, "e2": 0.07, "x0": 0.0, "y0": 0.04,
        "kappa_sheet": 0.05,
    },
    "sie+shear+nfw": {
        "theta_E": 0.8, "e1": 0.12, "e2": -0.06, "x0": 0.02, "y0": -0.03, "gamma1": 0.04,
        "gamma2": -0.03, "kappa_s": 0.12, "rs": 5.0,
    },
    "sie+shear+sis@sub+nfw@halo": {
        "theta_E": 0.9, "e1": 0.12, "e2": -0.06, "x0": 0.02, "y0": -0.03, "gamma1": 0.04,
        "gamma2": -0.03, "theta_E_sub": 0.1, "x0_sub": 0.9, "y0_sub": 0.6,
        "kappa_s_halo": 0.05, "rs_halo": 8.0, "x0_halo": -0.2, "y0_halo": 0.3,
    },
}  # fmt: skip
"""Lens models with parameters: each of the components, alone, shared and labelled.

No centre lies on a sub-pixel, where the deflection of a singular lens has no direction."""
LIGHT = {
    "amplitude": 30.0, "half_light_radius": 0.5, "sersic_index": 2.5, "e1": 0.08, "e2": 0.03,
    "x0": 0.02, "y0": -0.03,
}  # fmt: skip
WIDTHS = {"rs": 0.4, "rs_halo": 0.4, "light_amplitude": 0.5, "light_sersic_index": 0.05}


def gaussian_kernel(size, sampling, fwhm=0.16):
    offset = (np.arange(size) - size // 2) * sampling
    kernel = np.exp(-4 * np.log(2) * (offset[:, None] ** 2 + offset**2) / fwhm**2)
    return kernel / kernel.sum()


def make_example(
    lens_model="sie+shear", *, psf_supersampling=1, supersampling=4, shape=(SIZE, SIZE), seed=3
):
    """A reconstruction of which `ForwardModel` made the image."""
    lens = LENSES[lens_model]
    size = 2 * MARGIN * psf_supersampling + 1
    kernel = gaussian_kernel(size, SCALE / psf_supersampling)
    grid = SourceGrid((64, 64), 0.03, 0.05, -0.02)
    x, y = grid.coordinates()
    source = 60 * np.exp(-(((x - 0.12) / 0.25) ** 2) - ((y - 0.03) / 0.15) ** 2)
    system = LensSystem(
        load_plugins().lens_models.resolve(lens_model),
        load_plugins().light_models.create("sersic"),
    )
    zeros = torch.zeros(1, *shape, dtype=torch.float64)
    data = ImageData(
        zeros, zeros + 1, zeros + 1, torch.as_tensor(kernel)[None], psf_supersampling,
        torch.tensor([SCALE]).double(), torch.tensor([BACKGROUND]).double(),
    )  # fmt: skip
    model = ForwardModel(
        system, data, supersampling=supersampling, light_supersampling=supersampling
    )
    values = system.stack(
        *({n: torch.tensor([v]).double() for n, v in d.items()} for d in (lens, LIGHT))
    )
    frames = SourceFrames(
        torch.tensor([[grid.x0, grid.y0]]).double(), torch.tensor([0.03]).double(), 64
    )
    image = model.render(torch.as_tensor(source)[None], values, frames)[0].numpy()
    # the core alone is rendered on the finest sub-pixels there, the whole frame here
    fine = model.observe(model.light_scene(values, None), model.sampling)[0].numpy()
    image = image - model.lens_light(values)[0].numpy() + fine
    rng = np.random.default_rng(seed)
    noise = np.full(shape, 0.02)
    observed = image + noise * rng.normal(size=shape)
    mask = np.zeros(shape, bool)
    mask[40:42, 5:8] = True
    observed[41, 6] = np.nan
    observation = LensObservation(
        observed, unit="electron/s", uncertainty=StdDevUncertainty(noise), mask=mask,
        psf=kernel, psf_supersampling=psf_supersampling, pixel_scale=SCALE * u.arcsec / u.pix,
        z_lens=0.3, z_source=1.2,
    )  # fmt: skip
    samples = lens | {f"light_{n}": v for n, v in LIGHT.items()}
    samples = {n: v + WIDTHS.get(n, 0.005) * rng.normal(size=300) for n, v in samples.items()}
    return Reconstruction(
        name="example", observation=observation, source=source, source_grid=grid,
        forward_image=image, lens_light=fine, background=BACKGROUND,
        convergence=np.zeros(shape), lens_model=lens_model, light_model="sersic", lens=lens,
        light=LIGHT, samples=samples,
    )  # fmt: skip

"""A lens rendered with lenstronomy, and a `Reconstruction` of it as a good fit gives it."""

from __future__ import annotations

import functools
import warnings

import astropy.units as u
import numpy as np
from astropy.io import fits
from astropy.nddata import StdDevUncertainty
from astropy.wcs import WCS
from scipy.ndimage import gaussian_filter

from astrorim.grid import SourceGrid
from astrorim.observation import LensObservation
from astrorim.results import Reconstruction

LENS = {
    "theta_E": 1.25, "e1": 0.10, "e2": 0.08, "x0": 0.03, "y0": -0.02, "gamma1": 0.03,
    "gamma2": -0.04,
}  # fmt: skip
LIGHT = {
    "amplitude": 1.3, "half_light_radius": 0.8, "sersic_index": 3.5, "e1": 0.09, "e2": 0.07,
    "x0": 0.03, "y0": -0.02,
}  # fmt: skip
SOURCE = (
    {"amp": 4.4, "R_sersic": 0.16, "n_sersic": 1.2, "e1": 0.15, "e2": 0.1, "center_x": 0.08,
     "center_y": 0.05},
    {"amp": 4.2, "R_sersic": 0.05, "n_sersic": 1.0, "e1": 0, "e2": 0, "center_x": 0.22,
     "center_y": -0.06},
)  # fmt: skip
PIXEL = 0.05
SIZE = 96


def make_wcs(rotation=0.6, mirrored=False):
    """A rotated TAN frame given by a CD matrix, as drizzled images have it."""
    wcs = WCS(naxis=2)
    wcs.wcs.ctype = "RA---TAN", "DEC--TAN"
    wcs.wcs.crval = 150.1, 2.2
    wcs.wcs.crpix = 40.0, 52.0
    c, s = np.cos(rotation), np.sin(rotation)
    east = 1 if mirrored else -1
    wcs.wcs.cd = np.array([[east * c, s], [-east * s, c]]) * PIXEL / 3600
    wcs.wcs.set()
    return wcs


@functools.cache
def render():
    """Image parts and truth: arcs and lens light (96, 96), source (60, 60), psf (21, 21)."""
    from lenstronomy.Data.imaging_data import ImageData
    from lenstronomy.Data.psf import PSF
    from lenstronomy.ImSim.image_model import ImageModel
    from lenstronomy.LensModel.lens_model import LensModel
    from lenstronomy.LightModel.light_model import LightModel

    x, y = np.meshgrid(np.arange(21) - 10, np.arange(21) - 10)
    psf = (1 + (x**2 + y**2) / 1.6**2) ** -2.5
    psf /= psf.sum()
    half = (SIZE - 1) / 2 * PIXEL
    data = ImageData(
        np.zeros((SIZE, SIZE)), background_rms=1.0, exposure_time=1.0, ra_at_xy_0=-half,
        dec_at_xy_0=-half, transform_pix2angle=np.eye(2) * PIXEL,
    )  # fmt: skip
    model = ImageModel(
        data,
        PSF(psf_type="PIXEL", kernel_point_source=psf, point_source_supersampling_factor=1),
        LensModel(["SIE", "SHEAR"]),
        LightModel(["SERSIC_ELLIPSE"] * 2),
        LightModel(["SERSIC_ELLIPSE"]),
        kwargs_numerics={"supersampling_factor": 4},
    )
    lens = [
        {"theta_E": LENS["theta_E"], "e1": LENS["e1"], "e2": LENS["e2"],
         "center_x": LENS["x0"], "center_y": LENS["y0"]},
        {"gamma1": LENS["gamma1"], "gamma2": LENS["gamma2"], "ra_0": 0, "dec_0": 0},
    ]  # fmt: skip
    light = [
        {"amp": LIGHT["amplitude"], "R_sersic": LIGHT["half_light_radius"],
         "n_sersic": LIGHT["sersic_index"], "e1": LIGHT["e1"], "e2": LIGHT["e2"],
         "center_x": LIGHT["x0"], "center_y": LIGHT["y0"]}
    ]  # fmt: skip
    arcs = model.image(lens, list(SOURCE), light, lens_light_add=False)
    lens_light = model.image(lens, list(SOURCE), light, source_add=False)
    grid = SourceGrid((60, 60), 0.025, 0.06, 0.03)
    px, py = grid.coordinates(3)
    brightness = LightModel(["SERSIC_ELLIPSE"] * 2).surface_brightness(px, py, list(SOURCE))
    source = brightness.reshape(60, 3, 60, 3).mean(axis=(1, 3))
    cx, cy = data.pixel_coordinates
    kappa = LensModel(["SIE", "SHEAR"]).kappa(cx, cy, lens)
    return arcs, lens_light, source, grid, psf, kappa


def make_reconstruction(*, with_wcs=True, masked=True, name="SDSS J0000+0000", **changes):
    """A result whose residual is noise with a little structure, as real fits have it."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # lenstronomy's own
        arcs, lens_light, source, grid, psf, kappa = render()
    rng = np.random.default_rng(5)
    background = 0.002
    forward = arcs + lens_light + background
    noise = np.sqrt(0.006**2 + np.clip(forward, 0, None) / 2000)
    data = forward + noise * rng.normal(size=noise.shape)
    data += 0.02 * (gaussian_filter(arcs, 1.0) - arcs)
    mask = np.zeros(data.shape, bool)
    if masked:
        mask[80:85, 10:17] = True
        data[82, 12] = np.nan
    header = fits.Header([("EXPTIME", 2000.0, "[s]"), ("HISTORY", "made up")])
    header["OBSERVER"] = ("a" * 100, "a long string spans cards")
    observation = LensObservation(
        data.astype("f4"),
        unit="electron/s",
        uncertainty=StdDevUncertainty(noise.astype("f4")),
        mask=mask,
        psf=psf,
        band="F814W",
        name=name,
        z_lens=0.2803,
        z_source=0.9818,
        exposure=2000 * u.s,
        meta=header,
        **({"wcs": make_wcs()} if with_wcs else {"pixel_scale": PIXEL * u.arcsec / u.pix}),
    )
    number = 400
    widths = dict.fromkeys(LENS, 0.004) | {"theta_E": 0.006}
    samples = {k: LENS[k] + w * rng.normal(size=number) for k, w in widths.items()}
    for key, value in LIGHT.items():
        samples[f"light_{key}"] = value * (1 + 0.02 * rng.normal(size=number))
    fields = {
        "name": name,
        "observation": observation,
        "source": gaussian_filter(source, 0.7) + 0.01 * rng.normal(size=source.shape),
        "source_grid": grid,
        "forward_image": forward,
        "lens_light": lens_light,
        "background": background,
        "convergence": kappa,
        "lens_model": "sie+shear",
        "light_model": "sersic",
        "lens": LENS,
        "light": LIGHT,
        "samples": samples,
        "flags": {"arc_at_edge": "an arc reaches the edge of the frame; use a larger cutout"},
        "steps": {"reduced_chi2": np.array([12.0, 3.0, 1.4, 1.05])},
        "provenance": {
            "versions": {"astrorim": "0.1.0"},
            "seed": np.int64(7),
            "options": {"num_iterations": 10, "shape": (96, 96)},
        },
    }
    return Reconstruction(**(fields | changes))

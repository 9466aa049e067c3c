"""Noise-free images of simulated lenses, rendered anew by lenstronomy from their truth.

Nothing of our rendering is used: deflections, profiles, sub-pixels, the sum over them and
the convolution are lenstronomy's, in float64. What it cannot do is stated where it is done.
"""

from __future__ import annotations

import math
import re

import numpy as np
import scipy.special
from lenstronomy.Data.imaging_data import ImageData
from lenstronomy.Data.psf import PSF
from lenstronomy.ImSim.image_model import ImageModel
from lenstronomy.LensModel.lens_model import LensModel
from lenstronomy.LightModel.light_model import LightModel

from astrorim.plugins.lens_models import parse_composite

SMOOTHING = 1e-6
"""Radius, arcsec, inside which Sersic profiles are flat, here and in the simulators;
lenstronomy's own choice is a hundred times larger."""


def centre(params):
    return {"center_x": params["x0"], "center_y": params["y0"]}


def ellipse(params):
    return {"e1": params["e1"], "e2": params["e2"], **centre(params)}


def nfw(params):
    """lenstronomy takes the deflection at the scale radius."""
    bend = 4 * params["kappa_s"] * params["rs"] * (1 - math.log(2))
    return {"Rs": params["rs"], "alpha_Rs": bend, **centre(params)}


MASSES = {
    "sie": ("SIE", lambda p: {"theta_E": p["theta_E"], **ellipse(p)}),
    "sis": ("SIS", lambda p: {"theta_E": p["theta_E"], **centre(p)}),
    "epl": ("EPL", lambda p: {"theta_E": p["theta_E"], "gamma": p["slope"], **ellipse(p)}),
    "nfw": ("NFW", nfw),
    "shear": ("SHEAR", lambda p: {"gamma1": p["gamma1"], "gamma2": p["gamma2"]}),
    "mass-sheet": ("CONVERGENCE", lambda p: {"kappa": p["kappa_sheet"]}),
}
"""Our lens models: lenstronomy's profile, and its parameters from ours."""

STRENGTHS = ("theta_E", "alpha_Rs", "kappa")
"""A component of which one of these is zero is not there."""


def mass_components(lens_model, values):
    """Names and parameters of lenstronomy's profiles for a sum of ours."""
    names, kwargs = [], []
    for label, component in parse_composite(lens_model):
        suffix = f"_{label}" if label else ""
        own = {n.removesuffix(suffix): v for n, v in values.items() if n.endswith(suffix)}
        name, translate = MASSES[component]
        params = translate(own)
        if 0 not in [params.get(strength) for strength in STRENGTHS]:
            names.append(name)
            kwargs.append(params)
    return names, kwargs


def sersic(params):
    """Parameters of SERSIC_ELLIPSE, whose b_n is 1.9992 n - 0.3271, for our profile.

    Ours encloses half of the light within the half-light radius, to the accuracy of a
    series; the exact number, by inversion of the incomplete gamma function, differs from
    it by less than the images are compared to for n > 0.5.
    """
    n = params["sersic_index"]
    half = scipy.special.gammaincinv(2 * n, 0.5)
    theirs = 1.9992 * n - 0.3271
    return {
        "amp": params["amplitude"] * math.exp(half - theirs),
        "R_sersic": params["half_light_radius"] * (theirs / half) ** n,
        "n_sersic": n,
        **ellipse(params),
    }


def clump(params):
    """Parameters of GAUSSIAN, whose amplitude is the flux."""
    flux = 2 * math.pi * params["sigma"] ** 2 * params["amplitude"]
    return {"amp": flux, "sigma": params["sigma"], **centre(params)}


def numbered(values, kind):
    """Parameters of ``kind_0_...``, ``kind_1_...`` that exist, each with its number."""
    amplitude = re.compile(rf"{kind}_(\d+)_amplitude")
    for j in sorted(int(found[1]) for found in map(amplitude.fullmatch, values) if found):
        prefix = f"{kind}_{j}_"
        own = {n.removeprefix(prefix): v for n, v in values.items() if n.startswith(prefix)}
        if own["amplitude"]:
            yield j, own


class SpiralLight(LightModel):
    """Light profiles of which some carry a spiral pattern, which lenstronomy has not.

    They are multiplied by 1 + A sin(3 theta + w r + phase).
    """

    def __init__(self, names, modulated, spiral):
        options = [{"smoothing": SMOOTHING} if "SERSIC" in name else {} for name in names]
        super().__init__(names, profile_kwargs_list=options)
        self.modulated = modulated
        self.spiral = spiral

    def surface_brightness(self, x, y, kwargs_list, k=None):
        chosen = range(len(kwargs_list)) if k is None else np.atleast_1d(k)
        total = np.zeros(np.shape(x))
        for j in chosen:
            light = super().surface_brightness(x, y, kwargs_list, k=int(j))
            total += light * self.factor(x, y) if self.modulated[j] else light
        return total

    def factor(self, x, y):
        spiral = self.spiral
        dx, dy = x - spiral["x0"], y - spiral["y0"]
        angle = 3 * np.arctan2(dy, dx) + spiral["winding"] * np.hypot(dx, dy)
        return 1 + spiral["amplitude"] * np.sin(angle + spiral["phase"])


def source_components(values):
    """lenstronomy's light model of a source and its parameters, from the metadata."""
    spiral = {
        n.removeprefix("spiral_"): v for n, v in values.items() if n.startswith("spiral_")
    }
    present = bool(spiral.get("amplitude"))
    limit = spiral.get("profiles")
    names, kwargs, modulated = [], [], []
    for j, own in numbered(values, "source"):
        names.append("SERSIC_ELLIPSE")
        kwargs.append(sersic(own))
        modulated.append(present and (limit is None or j < limit))
    for _, own in numbered(values, "clump"):
        names.append("GAUSSIAN")
        kwargs.append(clump(own))
        modulated.append(present and limit is None)
    return SpiralLight(names, modulated, spiral), kwargs


def has_galaxy_image(drawn, i):
    """Whether a source is the picture of a galaxy, which is no profile of lenstronomy."""
    flux = drawn.metadata.get("galaxy_flux")
    return flux is not None and float(flux[i]) != 0


def lenstronomy_image(drawn, i):
    """Arcs and lens light of one lens of a batch, (H, W), counts.

    Parameters
    ----------
    drawn : SimulatedLenses
        Rendered with ``supersampling`` equal to ``drawn.psf_supersampling``.
    i : int
        Which lens.

    Returns
    -------
    ndarray, (H, W)
    """
    k = drawn.psf_supersampling
    kernel = (drawn.psf if drawn.rendering_psf is None else drawn.rendering_psf)[i]
    kernel = kernel.double().cpu().numpy()
    # lenstronomy convolves what is on its frame: a frame that holds all that comes in
    margin = math.ceil(kernel.shape[0] // 2 / k)
    ny, nx = (n + 2 * margin for n in drawn.image.shape[1:])
    scale = float(drawn.pixel_scale[i])
    side = max(nx, ny)  # its frames are square where there are sub-pixels
    data = ImageData(
        np.zeros((side, side)),
        ra_at_xy_0=-(nx - 1) / 2 * scale,
        dec_at_xy_0=-(ny - 1) / 2 * scale,
        transform_pix2angle=np.eye(2) * scale,
    )
    psf = PSF("PIXEL", kernel_point_source=kernel, point_source_supersampling_factor=k)
    lens, light, values = (
        {name: float(value[i]) for name, value in table.items()}
        for table in (drawn.lens, drawn.light, drawn.metadata)
    )
    names, mass = mass_components(drawn.lens_model, lens)
    source_model, source = source_components(values)
    model = ImageModel(
        data,
        psf,
        LensModel(names),
        source_model,
        SpiralLight(["SERSIC_ELLIPSE"], [False], {}),
        kwargs_numerics={
            "supersampling_factor": k,
            "supersampling_convolution": k > 1,
            "supersampling_kernel_size": None,
        },
    )
    image = model.image(mass, source, [sersic(light)])
    return image[margin : ny - margin, margin : nx - margin]

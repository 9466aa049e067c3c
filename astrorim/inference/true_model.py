"""The forward model of an image at its true lens, PSF and noise."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np
import torch

from astrorim.lensing.forward import ForwardModel, ImageData
from astrorim.lensing.system import LensSystem
from astrorim.plugins import load_plugins

if TYPE_CHECKING:
    from torch import Tensor

    from astrorim.plugins import Plugins
    from astrorim.results.lens_truth import LensTruth

__all__ = ["TrueModel", "true_model"]

_SUPERSAMPLING = 4  # a cusp traced on 2 x 2 points errs by more than its noise

_LIGHT_SUPERSAMPLING = 2  # the convolution's grid, that of thousands of images, is no finer


@dataclass(frozen=True)
class TrueModel:
    """A forward model with the true parameters of its image.

    Parameters
    ----------
    model : ForwardModel
        Of one image, in units of its noise.
    values : Tensor, (1, P)
        True parameters.
    used : Tensor, (H, W), bool
        Pixels that are neither masked nor hit by a cosmic ray.
    unit_flux : float
        What one flux unit of the tensors is in the observation's unit.
    radius : float, optional
        Distance from the lens within which pixels are used, arcsec.
    """

    model: ForwardModel
    values: Tensor
    used: Tensor
    unit_flux: float
    radius: float = math.inf

    def within(self, radius: float) -> TrueModel:
        """The same of the pixels within a radius of the lens.

        Parameters
        ----------
        radius : float
            In arcsec.

        Returns
        -------
        TrueModel
            Of the square in the middle of the frame that holds them.
        """
        model, data, m = self.model, self.model.data, self.model.margin
        height, width = model.shape
        frame = (0, slice(m, m + height), slice(m, m + width))
        x, y = (position[frame] for position in model.positions(1))
        x0, y0 = self.centre
        used = self.used & (torch.hypot(x - x0, y - y0) < radius)
        reach = radius + max(abs(x0), abs(y0))
        cut = max(0, int(min(height, width) / 2 - reach / float(data.pixel_scale[0])) - 1)
        part = (..., slice(cut, height - cut), slice(cut, width - cut))
        inner = replace(
            data, image=data.image[part], noise=data.noise[part], good=data.good[part]
        )
        central = model.changed(data=inner)
        return replace(self, model=central, used=used[part], radius=radius)

    @property
    def centre(self) -> tuple[float, float]:
        """Position (x, y) of the lens, arcsec."""
        names = self.model.system.parameters.names
        x0, y0 = (float(self.values[0, names.index(key)]) for key in ("x0", "y0"))
        return x0, y0


def true_model(
    truth: LensTruth,
    *,
    fit_light: bool,
    plugins: Plugins | None = None,
) -> TrueModel:
    """Put up the model that an image was drawn from.

    What the truth knows of the image is taken off it: light that is not the lens galaxy's,
    and the lens galaxy's where it is not to be fitted. The PSF is the one that the image was
    rendered with. Correlated noise is taken for white noise of the same standard deviation.

    Parameters
    ----------
    truth : LensTruth
        The image and its truth.
    fit_light : bool
        Whether the light model is part of the system; its image is subtracted otherwise.
    plugins : Plugins, optional
        Where names are looked up; the installed ones by default.

    Returns
    -------
    TrueModel
    """
    plugins = plugins or load_plugins()
    system = LensSystem(
        plugins.lens_models.resolve(truth.lens_model),
        plugins.light_models.resolve(truth.light_model) if fit_light else None,
    )
    observation, good = truth.observation, truth.observation.good
    if truth.hit is not None:
        good = good & ~truth.hit
    image = np.asarray(observation.data, dtype=float)
    for light in (truth.other_light, None if fit_light else truth.lens_light):
        image = image if light is None else image - light
    noise = np.asarray(observation.noise, dtype=float)
    psf = np.asarray(observation.psf if truth.psf is None else truth.psf, dtype=float)
    flux = float(np.median(noise[good]))
    known = truth.known
    values = [known[p.name] / (flux if p.linear else 1.0) for p in system.parameters]

    def tensor(array: object) -> Tensor:
        return torch.as_tensor(np.asarray(array, dtype=np.float32))[None]

    data = ImageData(
        tensor(np.where(good, image, 0) / flux),
        tensor(np.where(good, noise, flux) / flux),
        tensor(good),
        tensor(psf / psf.sum()),
        observation.psf_supersampling,
        tensor(observation.grid.pixel_scale),
    )
    model = ForwardModel(
        system, data, supersampling=_SUPERSAMPLING, light_supersampling=_LIGHT_SUPERSAMPLING
    )
    return TrueModel(model, tensor(values), data.good[0] > 0, flux)

"""The Gaussian PSF against lenstronomy's kernel."""

from __future__ import annotations

import numpy as np
import torch
from lenstronomy.LightModel.light_model import LightModel

from astrorim_plugins.psfs import GaussianPSF


def test_agrees_with_lenstronomy():
    """Shape of GAUSSIAN at the same points; point-sampled, both normalised."""
    params = {
        name: torch.tensor([value], dtype=torch.float64)
        for name, value in {"fwhm": 0.2, "ellipticity": 0.0, "angle": 0.0}.items()
    }
    kernel = GaussianPSF().kernel(torch.tensor([0.05], dtype=torch.float64), 21, params)
    x, y = np.meshgrid(*2 * [(np.arange(21) - 10) * 0.05])
    sigma = 0.2 / (2 * np.sqrt(2 * np.log(2)))
    reference = LightModel(["GAUSSIAN"]).surface_brightness(
        x, y, [{"amp": 1, "sigma": sigma, "center_x": 0, "center_y": 0}]
    )
    np.testing.assert_allclose(kernel[0], reference / reference.sum(), rtol=1e-10)


def test_width_can_be_fitted():
    """The kernel is differentiable with respect to the FWHM and the shape."""
    values = (0.2, 0.1, 0.3)
    inputs = [torch.tensor([v], dtype=torch.float64, requires_grad=True) for v in values]

    def kernel(fwhm, ellipticity, angle):
        params = {"fwhm": fwhm, "ellipticity": ellipticity, "angle": angle}
        return GaussianPSF().kernel(torch.tensor([0.05], dtype=torch.float64), 7, params)

    assert torch.autograd.gradcheck(kernel, inputs)

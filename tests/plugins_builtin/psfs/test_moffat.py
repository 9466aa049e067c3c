"""The Moffat PSF against lenstronomy's profile."""

from __future__ import annotations

import numpy as np
import torch
from lenstronomy.LightModel.Profiles.moffat import Moffat

from astrorim_plugins.psfs import MoffatPSF


def test_agrees_with_lenstronomy():
    values = {"fwhm": 0.2, "ellipticity": 0.0, "angle": 0.0, "beta": 2.7}
    params = {name: torch.tensor([v], dtype=torch.float64) for name, v in values.items()}
    kernel = MoffatPSF().kernel(torch.tensor([0.05], dtype=torch.float64), 21, params)
    x, y = np.meshgrid(*2 * [(np.arange(21) - 10) * 0.05])
    alpha = 0.2 / (2 * np.sqrt(2 ** (1 / 2.7) - 1))
    reference = Moffat().function(x, y, amp=1, alpha=alpha, beta=2.7)
    np.testing.assert_allclose(kernel[0], reference / reference.sum(), rtol=1e-10)

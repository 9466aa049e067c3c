"""The Airy PSF against astropy's model."""

from __future__ import annotations

import numpy as np
import torch
from astropy.modeling.models import AiryDisk2D

from astrorim_plugins.psfs import AiryPSF


def test_agrees_with_astropy():
    """Their radius is that of the first dark ring; torch's J1 is good to 5e-7."""
    values = {"fwhm": 0.2, "ellipticity": 0.0, "angle": 0.0}
    params = {name: torch.tensor([v], dtype=torch.float64) for name, v in values.items()}
    kernel = AiryPSF().kernel(torch.tensor([0.05], dtype=torch.float64), 41, params)
    x, y = np.meshgrid(*2 * [(np.arange(41) - 20) * 0.05])
    first_zero, half_maximum = 3.8317059702075125, 1.616339948310703
    reference = AiryDisk2D(1, 0, 0, 0.1 * first_zero / half_maximum)(x, y)
    np.testing.assert_allclose(kernel[0], reference / reference.sum(), rtol=1e-9, atol=1e-8)

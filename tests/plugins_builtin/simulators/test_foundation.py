"""The baseline: round Gaussian PSFs and strong arcs."""

from __future__ import annotations

import math

import torch

from astrorim_plugins.simulators.foundation import Foundation


def test_the_psf_has_its_width_and_holds_its_light():
    drawn = Foundation().simulate(8, seed=7, supersampling=2, shape=(8, 8))
    size = drawn.psf.shape[1]
    offset = (torch.arange(size) - size // 2) * 0.04 / drawn.psf_supersampling
    along = drawn.psf.sum(dim=1)
    torch.testing.assert_close(along.sum(dim=1), torch.ones(8))
    # The second moment of the widest part; the kernel holds 99.5 % of the light.
    sigma = torch.sqrt((along * offset**2).sum(dim=1))
    fwhm = sigma * 2 * math.sqrt(2 * math.log(2))
    torch.testing.assert_close(fwhm, drawn.metadata["psf_fwhm"], rtol=0.08, atol=0)


def test_the_arcs_are_magnified_and_mostly_visible():
    drawn = Foundation().simulate(16, seed=7, supersampling=1)
    assert bool((drawn.metadata["magnification"] > 1).all())
    assert float(drawn.metadata["arcs_visible"].mean()) > 0.8
    assert 0.9 <= float(drawn.lens["theta_E"].min())
    assert float(drawn.lens["theta_E"].max()) <= 1.5


def test_nothing_but_the_lens_galaxy_and_the_arcs_is_in_the_image():
    drawn = Foundation().simulate(2, seed=7, supersampling=1)
    for name in ("other_light", "rendering_psf", "cosmic_rays", "noise_kernel"):
        assert getattr(drawn, name) is None
    assert not [key for key in drawn.metadata if key.startswith("effect_")]

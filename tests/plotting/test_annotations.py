"""Scale bar, compass and PSF marks."""

from __future__ import annotations

import numpy as np
import pytest
from matplotlib.figure import Figure

from astrorim.plotting.annotations import draw_compass, psf_fwhm, scale_bar_length


@pytest.mark.parametrize("width, length", [(4.8, 1.0), (1.0, 0.2), (20, 5.0), (3.4, 1.0)])
def test_scale_bar_is_round(width, length):
    assert scale_bar_length(width) == pytest.approx(length)


@pytest.mark.parametrize("fwhm, supersampling", [(3.0, 1), (2.2, 1), (2.0, 3)])
def test_fwhm_of_a_gaussian(fwhm, supersampling):
    sigma = fwhm * supersampling / np.sqrt(8 * np.log(2))
    x, y = np.meshgrid(np.arange(31) - 15, np.arange(31) - 15)
    psf = np.exp(-(x**2 + y**2) / (2 * sigma**2))
    # sampled, interpolated and counted in tenths of a pixel
    assert psf_fwhm(psf, supersampling) == pytest.approx(fwhm, rel=0.05)


@pytest.mark.parametrize("mirrored", [False, True])
def test_compass_follows_the_sky(make_wcs, mirrored):
    """The letters lie in the directions in which declination and right ascension grow."""
    wcs = make_wcs(0.6, mirrored)
    axes = Figure().add_subplot()
    draw_compass(axes, wcs, (96, 96))
    start = np.array(axes.texts[0].xyann)
    letters = {t.get_text(): np.array(t.get_position()) for t in axes.texts if t.get_text()}
    for letter, index in (("E", 0), ("N", 1)):
        here = wcs.wcs_pix2world([start], 0)[0]
        there = wcs.wcs_pix2world([letters[letter]], 0)[0]
        change = (there - here) * [np.cos(np.radians(2.2)), 1]
        assert change[index] > 0
        assert abs(change[1 - index]) < 1e-3 * change[index]
    assert all((p >= -0.5).all() and (p <= 95.5).all() for p in letters.values())

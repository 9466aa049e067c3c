from __future__ import annotations

import numpy as np
from astropy.io import fits


def test_a_simulated_lens_is_described(astrorim, simulated):
    outcome = astrorim("info", simulated / "lensed_00000.fits")
    assert outcome.status == 0
    assert "pixel scale  0.08 arcsec / pix" in outcome.out
    assert "missing" not in outcome.out


def test_what_is_missing_is_said_with_the_option_that_supplies_it(astrorim, tmp_path, rng):
    path = tmp_path / "plain.fits"
    fits.PrimaryHDU(rng.normal(size=(40, 40)).astype(np.float32)).writeto(path)
    outcome = astrorim("info", path)
    assert outcome.status == 0
    for option in ("--unit", "--pixel-scale", "--noise", "--psf", "--z-lens"):
        assert option in outcome.out


def test_a_bad_file_does_not_hide_the_next(astrorim, lenses):
    outcome = astrorim("info", lenses / "broken.fits", lenses / "lens_0.fits")
    assert outcome.status == 1
    assert "lens_0.fits: FITS" in outcome.out
    assert "broken.fits" in outcome.err


def test_hdu_is_taken_by_number_or_name(astrorim, simulated):
    for hdu in ("0", "PRIMARY"):
        assert astrorim("info", "--hdu", hdu, simulated / "lensed_00000.fits").status == 0

"""The command that builds PSFs."""

from __future__ import annotations

import numpy as np
import pytest
from astropy.io import fits
from photutils.psf import MoffatPSF


@pytest.fixture
def field(tmp_path, rng):
    y, x = np.indices((160, 160))
    image = rng.normal(0, 1, x.shape)
    for row in range(20, 160, 40):
        for column in range(20, 160, 40):
            x_0, y_0 = np.array([column, row]) + rng.uniform(-0.5, 0.5, 2)
            image += MoffatPSF(flux=3e4, x_0=x_0, y_0=y_0, alpha=2.5, beta=3.0)(x, y)
    path = tmp_path / "field.fits"
    fits.writeto(path, image, fits.Header({"BUNIT": "adu"}))
    return path


def test_writes_a_stamp(astrorim, field, tmp_path):
    output = tmp_path / "psf.fits"
    outcome = astrorim("psf", field, "--pixel-scale", "0.1 arcsec", "--output", output)
    assert outcome.status == 0, outcome.err
    assert "stars     16 used; left out: none" in outcome.out
    stamp, header = fits.getdata(output, header=True)
    assert stamp.shape == (25, 25)
    assert stamp.sum() == pytest.approx(1)
    assert header["PSFFWHM"] == pytest.approx(0.255, rel=0.03)


def test_too_few_stars_are_an_error(astrorim, field, tmp_path):
    output = tmp_path / "psf.fits"
    outcome = astrorim(
        *("psf", field, "--pixel-scale", "0.1 arcsec", "--output", output),
        *("--saturation", 100),
    )
    assert outcome.status == 1
    assert "got 0 of 16 detections (16 saturated)" in outcome.err
    assert not output.exists()

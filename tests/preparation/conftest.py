"""A lens on a sky, with known truth."""

from __future__ import annotations

import numpy as np
import pytest
from astropy.wcs import WCS

from astrorim.observation import LensObservation

SIGMA = 0.01


def gaussian(shape, column, row, width, flux):
    y, x = np.indices(shape)
    return (
        flux
        / (2 * np.pi * width**2)
        * np.exp(-((x - column) ** 2 + (y - row) ** 2) / (2 * width**2))
    )


def tangent_wcs(shape, scale=0.05):
    wcs = WCS(naxis=2)
    wcs.wcs.ctype = "RA---TAN", "DEC--TAN"
    wcs.wcs.crval = 150.0, 2.0
    wcs.wcs.crpix = (shape[1] + 1) / 2, (shape[0] + 1) / 2
    wcs.wcs.cd = np.diag([-1.0, 1.0]) * scale / 3600
    wcs.wcs.set()
    return wcs


@pytest.fixture
def make_lens(rng):
    """A compact galaxy on a sky of a known level and noise, electron/s."""

    def make(shape=(101, 101), centre=(50.3, 49.6), sky=0.05, flux=40.0, **options):
        data = gaussian(shape, *centre, 3.0, flux) + sky + rng.normal(0, SIGMA, shape)
        axis = np.arange(9) - 4
        psf = np.exp(-(axis[:, None] ** 2 + axis**2) / 2)
        given = {"unit": "electron/s", "wcs": tangent_wcs(shape), "psf": psf / psf.sum()}
        return LensObservation(data, **(given | options))

    return make

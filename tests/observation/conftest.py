"""Observations and files that the tests of this folder share."""

from __future__ import annotations

import astropy.units as u
import numpy as np
import pytest
from astropy.io import fits
from astropy.nddata import StdDevUncertainty
from astropy.wcs import WCS

from astrorim.observation import LensObservation


def tangent_wcs(scale=0.05, rotation=30.0, mirrored=False, shape=(40, 44)):
    """A gnomonic WCS; ``scale`` in arcsec, ``rotation`` in degrees."""
    wcs = WCS(naxis=2)
    wcs.wcs.ctype = "RA---TAN", "DEC--TAN"
    wcs.wcs.crval = 150.0, 2.0
    wcs.wcs.crpix = (shape[1] + 1) / 2, (shape[0] + 1) / 2
    angle = np.radians(rotation)
    turn = np.array([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]])
    flip = np.diag([1.0 if mirrored else -1.0, 1.0])
    wcs.wcs.cd = flip @ turn * scale / 3600
    wcs.wcs.set()
    return wcs


def gaussian_stamp(size=7, width=1.2):
    """A PSF stamp of sum one."""
    axis = np.arange(size) - (size - 1) / 2
    stamp = np.exp(-(axis[:, None] ** 2 + axis**2) / (2 * width**2))
    return stamp / stamp.sum()


@pytest.fixture
def make_wcs():
    return tangent_wcs


@pytest.fixture
def make_psf():
    return gaussian_stamp


@pytest.fixture
def arrays(rng):
    """Image, noise and mask, (40, 44)."""
    data = rng.normal(1.0, 0.2, (40, 44))
    noise = rng.uniform(0.1, 0.3, (40, 44))
    mask = np.zeros((40, 44), dtype=bool)
    mask[3, 5] = True
    return data, noise, mask


@pytest.fixture
def make_observation(arrays):
    """An observation with every attribute set, with or without a WCS."""

    def make(*, sky=True, **changes):
        data, noise, mask = (array.copy() for array in arrays)
        options = {
            "unit": "electron/s",
            "uncertainty": StdDevUncertainty(noise),
            "mask": mask,
            "wcs": tangent_wcs() if sky else None,
            "pixel_scale": None if sky else "0.05 arcsec",
            "psf": gaussian_stamp(),
            "psf_supersampling": 1,
            "band": "F814W",
            "name": "J0000+0000",
            "z_lens": 0.2,
            "z_source": 1.1,
            "exposure": 2000 * u.s,
            "gain": 1.5 * u.electron / u.adu,
            "meta": fits.Header({"OBJECT": "a lens"}),
        }
        return LensObservation(data, **(options | changes))

    return make


@pytest.fixture
def write_image(tmp_path):
    """Write FITS files of (data, header, EXTNAME) tuples, the first being the primary."""

    def write(*parts, name="image.fits"):
        hdus = []
        for number, part in enumerate(parts):
            data, header, extname = part if isinstance(part, tuple) else (part, None, None)
            kind = fits.ImageHDU if number else fits.PrimaryHDU
            hdus.append(kind(data, header))
            if extname:
                hdus[-1].name = extname
        path = tmp_path / name
        fits.HDUList(hdus).writeto(path)
        return path

    return write

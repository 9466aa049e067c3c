"""Extensions are told apart by their names."""

from __future__ import annotations

import numpy as np
import pytest
from astropy.io import fits
from astropy.nddata import InverseVariance, StdDevUncertainty, VarianceUncertainty

from astrorim.observation.instruments import (
    LAYOUTS,
    find_companions,
    role_of,
    uncertainty_class,
)


@pytest.mark.parametrize(
    ("name", "role"),
    [("SCI", "image"), ("VIS_BGSUB", "image"), ("ERR", "noise"), ("VIS_RMS", "noise"),
     ("VIS.RMS", "noise"), ("VAR_POISSON", "noise"), ("nir_y_psf", "psf"), ("WHT", "weight"),
     ("CTX", "weight"), ("DQ", "mask"), ("VIS.FLG", "mask"), ("", "image"),
     ("WARMASS", "image")],
)  # fmt: skip
def test_roles(name, role):
    assert role_of(name) == role


@pytest.mark.parametrize(
    ("name", "cls"),
    [("VARIANCE", VarianceUncertainty), ("NIR_VAR", VarianceUncertainty),
     ("IVAR", InverseVariance), ("ivar", InverseVariance), ("RMS", StdDevUncertainty),
     ("InverseVariance", InverseVariance), ("StdDevUncertainty", StdDevUncertainty)],
)  # fmt: skip
def test_kinds_of_uncertainty(name, cls):
    assert uncertainty_class(name) is cls


def extensions(*names):
    hdus = [fits.PrimaryHDU()]
    for name, version in names:
        hdus.append(fits.ImageHDU(np.eye(5), name=name, ver=version))
    return fits.HDUList(hdus)


def test_companions_have_the_images_version():
    hdul = extensions(("SCI", 1), ("ERR", 1), ("SCI", 2), ("ERR", 2), ("DQ", 2))
    first = find_companions(hdul, hdul["SCI", 1])
    second = find_companions(hdul, hdul["SCI", 2])
    assert first.noise is hdul["ERR", 1]
    assert first.quality is None
    assert second.noise is hdul["ERR", 2]
    assert second.quality is hdul["DQ", 2]


def test_companions_have_the_images_band():
    hdul = extensions(
        ("VIS_BGSUB", 1), ("VIS_RMS", 1), ("H_BGSUB", 1), ("H_RMS", 1), ("H_PSF", 1)
    )
    companions = find_companions(hdul, hdul["H_BGSUB"])
    assert companions.noise is hdul["H_RMS"]
    assert companions.psf is hdul["H_PSF"]
    assert companions.band == "H"
    assert find_companions(hdul, hdul["VIS_BGSUB"]).psf is None


def test_a_weight_is_not_noise():
    hdul = extensions(("SCI", 1), ("WHT", 1))
    companions = find_companions(hdul, hdul["SCI"])
    assert companions.noise is None
    assert companions.weight is hdul["WHT"]


def test_an_image_without_name_is_plain():
    hdul = fits.HDUList([fits.PrimaryHDU(np.eye(5))])
    assert find_companions(hdul, hdul[0]).layout == "plain image"


def test_layouts_have_names_of_their_own():
    assert len({layout.name for layout in LAYOUTS}) == len(LAYOUTS)

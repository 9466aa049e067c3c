"""Noise, PSF and mask come from files, arrays or objects."""

from __future__ import annotations

import astropy.units as u
import numpy as np
import pytest
from astropy.io import fits
from astropy.nddata import CCDData, InverseVariance, StdDevUncertainty, VarianceUncertainty

from astrorim.exceptions import ObservationError
from astrorim.observation.separate_files import (
    flag_hopeless_noise,
    load_mask,
    load_psf,
    load_uncertainty,
)

RATE = u.electron / u.s
NONE = np.zeros((6, 7), dtype=bool)


def test_psf_from_an_object_with_data(make_psf):
    np.testing.assert_array_equal(load_psf(CCDData(make_psf(), unit="")), make_psf())


def test_psf_of_integers_becomes_floating_point():
    assert load_psf(np.eye(3, dtype="i2")).dtype == np.float32


def test_psf_among_other_extensions(write_image, make_psf):
    path = write_image((np.eye(9), None, None), (make_psf(5), None, "PSF"))
    assert load_psf(path).shape == (5, 5)
    assert load_psf((str(path), 0)).shape == (9, 9)


def test_mask_marks_all_that_is_not_zero():
    mask = load_mask(np.array([[0, 1], [-2, np.nan]]))
    assert mask.tolist() == [[False, True], [True, True]]


def test_an_uncertainty_passes_through():
    uncertainty = StdDevUncertainty(np.ones((2, 2)))
    assert load_uncertainty(uncertainty, RATE) is uncertainty


@pytest.mark.parametrize(
    ("kind", "cls", "factor"),
    [("std", StdDevUncertainty, 1 / 60), ("variance", VarianceUncertainty, 1 / 3600),
     ("ivar", InverseVariance, 3600)],
)  # fmt: skip
def test_units_of_noise_are_converted(kind, cls, factor):
    unit = (u.electron / u.min) ** {"std": 1, "variance": 2, "ivar": -2}[kind]
    result = load_uncertainty(np.ones((2, 2)) * unit, RATE, kind=kind)
    assert type(result) is cls
    np.testing.assert_allclose(result.array, factor, rtol=1e-12)


def test_unit_of_the_noise_file(write_image):
    path = write_image((np.ones((2, 2)), fits.Header({"BUNIT": "electrons/min"}), None))
    np.testing.assert_allclose(load_uncertainty(path, RATE).array, 1 / 60, rtol=1e-12)
    with pytest.raises(ObservationError, match="one convertible to nJy, got electron / min"):
        load_uncertainty(path, u.nJy)


@pytest.mark.parametrize("cls", [StdDevUncertainty, VarianceUncertainty, InverseVariance])
def test_hopeless_noise_is_flagged_for_each_kind(cls):
    power = {StdDevUncertainty: 1, VarianceUncertainty: 2, InverseVariance: -2}[cls]
    noise = np.full((6, 7), 0.1)
    noise[1, 2] = 1e8
    noise[3, 3] = 50.0  # a bright star is no flag
    uncertainty, flagged = flag_hopeless_noise(cls(noise**power), NONE)
    assert np.argwhere(flagged).tolist() == [[1, 2]]
    np.testing.assert_array_equal(uncertainty.array, noise**power)


def test_broken_noise_of_masked_pixels_becomes_finite():
    noise = np.full((6, 7), 0.1)
    noise[0, 0], noise[1, 1], noise[2, 2] = np.nan, 0, -1
    ignored = NONE.copy()
    ignored[[0, 1, 2], [0, 1, 2]] = True
    original = noise.copy()
    uncertainty, flagged = flag_hopeless_noise(StdDevUncertainty(noise), ignored)
    assert not flagged.any()
    assert (uncertainty.array > 0).all()
    assert np.isfinite(uncertainty.array).all()
    np.testing.assert_array_equal(noise, original)


def test_a_scale_of_noise_in_any_unit_is_kept():
    uncertainty, flagged = flag_hopeless_noise(StdDevUncertainty(np.full((6, 7), 1e9)), NONE)
    assert not flagged.any()
    assert (uncertainty.array == 1e9).all()

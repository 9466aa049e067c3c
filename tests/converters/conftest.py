"""A reconstruction of a rendered lens, for tests of results, their files and figures."""

from __future__ import annotations

import runpy
from pathlib import Path

import asdf
import numpy as np
import pytest
from astropy.io import fits

from astrorim.observation import LensObservation

EXAMPLE = runpy.run_path(str(Path(__file__).parents[1] / "results" / "example_lens.py"))


@pytest.fixture
def make_reconstruction():
    return EXAMPLE["make_reconstruction"]


@pytest.fixture
def make_wcs():
    return EXAMPLE["make_wcs"]


@pytest.fixture(scope="session")
def reconstruction():
    return EXAMPLE["make_reconstruction"]()


ATTRIBUTES = ("psf_supersampling", "band", "name", "z_lens", "z_source", "exposure", "gain")


def _through_file(value, path):
    asdf.AsdfFile({"value": value}).write_to(path)
    with asdf.config_context() as config:
        config.validate_on_read = True
        if hasattr(config, "warn_on_failed_conversion"):
            config.warn_on_failed_conversion = False
        with asdf.open(path) as file:
            return file["value"]


def _assert_same_observation(a, b):
    assert type(a) is type(b) is LensObservation
    for name in ATTRIBUTES:
        assert getattr(a, name) == getattr(b, name), name
    for name in ("data", "mask", "psf"):
        np.testing.assert_array_equal(getattr(a, name), getattr(b, name), err_msg=name)
        if getattr(a, name) is not None:
            assert type(getattr(b, name)) is np.ndarray
            assert getattr(a, name).dtype == getattr(b, name).dtype, name
    assert a.unit == b.unit
    if a.wcs is None and a._pixel_scale is not None:
        assert a.pixel_scale == b.pixel_scale
    assert type(a.uncertainty) is type(b.uncertainty)
    if a.uncertainty is not None:
        np.testing.assert_array_equal(a.uncertainty.array, b.uncertainty.array)
        assert a.uncertainty.unit == b.uncertainty.unit
    assert (a.wcs is None) == (b.wcs is None)
    if a.wcs is not None:
        # astropy writes a CD matrix as PC, with thirteen digits
        np.testing.assert_allclose(
            b.wcs.pixel_scale_matrix, a.wcs.pixel_scale_matrix, rtol=1e-12, atol=1e-18
        )
        pixels = [[0.0, 0.0], [30.0, 5.0]]
        np.testing.assert_allclose(
            b.wcs.all_pix2world(pixels, 0), a.wcs.all_pix2world(pixels, 0), rtol=1e-12
        )
        assert list(a.wcs.wcs.ctype) == list(b.wcs.wcs.ctype)
    assert isinstance(a.meta, fits.Header) == isinstance(b.meta, fits.Header)
    assert dict(a.meta) == dict(b.meta)


@pytest.fixture
def through_file():
    return _through_file


@pytest.fixture
def assert_same_observation():
    return _assert_same_observation

"""Observations through a real file: every attribute compared after closing."""

from __future__ import annotations

import astropy.units as u
import numpy as np
import pytest
from astropy.io import fits
from astropy.nddata import InverseVariance, StdDevUncertainty, VarianceUncertainty
from astropy.wcs import WCS

from astrorim.observation import LensObservation


@pytest.mark.parametrize("kind", [StdDevUncertainty, VarianceUncertainty, InverseVariance])
def test_observation_with_each_uncertainty(
    through_file, assert_same_observation, tmp_path, rng, make_wcs, kind
):
    observation = LensObservation(
        rng.normal(size=(9, 11)).astype("f4"),
        unit="nJy",
        uncertainty=kind(rng.uniform(1, 2, size=(9, 11)).astype("f4")),
        mask=np.eye(9, 11, dtype=bool),
        wcs=make_wcs(),
        psf=np.full((3, 3), 1 / 9),
        psf_supersampling=3,
        band="F814W",
        name="J1",
        z_lens=0.5,
        z_source=2.0,
        exposure=100 * u.s,
        gain=2.5 * u.electron / u.adu,
        meta={"a": 1, "b": (1, 2.5), "c": {"d": None}},
    )
    back = through_file(observation, tmp_path / "o.asdf")
    assert back.meta["b"] == [1, 2.5]
    back.meta["b"] = (1, 2.5)
    assert_same_observation(observation, back)


@pytest.mark.parametrize(
    "unit", ["electron/s", "adu", "MJy/sr", "1e-20 erg/(s cm2 AA)", "DN/s"]
)
def test_observation_units(through_file, assert_same_observation, tmp_path, unit):
    observation = LensObservation(np.eye(5), unit=unit, pixel_scale="0.05 arcsec")
    assert_same_observation(observation, through_file(observation, tmp_path / "o.asdf"))


def test_observation_with_nothing_known(through_file, tmp_path):
    observation = LensObservation(np.eye(5), unit="adu")
    back = through_file(observation, tmp_path / "o.asdf")
    assert back.uncertainty is back.wcs is back.psf is back.mask is back.exposure is None
    with pytest.raises(ValueError, match="pixel scale is unknown"):
        _ = back.pixel_scale


def test_fits_header_survives_card_by_card(through_file, tmp_path):
    header = fits.Header()
    header["EXPTIME"] = (2000.0, "seconds")
    header["LONG"] = ("x'" * 100, "continued over cards")
    header["HIERARCH ESO DET ID"] = 3
    header["UNDEF"] = fits.card.UNDEFINED
    header["FLAG"] = True
    header["HISTORY"] = "first"
    header["HISTORY"] = "second"
    header["COMMENT"] = "a comment"
    observation = LensObservation(np.eye(5), unit="adu", pixel_scale="0.1 arcsec", meta=header)
    back = through_file(observation, tmp_path / "o.asdf").meta
    assert isinstance(back, fits.Header)
    assert back.tostring() == observation.meta.tostring()
    assert back.cards["EXPTIME"].comment == "seconds"


def test_distorted_wcs_survives(through_file, tmp_path):
    from astropy.wcs import Sip

    wcs = WCS(naxis=2)
    wcs.wcs.ctype = "RA---TAN-SIP", "DEC--TAN-SIP"
    wcs.wcs.crpix, wcs.wcs.cdelt = (3.0, 3.0), (-1e-5, 1e-5)
    a = np.zeros((3, 3))
    a[2, 0] = 1e-5
    wcs.sip = Sip(a, a.T.copy(), None, None, (3.0, 3.0))
    wcs.wcs.set()
    observation = LensObservation(np.eye(5), unit="adu", wcs=wcs)
    back = through_file(observation, tmp_path / "o.asdf")
    np.testing.assert_allclose(
        back.wcs.all_pix2world([[0, 4]], 0), wcs.all_pix2world([[0, 4]], 0), rtol=1e-14
    )


def test_unknown_uncertainty_is_refused(through_file, tmp_path):
    from astropy.nddata import UnknownUncertainty

    observation = LensObservation(
        np.eye(5), unit="adu", uncertainty=UnknownUncertainty(np.ones((5, 5)))
    )
    with pytest.raises(ValueError, match="must be one of the kinds .* got 'unknown'"):
        through_file(observation, tmp_path / "o.asdf")

from __future__ import annotations

import numpy as np
import pytest
from astropy.nddata import StdDevUncertainty

from astrorim.exceptions import ObservationError
from astrorim.observation import LensObservation
from astrorim.preparation import combine_dithers

from .conftest import gaussian, tangent_wcs

SHAPE = (60, 62)
SHIFTS = ((0.0, 0.0), (0.5, 0.3), (-1.3, 2.4), (3.2, -0.6))
SIGMA = 0.02


def exposures(rng, sigma=SIGMA, **options):
    """The same star on four shifted frames."""
    found = []
    for dx, dy in SHIFTS:
        wcs = tangent_wcs(SHAPE)
        wcs.wcs.crpix = wcs.wcs.crpix[0] + dx, wcs.wcs.crpix[1] + dy
        wcs.wcs.set()
        data = gaussian(SHAPE, 30.5 + dx, 29.5 + dy, 2.5, 10.0)
        found.append(
            LensObservation(
                data + rng.normal(0, sigma, SHAPE),
                wcs=wcs,
                uncertainty=StdDevUncertainty(np.full(SHAPE, SIGMA)),
                exposure="100 s",
                **({"unit": "electron/s", "psf": np.ones((3, 3)) / 9} | options),
            )
        )
    return found


def test_flux_and_place_are_those_of_one_exposure(rng):
    result = combine_dithers(exposures(rng, sigma=0.0))
    np.testing.assert_allclose(result.data.sum(), 10.0, rtol=1e-3)
    y, x = np.indices(SHAPE)
    np.testing.assert_allclose((result.data * x).sum() / result.data.sum(), 30.5, atol=0.01)
    np.testing.assert_allclose((result.data * y).sum() / result.data.sum(), 29.5, atol=0.01)
    assert result.exposure.to_value("s") == 400
    np.testing.assert_allclose(result.psf.sum(), 1)


@pytest.mark.parametrize(
    "unit, total", [("electron/s", 10.0), ("MJy/sr", 10.0 / 4)], ids=["flux", "brightness"]
)
def test_coarser_frame_keeps_flux_or_brightness(rng, unit, total):
    result = combine_dithers(
        exposures(rng, sigma=0.0, unit=unit), wcs=tangent_wcs((30, 31), 0.1), shape=(30, 31)
    )
    np.testing.assert_allclose(result.data.sum(), total, rtol=2e-3)


def test_noise_map_is_the_scatter(rng):
    star = combine_dithers(exposures(rng, sigma=0.0)).data
    inner = np.s_[8:-8, 8:-8]
    pulls = []
    for _ in range(6):
        result = combine_dithers(exposures(rng))
        pulls.append(((result.data - star) / result.noise)[inner])
    # 12000 correlated numbers, and a map from 16 realisations smoothed over 25 pixels
    assert abs(np.std(pulls) - 1) < 0.05
    assert result.noise[inner].mean() < SIGMA / 2
    assert 0.05 < result.meta["NEIGHCOR"] < 0.6


def test_bad_pixel_of_one_exposure_is_filled_by_the_others(rng):
    frames = exposures(rng, sigma=0.0)
    clean = combine_dithers(frames)
    frames[0].data[30, 30] = 1e4
    frames[0].mask = np.zeros(SHAPE, bool)
    frames[0].mask[30, 30] = True
    result = combine_dithers(frames)
    assert not result.mask[30, 30]
    # sub-pixel shifts change what a pixel sees of the star's peak
    np.testing.assert_allclose(result.data[30, 30], clean.data[30, 30], rtol=0.05)


def test_what_cannot_be_combined_is_refused(rng):
    frames = exposures(rng)
    with pytest.raises(ObservationError, match="at least two exposures are combined, got 1"):
        combine_dithers(frames[:1])
    other = exposures(rng, unit="electron/min")
    with pytest.raises(ObservationError, match="must be in one unit"):
        combine_dithers([frames[0], other[1]])
    frames[1].uncertainty = None
    with pytest.raises(ObservationError, match="exposure 1 has no noise map"):
        combine_dithers(frames)
    bare = LensObservation(np.eye(9), unit="adu", pixel_scale="1 arcsec")
    with pytest.raises(ObservationError, match="exposure 0 has no WCS"):
        combine_dithers([bare, bare])

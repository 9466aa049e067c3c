from __future__ import annotations

import numpy as np
import pytest
from astropy.nddata import StdDevUncertainty

from astrorim.exceptions import ObservationError
from astrorim.observation import LensObservation
from astrorim.preparation import resample


def test_flux_is_conserved_and_surface_brightness_averaged(make_lens):
    lens = make_lens((90, 90), (44, 45))
    coarse = resample(lens, "0.1 arcsec")
    np.testing.assert_allclose(coarse.data.sum(), lens.data.sum(), rtol=1e-12)
    bright = make_lens((90, 90), (44, 45), unit="MJy/sr")
    np.testing.assert_allclose(
        resample(bright, "0.15 arcsec").data.mean(), bright.data.mean(), rtol=1e-12
    )


@pytest.mark.parametrize("scale", [0.1, 0.08])
def test_agrees_with_reproject(make_lens, scale):
    from reproject import reproject_exact

    lens = make_lens((80, 80), (40, 39))
    coarse = resample(lens, f"{scale} arcsec")
    expected, _ = reproject_exact(
        (lens.data, lens.wcs), coarse.wcs, shape_out=coarse.shape, parallel=False
    )
    # spherical polygons against flat squares; reproject gives the mean per input pixel
    np.testing.assert_allclose(
        coarse.data, expected * (scale / 0.05) ** 2, rtol=1e-3, atol=1e-4
    )


def test_places_on_the_sky_stay(make_lens):
    lens = make_lens((81, 83))
    coarse = resample(lens, "0.12 arcsec")
    ny, nx = lens.shape
    my, mx = coarse.shape
    before = lens.wcs.pixel_to_world((nx - 1) / 2, (ny - 1) / 2)
    after = coarse.wcs.pixel_to_world((mx - 1) / 2, (my - 1) / 2)
    assert before.separation(after).arcsec < 1e-6


@pytest.mark.parametrize("ratio, correlated", [(2.0, False), (1.5, True)])
def test_noise_and_its_correlation_are_those_of_resampled_noise(rng, ratio, correlated):
    sigma = 0.3
    data = rng.normal(0, sigma, (600, 600))
    noise = LensObservation(
        data,
        unit="adu",
        pixel_scale="0.1 arcsec",
        uncertainty=StdDevUncertainty(np.full(data.shape, sigma)),
    )
    coarse = resample(noise, f"{0.1 * ratio} arcsec")
    scatter = coarse.data.std()
    np.testing.assert_allclose(
        np.sqrt((coarse.noise**2).mean()), scatter, rtol=0.01
    )  # 1/sqrt(2 N)
    pairs = (coarse.data[:, 1:] * coarse.data[:, :-1]).mean() / scatter**2
    assert abs(pairs - coarse.meta["NEIGHCOR"]) < 0.03
    assert (coarse.meta["NEIGHCOR"] > 0.05) is correlated


def test_psf_is_kept_finer_or_resampled(make_lens):
    lens = make_lens((90, 90), (44, 45))
    whole = resample(lens, "0.1 arcsec")
    assert whole.psf_supersampling == 2
    np.testing.assert_array_equal(whole.psf, lens.psf)
    broken = resample(lens, "0.08 arcsec")
    assert broken.psf_supersampling == 1
    assert broken.psf.shape[0] % 2 == 1
    np.testing.assert_allclose(broken.psf.sum(), 1)
    assert (
        np.unravel_index(broken.psf.argmax(), broken.psf.shape)
        == (broken.psf.shape[0] // 2,) * 2
    )
    np.testing.assert_allclose(broken.psf, broken.psf[::-1, ::-1], atol=1e-12)


def test_bad_pixels_spread(make_lens):
    mask = np.zeros((90, 90), bool)
    mask[10, 11] = True
    coarse = resample(make_lens((90, 90), mask=mask), "0.1 arcsec")
    assert coarse.mask.sum() == 1
    assert coarse.mask[5, 5]


def test_finer_and_too_few_pixels_are_refused(make_lens):
    with pytest.raises(ObservationError, match="must not be finer"):
        resample(make_lens(), "0.03 arcsec")
    with pytest.raises(ObservationError, match="at least five on a side"):
        resample(make_lens(), "2 arcsec")

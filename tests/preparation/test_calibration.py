from __future__ import annotations

import astropy.units as u
import numpy as np
import pytest
from astropy.nddata import CCDData

from astrorim.exceptions import ObservationError
from astrorim.observation import LensObservation
from astrorim.preparation import calibrate, combine_calibration_frames

SHAPE = (120, 130)
GAIN = 2.0
READ_NOISE = 6.0
BIAS = 400.0
DARK = 0.05  # electrons per second


@pytest.fixture
def truth(rng):
    """Electrons per pixel of the scene, and the response of the detector."""
    y, x = np.indices(SHAPE)
    scene = 600 + 4000 * np.exp(-((x - 64) ** 2 + (y - 60) ** 2) / 200)
    return scene, rng.normal(1, 0.03, SHAPE)


def raw(rng, electrons):
    """Counts of a detector: photons, read noise, gain, bias."""
    read = rng.normal(0, READ_NOISE, SHAPE)
    return (rng.poisson(np.maximum(electrons, 0)) + read) / GAIN + BIAS


def ccd(data):
    return CCDData(data, unit="adu")


@pytest.fixture
def masters(rng, truth):
    _, response = truth
    none = np.zeros(SHAPE)
    bias = combine_calibration_frames([ccd(raw(rng, none)) for _ in range(25)], kind="bias")
    dark = combine_calibration_frames(
        [ccd(raw(rng, none + DARK * 900) - BIAS) for _ in range(15)], kind="dark"
    )
    flat = combine_calibration_frames(
        [ccd(raw(rng, 30000.0 * response) - BIAS) for _ in range(15)], kind="flat"
    )
    return {"bias": bias, "dark": dark, "dark_exposure": "900 s", "flat": flat}


def science(rng, truth, **options):
    scene, response = truth
    counts = raw(rng, scene * response + DARK * 600)
    given = {"unit": "adu", "pixel_scale": "0.2 arcsec", "exposure": 600 * u.s, "band": "g"}
    return LensObservation(counts, **(given | options))


def calibrated(frame, masters, **options):
    return calibrate(
        frame, gain="2 electron/adu", read_noise="6 electron", **masters, **options
    )


def test_truth_comes_back_with_the_noise_that_is_given(rng, truth, masters):
    result = calibrated(science(rng, truth), masters, reject_cosmic_rays=False)
    assert result.unit == u.electron
    pull = (result.data - truth[0]) / result.noise
    # 15600 pixels: standard deviation known to 0.6 %, mean to 0.8 %; the flat's own mean
    # is known to 0.03 %
    assert abs(pull.std() - 1) < 0.03
    assert abs(pull.mean()) < 0.05
    np.testing.assert_allclose(result.data.mean(), truth[0].mean(), rtol=1e-3)


def test_attributes_survive_and_the_gain_is_applied(rng, truth, masters):
    psf = np.ones((3, 3)) / 9
    frame = science(rng, truth, psf=psf, gain="2 electron/adu")
    before = frame.data.copy()
    result = calibrated(frame, masters)
    assert type(result) is LensObservation
    np.testing.assert_array_equal(result.psf, psf)
    assert result.band == "g"
    assert result.gain is None
    np.testing.assert_array_equal(frame.data, before)


def test_cosmic_rays_are_masked(rng, truth, masters):
    frame = science(rng, truth)
    hits = np.zeros(SHAPE, bool)
    hits[rng.integers(5, 40, 30), rng.integers(5, 125, 30)] = True
    frame.data[hits] += 3000
    result = calibrated(frame, masters)
    assert (result.mask & hits).sum() >= 0.95 * hits.sum()
    assert (result.mask & ~hits).sum() < 0.005 * hits.size
    assert result.meta["NCOSMIC"] == result.mask.sum()


def test_outlier_of_one_frame_does_not_reach_the_master(rng):
    frames = [ccd(raw(rng, np.zeros(SHAPE))) for _ in range(11)]
    frames[4].data[7, 9] += 5000
    assert abs(combine_calibration_frames(frames, kind="bias").data[7, 9] - BIAS) < 5


def test_what_cannot_be_calibrated_is_refused(rng, truth, masters):
    with pytest.raises(ObservationError, match="must be in adu, got electron"):
        calibrated(science(rng, truth, unit="electron"), masters)
    with pytest.raises(ObservationError, match=r"bias must have the frame's shape"):
        calibrated(science(rng, truth)[:100], masters)
    with pytest.raises(ObservationError, match="exposure must be known to scale the dark"):
        calibrated(science(rng, truth, exposure=None), masters)
    with pytest.raises(ObservationError, match="three flat frames are needed .* got 2"):
        combine_calibration_frames([ccd(np.ones((5, 5)))] * 2, kind="flat")
    with pytest.raises(ObservationError, match="kind must be 'bias'"):
        combine_calibration_frames([], kind="sky")

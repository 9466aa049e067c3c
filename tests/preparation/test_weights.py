from __future__ import annotations

import numpy as np
import pytest

from astrorim.exceptions import ObservationError
from astrorim.preparation import estimate_sky
from astrorim.preparation.weights import noise_from_weight, weight_type_of

SIGMA = 0.01


@pytest.mark.parametrize(
    "kind, value",
    [("ivar", SIGMA**-2), ("relative", 7.0), ("std", SIGMA), ("variance", SIGMA**2)],
)
def test_each_kind_gives_the_same_noise(make_lens, kind, value):
    lens = make_lens(sky=0.0)
    weight = np.full(lens.shape, value)
    weight[3, 4] = 0
    noise, empty = noise_from_weight(lens, weight, kind, estimate_sky(lens))
    np.testing.assert_allclose(noise.array, SIGMA, rtol=0.05)
    assert empty.sum() == 1
    assert empty[3, 4]


def test_exposure_map_scales_sky_and_photons(make_lens):
    lens = make_lens(sky=0.0)
    sky = estimate_sky(lens)
    seconds = np.full(lens.shape, 1000.0)
    seconds[:20] = 250.0
    noise, _ = noise_from_weight(lens, seconds, "exposure", sky)
    photons = np.maximum(lens.data, 0) / 1000
    expected = np.sqrt((sky.sigma**2 + photons) * np.where(seconds == 250, 4, 1))
    np.testing.assert_allclose(noise.array, expected, rtol=1e-10)


def test_wrong_kind_is_found_out_on_the_sky(make_lens):
    lens = make_lens(sky=0.0)
    weight = np.full(lens.shape, SIGMA**-2)
    for kind in ("std", "variance"):
        with pytest.raises(ObservationError, match="another kind of weight"):
            noise_from_weight(lens, weight, kind, estimate_sky(lens))


def test_drizzle_weight_is_not_guessed():
    assert weight_type_of("IVAR") == "ivar"
    assert weight_type_of("VIS_RMS") == "std"
    with pytest.raises(ObservationError, match=r"'WHT', because a weight may be"):
        weight_type_of("WHT")


def test_unknown_kind_and_empty_map_are_refused(make_lens):
    lens = make_lens(sky=0.0)
    sky = estimate_sky(lens)
    with pytest.raises(ObservationError, match="must be one of ivar, relative"):
        noise_from_weight(lens, np.ones(lens.shape), "wht", sky)
    with pytest.raises(ObservationError, match="positive somewhere, got none"):
        noise_from_weight(lens, np.zeros(lens.shape), "ivar", sky)
    counts = make_lens(sky=0.0, unit="electron")
    with pytest.raises(ObservationError, match="needs an image of a rate, got electron"):
        noise_from_weight(counts, np.ones(lens.shape), "exposure", sky)

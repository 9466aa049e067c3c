"""Each check passes what is right and says what is wrong with the rest."""

from __future__ import annotations

import astropy.units as u
import numpy as np
import pytest

from astrorim.exceptions import ObservationError
from astrorim.observation import checks

SHAPE = (6, 7)
NONE = np.zeros(SHAPE, dtype=bool)


@pytest.mark.parametrize("pair", [(None, None), (0.2, None), (None, 0.2), (0.2, 0.3)])
def test_redshifts_that_can_be(pair):
    checks.check_redshifts(*pair)


@pytest.mark.parametrize("pair", [(0.3, 0.3), (0.5, 0.2)])
def test_sources_lie_behind_lenses(pair):
    with pytest.raises(ObservationError, match=f"z_lens={pair[0]}, z_source={pair[1]}"):
        checks.check_redshifts(*pair)


@pytest.mark.parametrize(
    ("value", "message"),
    [(0.0, "42 zero"), (-1.0, "42 negative"), (np.nan, "42 NaN or infinite"),
     (np.inf, "42 NaN or infinite")],
)  # fmt: skip
def test_noise_is_positive_where_it_counts(value, message):
    noise = np.full(SHAPE, value)
    checks.check_noise(noise, ~NONE)
    with pytest.raises(ObservationError, match=f"{message} of 42 pixels"):
        checks.check_noise(noise, NONE)


def test_content_ignores_masked_pixels():
    data = np.zeros(SHAPE)
    data[0, 0] = 1
    checks.check_content(data, NONE)
    ignored = NONE.copy()
    ignored[0, 0] = True
    with pytest.raises(ObservationError, match="got 0 in all 41 usable pixels"):
        checks.check_content(data, ignored)


def test_even_stamp_without_room_about_its_peak():
    psf = np.zeros((4, 4))
    psf[0, 0] = 1
    with pytest.raises(ObservationError, match="resample it so that its peak"):
        checks.check_psf(psf)


def test_a_finely_sampled_psf_covers_fewer_pixels():
    checks.check_psf_fits(np.ones((13, 13)), 2, (7, 7))
    with pytest.raises(ObservationError, match="covers 7.5 pixels"):
        checks.check_psf_fits(np.ones((15, 15)), 2, (7, 7))


def test_pixel_scale_of_wcs_wins_within_its_tolerance(make_wcs):
    given = 0.0503 * u.arcsec / u.pix
    assert checks.resolve_pixel_scale(None, given) == given
    assert checks.resolve_pixel_scale(None, None) is None
    scale = checks.resolve_pixel_scale(make_wcs(), given)
    np.testing.assert_allclose(scale.value, 0.05, rtol=1e-9)


def test_psf_stamps_are_no_images():
    y, x = np.indices((21, 21)) - 10
    stamp = np.exp(-(x**2 + y**2) / 8)
    stamp *= 0.95 / stamp.sum()
    with pytest.raises(ObservationError, match=r"looks like a PSF stamp.*sum to 0.95.*psf="):
        checks.check_not_psf(stamp, {}, alone=True)
    checks.check_not_psf(stamp, {}, alone=False)
    checks.check_not_psf(20 * stamp, {}, alone=True)
    checks.check_not_psf(np.roll(stamp, 3, axis=0), {}, alone=True)
    checks.check_not_psf(stamp - 0.001, {}, alone=True)
    tiny_tim = dict.fromkeys(("FOCUS", "X_COMA", "Y_COMA", "SPHERICL", "X_PSF"), 0.01)
    with pytest.raises(ObservationError, match="a PSF that Tiny Tim computed"):
        checks.check_not_psf(np.zeros((74, 74)), tiny_tim, alone=False)
    checks.check_not_psf(20 * stamp, {"FOCUS": 2.0, "FILTER": "F814W"}, alone=True)

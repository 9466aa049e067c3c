from __future__ import annotations

import numpy as np
import pytest
from astropy.nddata import StdDevUncertainty

from astrorim.exceptions import AstroRIMWarning, ObservationError
from astrorim.plugins import load_plugins
from astrorim.preparation import denormalize, normalize


@pytest.mark.parametrize("method", ["robust", "minmax", "percentile"])
def test_scaling_is_undone(make_lens, method):
    noise = StdDevUncertainty(np.full((101, 101), 0.01))
    lens = make_lens(uncertainty=noise, z_lens=0.2)
    scaled = normalize(lens, load_plugins().normalizers.create(method))
    np.testing.assert_allclose(scaled.noise, 0.01 / scaled.meta["NORMSCAL"], rtol=1e-12)
    back = denormalize(scaled)
    np.testing.assert_allclose(back.data, lens.data, rtol=1e-13, atol=1e-15)
    np.testing.assert_allclose(back.noise, lens.noise, rtol=1e-13)
    assert back.unit == lens.unit
    assert back.z_lens == 0.2
    assert "NORMSCAL" not in back.meta


def test_crop_keeps_the_pixel_scale(make_lens):
    scaled = normalize(make_lens(), load_plugins().normalizers.create("robust"), size=64)
    assert scaled.shape == (64, 64)
    np.testing.assert_allclose(scaled.grid.pixel_scale, 0.05)


def test_clipping_warns_and_cannot_be_undone(make_lens):
    percentile = load_plugins().normalizers.create("percentile")
    lens = make_lens(uncertainty=StdDevUncertainty(np.full((101, 101), 0.01)))
    with pytest.warns(AstroRIMWarning, match=r"cut off 2\.\d% of the pixels"):
        clipped = normalize(lens, percentile, clip=True)
    assert clipped.data.min() == 0
    assert clipped.data.max() == 1
    assert not clipped.has_noise
    with pytest.raises(ObservationError, match="a clipped image cannot be undone"):
        denormalize(clipped)


def test_twice_or_not_at_all_is_refused(make_lens):
    robust = load_plugins().normalizers.create("robust")
    with pytest.raises(ObservationError, match="was normalised before"):
        normalize(normalize(make_lens(), robust), robust)
    with pytest.raises(ObservationError, match="lacks NORMOFF, NORMSCAL, NORMUNIT"):
        denormalize(make_lens())

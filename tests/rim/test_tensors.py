from __future__ import annotations

import numpy as np
import pytest
import torch

from astrorim.exceptions import ObservationError
from astrorim.rim.tensors import batch_observations


def test_flux_unit_is_the_median_noise_of_the_good_pixels(make_observation):
    mask = np.zeros((32, 32), bool)
    mask[:20] = True
    observation = make_observation(mask=mask)
    observation.uncertainty.array[:20] = 99.0
    batch = batch_observations([observation], dtype=torch.float64)
    assert batch.unit_flux == pytest.approx([0.03])
    good = batch.data.good[0] > 0
    assert torch.equal(good, torch.as_tensor(~mask))
    expected = torch.as_tensor(observation.data / 0.03)[good]
    torch.testing.assert_close(batch.data.image[0][good], expected, rtol=1e-6, atol=0)


@pytest.mark.parametrize("unit", [1e-20, 1e6])
def test_tensors_do_not_depend_on_the_unit(make_observation, unit):
    own = batch_observations([make_observation()]).data
    other = batch_observations([make_observation(unit=unit)]).data
    for name in ("image", "noise", "good", "psf", "pixel_scale"):
        torch.testing.assert_close(
            getattr(other, name), getattr(own, name), rtol=1e-6, atol=1e-6
        )


@pytest.mark.parametrize("value", [np.nan, np.inf, 1e30])
def test_masked_and_missing_pixels_hold_finite_numbers_that_weigh_nothing(
    make_observation, value
):
    mask = np.zeros((32, 32), bool)
    mask[3, 4] = True
    observation = make_observation(mask=mask)
    observation.data[3, 4] = value
    observation.uncertainty.array[3, 4] = value
    data = batch_observations([observation]).data
    assert torch.isfinite(data.image).all()
    assert (data.noise > 0).all()
    assert data.weight[0, 3, 4] == 0


@pytest.mark.parametrize("shape", [(40, 40), (41, 41), (40, 37), (36, 43)])
@pytest.mark.parametrize("size", [36, 37])
def test_central_part_keeps_the_origin(make_observation, shape, size):
    observation = make_observation(shape=shape)
    observation.data[:] = np.arange(observation.data.size).reshape(shape)
    image = batch_observations([observation], size=size, dtype=torch.float64).data.image[0]
    for n, whole in zip(image.shape, shape, strict=True):
        assert n <= max(size, min(size, whole))
        assert (whole - n) % 2 == 0
    low = [(whole - n) // 2 for n, whole in zip(image.shape, shape, strict=True)]
    part = observation.data[low[0] : low[0] + image.shape[0], low[1] : low[1] + image.shape[1]]
    np.testing.assert_allclose(image.numpy() * 0.03, part, rtol=1e-6)


def test_smaller_psfs_are_padded_about_their_centre(make_observation):
    small = make_observation(psf=np.eye(3)[1][:, None] * np.eye(3)[1])
    psf = batch_observations([make_observation(), small]).data.psf
    assert psf.shape == (2, 7, 7)
    assert psf[1, 3, 3] == 1
    torch.testing.assert_close(psf.sum(dim=(-2, -1)), torch.ones(2), rtol=1e-6, atol=0)


def test_missing_psf_is_named(make_observation):
    with pytest.raises(ObservationError, match="J0959 has no PSF; pass psf="):
        batch_observations([make_observation(name="J0959", psf=None)])


def test_missing_noise_is_refused(make_observation):
    with pytest.raises(ObservationError, match="pass uncertainty="):
        batch_observations([make_observation(uncertainty=None)])


def test_wholly_masked_observation_is_refused(make_observation):
    observation = make_observation(name="J0959", mask=np.ones((32, 32), bool))
    with pytest.raises(ObservationError, match="J0959 has no unmasked pixel near its centre"):
        batch_observations([observation])

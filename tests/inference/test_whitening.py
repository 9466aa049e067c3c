"""The removal of correlation against dense covariance matrices and simulated noise."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from scipy.ndimage import correlate

from astrorim.inference.whitening import Whitening, proper_correlation
from astrorim.observation.sky_noise import autocovariance

KERNEL = np.array([[0.0, 0.2, 0.0], [0.15, 1.0, 0.15], [0.0, 0.2, 0.1]])


def _correlation(kernel):
    """Of white noise filtered by a kernel."""
    lag = kernel.shape[0] - 1
    wide = np.pad(kernel, lag)
    result = correlate(wide, kernel, mode="constant")
    middle = wide.shape[0] // 2
    result = result[middle - lag : middle + lag + 1, middle - lag : middle + lag + 1]
    return result / result[lag, lag]


@pytest.fixture
def used():
    return torch.rand(7, 6, generator=torch.Generator().manual_seed(2)) > 0.2


def _covariance(used):
    """From the proper correlation, element by element."""
    proper = proper_correlation(_correlation(KERNEL))
    row, column = np.nonzero(used.numpy())
    return proper[row[:, None] - row, column[:, None] - column]


def test_correlation_of_a_filter_is_proper_as_it_is():
    correlation = _correlation(KERNEL)
    proper = proper_correlation(correlation)
    lag = correlation.shape[0] // 2
    found = np.roll(proper, (lag, lag), (0, 1))[: 2 * lag + 1, : 2 * lag + 1]
    np.testing.assert_allclose(found, correlation, atol=1e-12)


def test_correlation_that_no_noise_has_is_made_proper():
    impossible = np.zeros((3, 3))
    impossible[1] = 0.9, 1.0, 0.9
    proper = proper_correlation(impossible)
    assert proper[0, 0] == 1
    assert np.fft.rfft2(proper).real.min() > 0
    assert 0.4 < proper[0, 1] < 0.9


def test_with_all_pixels_in_reach_it_is_the_inverse_covariance(used):
    whitening = Whitening(_correlation(KERNEL), used, reach=7)
    matrix, covariance = whitening.matrix.toarray(), _covariance(used)
    np.testing.assert_allclose(matrix.T @ matrix, np.linalg.inv(covariance), atol=1e-9)
    expected = -0.5 * np.linalg.slogdet(covariance)[1]
    assert whitening.log_determinant == pytest.approx(expected, rel=1e-9)


def test_a_reach_of_few_pixels_is_nearly_that(used):
    whitening = Whitening(_correlation(KERNEL), used)
    matrix = whitening.matrix.toarray()
    white = matrix @ _covariance(used) @ matrix.T
    np.testing.assert_allclose(white.diagonal(), 1, atol=1e-9)
    assert np.abs(white - np.eye(len(white))).max() < 0.05


def test_applied_it_is_its_matrix_and_can_be_differentiated(used):
    whitening = Whitening(_correlation(KERNEL), used)
    number = int(used.sum())
    values = torch.rand(3, number).double().requires_grad_()
    matrix = torch.from_numpy(whitening.matrix.toarray())
    torch.testing.assert_close(whitening.apply(values), values @ matrix.mT)
    whitening.apply(values).square().sum().backward()
    torch.testing.assert_close(values.grad, 2 * values.detach() @ matrix.mT @ matrix)


def test_noise_without_correlation_stays(used):
    correlation = np.zeros((5, 5))
    correlation[2, 2] = 1
    values = torch.rand(int(used.sum()))
    torch.testing.assert_close(Whitening(correlation, used).apply(values), values)


def test_simulated_noise_becomes_white():
    rng = np.random.default_rng(4)
    noise = correlate(rng.normal(size=(200, 200)), KERNEL, mode="wrap")
    noise /= np.sqrt((KERNEL**2).sum())
    used = torch.rand(200, 200, generator=torch.Generator().manual_seed(5)) > 0.1
    whitening = Whitening(_correlation(KERNEL), used)
    white = np.zeros(used.shape)
    white[used.numpy()] = whitening.apply(torch.from_numpy(noise[used.numpy()]))
    before = autocovariance(noise, used.numpy(), 2)
    after = autocovariance(white, used.numpy(), 2)
    assert before[2, 3] > 0.2
    assert after[2, 2] == pytest.approx(1, abs=0.03)
    after[2, 2] = 0
    assert np.abs(after).max() < 0.03


@pytest.mark.parametrize(
    ("correlation", "message"),
    [
        (np.ones((4, 4)), r"odd side below 64, got \(4, 4\)"),
        (np.ones((3, 5)), r"odd side below 64, got \(3, 5\)"),
        (np.zeros((3, 3)), r"must be 1 at lag \(0, 0\), got 0"),
    ],
)
def test_what_is_no_correlation_is_refused(correlation, message):
    with pytest.raises(ValueError, match=message):
        proper_correlation(correlation)

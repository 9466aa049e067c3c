"""Measures of residuals against noise whose properties are known."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.signal import convolve2d

from astrorim.results.fit_quality import (
    arc_region,
    reduced_chi2,
    residual_autocorrelation,
    residual_structure,
    unmodelled_objects,
)

SHAPE = (90, 100)
KERNEL = np.array([[0.1, 0.3, 0.1], [0.3, 1.0, 0.3], [0.1, 0.3, 0.1]])


def correlation(kernel=KERNEL):
    full = convolve2d(kernel, kernel)
    return full / full.max()


def noise(rng, kernel=None):
    white = rng.normal(size=(SHAPE[0] + 2, SHAPE[1] + 2))
    kernel = np.pad([[1.0]], 1) if kernel is None else kernel
    return convolve2d(white, kernel / np.sqrt((kernel**2).sum()), mode="valid")


def ring(radius=30.0, width=3.0):
    y, x = np.indices(SHAPE) - np.array([[[SHAPE[0] / 2]], [[SHAPE[1] / 2]]])
    return np.exp(-0.5 * ((np.hypot(x, y) - radius) / width) ** 2)


@pytest.fixture
def mask():
    masked = np.zeros(SHAPE, dtype=bool)
    masked[:20, 30:50] = True
    return masked


def test_arcs_are_where_the_model_exceeds_the_noise():
    model = np.array([[0.5, 1.5, 3.0, 3.0, 3.0, np.nan]])
    map_ = np.array([[1.0, 1.0, 2.0, np.inf, 0.0, 1.0]])
    assert arc_region(model, map_).tolist() == [[False, True, True, False, False, False]]
    assert arc_region(model, map_, 2).sum() == 0
    with pytest.raises(ValueError, match="threshold must be positive, got 0"):
        arc_region(model, map_, 0)


def test_reduced_chi2_by_hand():
    residual = np.array([[1.0, 2.0, np.nan], [3.0, 100.0, 1.0]])
    mask = residual == 100
    np.testing.assert_allclose(reduced_chi2(residual, mask), 15 / 4)
    np.testing.assert_allclose(reduced_chi2(residual, mask, num_parameters=1.5), 15 / 2.5)
    np.testing.assert_allclose(reduced_chi2(residual, mask, residual > 1), 13 / 2)
    assert np.isnan(reduced_chi2(residual, mask, num_parameters=4))
    with pytest.raises(ValueError, match="num_parameters must not be negative, got -1"):
        reduced_chi2(residual, mask, num_parameters=-1)


def test_autocorrelation_of_correlated_noise(rng, mask):
    measured = residual_autocorrelation(noise(rng, KERNEL), mask, 3)
    np.testing.assert_allclose(measured[1:6, 1:6], correlation(), atol=0.06)
    assert measured[3, 3] == 1
    with pytest.raises(ValueError, match="residual must scatter"):
        residual_autocorrelation(np.ones(SHAPE), mask)


@pytest.mark.parametrize("kernel", [None, KERNEL])
@pytest.mark.parametrize("thin", [False, True])
def test_significance_of_pure_noise_is_standard_normal(kernel, thin, rng, mask):
    """Mean and scatter over 150 fields have standard errors of 0.08 and 0.06.

    The mean's own subtraction biases by -0.1, edges of a thin region are approximate.
    """
    if thin:
        mask = ring() < 0.5
    own = None if kernel is None else correlation()
    values = [
        residual_structure(noise(rng, kernel), mask, noise_correlation=own)[1]
        for _ in range(150)
    ]
    np.testing.assert_allclose(np.mean(values), 0, atol=0.5)
    np.testing.assert_allclose(np.std(values), 1, atol=0.3)


def test_structure_below_the_noise_is_significant(rng, mask):
    residual = noise(rng) + 0.9 * ring() - 0.9 * ring(24)
    assert reduced_chi2(residual, mask) < 1.3
    excess, significance = residual_structure(residual, mask)
    assert excess > 0.08
    assert significance > 8


def test_correlated_noise_is_no_structure_only_where_it_is_expected(rng, mask):
    residual = noise(rng, KERNEL)
    assert residual_structure(residual, mask)[1] > 10
    assert abs(residual_structure(residual, mask, noise_correlation=correlation())[1]) < 4


def test_objects_outside_the_arcs_are_counted(rng, mask):
    y, x = np.indices(SHAPE)
    residual = noise(rng)
    assert unmodelled_objects(residual, mask) == 0
    for row, column in ((10, 10), (80, 90), (45, 50), (10, 40)):  # third inside, fourth masked
        residual += 8 * np.exp(-((y - row) ** 2 + (x - column) ** 2) / 8)
    assert unmodelled_objects(residual, mask, ring() > 0.5) == 2
    assert unmodelled_objects(residual, mask) == 3
    assert unmodelled_objects(np.zeros(SHAPE), mask) == 0
    assert unmodelled_objects(residual, np.ones(SHAPE, dtype=bool)) == 0

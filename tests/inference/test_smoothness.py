"""Smoothness priors and their determinants."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from astrorim.inference.smoothness import smoothness_log_determinant, smoothness_matrix


@pytest.mark.parametrize(("kind", "order"), [("gradient", 1), ("curvature", 2)])
def test_penalty_is_the_sum_of_squared_differences(kind, order):
    source = np.random.default_rng(1).normal(size=(7, 7))
    # zero beyond the edges: one row and column of zeros enters differences of any order
    penalty = 0.0
    for axis in (0, 1):
        padding = [(1, 1) if a == axis else (0, 0) for a in (0, 1)]
        if order == 1:
            penalty += (np.diff(np.pad(source, padding), axis=axis) ** 2).sum()
        else:
            penalty += (np.diff(np.pad(source, padding), 2, axis=axis) ** 2).sum()
    flat = torch.as_tensor(source).flatten()
    assert float(flat @ smoothness_matrix(7, kind) @ flat) == pytest.approx(penalty, rel=1e-12)


@pytest.mark.parametrize("kind", ["gradient", "curvature"])
@pytest.mark.parametrize("size", [1, 2, 9])
def test_log_determinant(kind, size):
    expected = torch.linalg.slogdet(smoothness_matrix(size, kind)).logabsdet
    assert smoothness_log_determinant(size, kind) == pytest.approx(float(expected), rel=1e-10)


def test_unknown_kind_is_refused():
    with pytest.raises(ValueError, match="one of gradient, curvature, got 'entropy'"):
        smoothness_matrix(4, "entropy")

"""Bounds on parameters against brute force."""

from __future__ import annotations

import pytest
import torch

from astrorim.inference.cramer_rao import fisher_matrix, parameter_bounds
from astrorim.inference.lens_fit import LensFit
from astrorim.inference.oracle import OracleOptions, oracle_inversion
from astrorim.lensing.forward import ForwardModel, ImageData
from astrorim.lensing.interpolation import SourceFrames
from astrorim.lensing.system import LensSystem
from astrorim.plugins import load_plugins

SIZE = 6


@pytest.fixture
def problem():
    """A fit of 19 x 20 pixels in double precision, with its true parameters and source."""
    plugins = load_plugins()
    system = LensSystem(
        plugins.lens_models.resolve("sie+shear"), plugins.light_models.create("sersic")
    )
    noise = torch.full((1, 19, 20), 0.02).double()
    axis = torch.arange(-3, 4).double()
    psf = torch.exp(-(axis[:, None] ** 2 + axis**2) / 3)
    data = ImageData(
        torch.zeros_like(noise), noise, torch.ones_like(noise), (psf / psf.sum())[None], 1,
        torch.tensor([0.08]).double(),
    )  # fmt: skip
    model = ForwardModel(system, data, light_supersampling=2)
    values = torch.tensor(
        [[0.4, 0.1, 0.05, 0.01, -0.02, 0.03, -0.04, 7.0, 0.3, 2.0, 0.1, 0.0, 0.01, 0.0]]
    ).double()
    fit = LensFit(model, torch.ones(19, 20, dtype=torch.bool), SIZE, "gradient")
    frames = SourceFrames(
        torch.tensor([[0.02, -0.03]]).double(), torch.tensor([0.06]).double(), SIZE
    )
    source = torch.rand(SIZE, SIZE, generator=torch.Generator().manual_seed(3)).double()
    return fit, values, frames, source


def test_fisher_matrix_is_that_of_the_marginal_data(problem):
    """With the covariance of the data written out and derivatives by differences."""
    fit, values, frames, source = problem
    strength, step = 0.7, 1e-6
    x = torch.cat([source.flatten(), values[0, fit.linear]])
    columns = []
    for parameter in fit.nonlinear:
        ends = []
        for sign in (-1, 1):
            moved = values.clone()
            moved[0, parameter] += sign * step
            ends.append(fit.problem(moved, frames).design @ x)
        columns.append((ends[1] - ends[0]) / (2 * step))
    jacobian = torch.stack(columns, dim=1)
    linear = fit.problem(values, frames)
    design = linear.design @ torch.eye(linear.design.shape[1]).double()
    covariance = torch.eye(len(design)).double() + design @ torch.linalg.solve(
        linear.prior_precision(strength), design.mT
    )
    expected = jacobian.mT @ torch.linalg.solve(covariance, jacobian)
    found = fisher_matrix(fit, values, frames, source, strength)
    scale = expected.diagonal().sqrt()
    # interpolation is piecewise linear: differences straddle a few of its kinks
    torch.testing.assert_close(
        found / scale[:, None] / scale, expected / scale[:, None] / scale, rtol=0, atol=2e-4
    )


def test_an_unknown_source_costs_information(problem):
    fit, values, frames, source = problem
    weak = fisher_matrix(fit, values, frames, source, 1e-3)
    strong = fisher_matrix(fit, values, frames, source, 1e6)
    assert bool((weak.diagonal() < strong.diagonal()).all())


def test_bounds_of_a_simulated_lens(small_truth):
    options = OracleOptions(size=24, search_size=16, stretches=(0.0, 6.0), widths=(1.0,))
    oracle = oracle_inversion(small_truth, options)
    bounds = parameter_bounds(small_truth, oracle)
    assert set(bounds) == set(small_truth.lens)
    assert all(0 < sigma < 0.05 for sigma in bounds.values())

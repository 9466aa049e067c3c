"""Linear inversion against closed forms and an independent solver."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch
from scipy.optimize import lsq_linear, nnls
from scipy.stats import multivariate_normal

from astrorim.exceptions import AstroRIMError
from astrorim.inference import inversion
from astrorim.inference.design_matrix import DesignMatrix
from astrorim.inference.inversion import LinearProblem, nonnegative_solution
from astrorim.inference.smoothness import smoothness_log_determinant, smoothness_matrix

SIZE, AMPLITUDES, PIXELS = 5, 3, 60


@pytest.fixture
def problem():
    rng = np.random.default_rng(5)
    design = rng.normal(size=(PIXELS, SIZE**2 + AMPLITUDES))
    return LinearProblem(
        design=DesignMatrix(None, torch.as_tensor(design)),
        data=torch.as_tensor(rng.normal(size=PIXELS) * 3),
        smoothness=smoothness_matrix(SIZE),
        log_determinant=smoothness_log_determinant(SIZE),
        amplitude_precision=torch.tensor([0.1, 0.5, 2.0]).double(),
    )


def _prior_covariance(problem, strength):
    precision = np.zeros((problem.design.shape[1],) * 2)
    n = problem.num_source
    precision[:n, :n] = strength * problem.smoothness.numpy()
    precision[range(n, len(precision)), range(n, len(precision))] = problem.amplitude_precision
    return np.linalg.inv(precision)


@pytest.mark.parametrize("strength", [0.01, 1.0, 300.0])
def test_agrees_with_the_closed_form(problem, strength):
    """Mean, covariance and evidence of the Gaussian in its data-space form."""
    prior, a = _prior_covariance(problem, strength), problem.design.dense.numpy()
    d = problem.data
    marginal = np.eye(PIXELS) + a @ prior @ a.T
    gain = prior @ a.T @ np.linalg.inv(marginal)
    inversion = problem.invert(strength)
    np.testing.assert_allclose(inversion.mean, gain @ d.numpy(), rtol=1e-8, atol=1e-10)
    np.testing.assert_allclose(
        inversion.covariance(), prior - gain @ a @ prior, rtol=1e-8, atol=1e-10
    )
    evidence = multivariate_normal(np.zeros(PIXELS), marginal).logpdf(d.numpy())
    assert inversion.log_evidence == pytest.approx(evidence, rel=1e-8)
    gain_d = float(np.trace(gain @ a))
    assert inversion.effective_parameters == pytest.approx(gain_d, rel=1e-8)


def test_single_precision_agrees_to_a_fraction_of_the_error(problem):
    single = LinearProblem(
        DesignMatrix(None, problem.design.dense.float()),
        problem.data.float(),
        problem.smoothness,
        problem.log_determinant,
        problem.amplitude_precision.float(),
    )
    exact = problem.invert(1.0)
    error = exact.covariance().diagonal().sqrt()
    assert float(((single.invert(1.0).mean - exact.mean) / error).abs().max()) < 1e-4


def test_strength_is_where_the_evidence_is_largest(problem):
    best = problem.best_strength(tolerance=1e-4)
    evidence = [
        problem.invert(best * math.exp(offset)).log_evidence for offset in (-0.1, 0.0, 0.1)
    ]
    assert evidence[1] == max(evidence)
    grid = np.exp(np.linspace(-14, 14, 57))
    assert evidence[1] >= max(problem.invert(s).log_evidence for s in grid)


@pytest.mark.parametrize("guess", [None, "half"])
def test_nonnegative_solution_is_that_of_an_independent_solver(problem, guess):
    strength = 0.3
    precision = np.linalg.inv(_prior_covariance(problem, strength))
    root = np.linalg.cholesky(precision).T
    stacked = np.vstack([problem.design.dense.numpy(), root])
    data = np.concatenate([problem.data.numpy(), np.zeros(len(root))])
    expected = lsq_linear(stacked, data, bounds=(0, np.inf), method="bvls", tol=1e-14).x
    passive = None if guess is None else torch.arange(len(root)) % 2 == 0
    inversion = problem.invert(strength, nonnegative=True, passive=passive)
    assert (expected < 1e-12).any()
    np.testing.assert_allclose(inversion.mean, expected, atol=1e-9)
    assert float(inversion.covariance()[~inversion.free].abs().max()) == 0.0


@pytest.mark.parametrize("seed", [0, 1])
@pytest.mark.parametrize("strength", [1e-5, 1e-3])
def test_nonnegative_solution_ends_at_the_minimum_beside_overlapping_gaussians(seed, strength):
    """A lensed source beside 18 Gaussians that are nearly dependent.

    Against scipy's Lawson-Hanson by the quadratic: the unknowns themselves are not fixed by
    such data. Exchanges of many unknowns alone do not end for one of these, and projected
    Newton steps stop short of the minimum of another.
    """
    system, projected = _overlapping(seed, strength)
    root = torch.linalg.cholesky(system).mT
    right = torch.linalg.solve_triangular(root.mT, projected[:, None], upper=False)[:, 0]
    expected = torch.from_numpy(nnls(root.numpy(), right.numpy())[0])
    every = torch.ones(len(projected), dtype=torch.bool)
    mean, factor, free = nonnegative_solution(system, projected, every)

    def quadratic(x):
        return float(x @ (system @ x) / 2 - x @ projected)

    assert bool((mean >= 0).all())
    assert quadratic(mean) == pytest.approx(quadratic(expected), abs=0.01)
    outward = (system @ mean - projected) / system.diagonal().sqrt()
    assert float(outward.min()) > -1e-8 * float(right.abs().max())
    assert 0 < int((~free).sum()) < len(free) / 2
    held = system[free][:, free]
    torch.testing.assert_close(factor @ factor.mT, held, rtol=1e-9, atol=1e-9)


def _overlapping(seed, strength, size=12, side=40):
    generator = torch.Generator().manual_seed(seed)
    axis = torch.linspace(-1, 1, side).double()
    x, y = axis.expand(side, side).flatten(), axis[:, None].expand(side, side).flatten()
    r = torch.hypot(x, y)
    beta_x, beta_y = x - 0.5 * x / r, y - 0.5 * y / r
    node = torch.linspace(-0.6, 0.6, size).double()
    away = (beta_x[:, None] - node.repeat(size)) ** 2
    away = away + (beta_y[:, None] - node.repeat_interleave(size)) ** 2
    arcs = torch.exp(-away / (2 * (0.8 / size) ** 2))
    galaxy = torch.exp(-0.5 * (r[:, None] / torch.logspace(-1.5, 0.5, 18).double()) ** 2)
    bright = torch.exp(-20 * ((node - 0.1) ** 2 + node[:, None] ** 2)).flatten()
    light = torch.zeros(18).double()
    light[6::3] = 3
    noise = torch.randn(side**2, generator=generator).double()
    data = 3 * (arcs @ bright + galaxy @ light) + noise
    design = torch.cat([arcs, galaxy], dim=1)
    system = design.mT @ design
    inverse = 1 / bright.clamp_min(0.03)
    prior = smoothness_matrix(size, "curvature") * inverse * inverse[:, None]
    system[: size**2, : size**2] += strength * prior
    system.diagonal()[size**2 :] += 1e-9
    return system, design.mT @ data


def test_strength_out_of_range_is_refused(problem):
    with pytest.raises(ValueError, match="strength must be positive and finite, got 0"):
        problem.invert(0.0)


def test_gaussians_of_a_common_centre_are_told_apart():
    radius = torch.linspace(0, 40, 4000)
    widths = torch.logspace(-1, 1.3, 18)
    design = torch.exp(-0.5 * (radius[:, None] / widths) ** 2)
    truth = torch.linspace(1, 2, 18)
    problem = LinearProblem(
        design=DesignMatrix(None, design),
        data=1000 * design @ truth,
        smoothness=torch.zeros(0, 0).double(),
        log_determinant=0.0,
        amplitude_precision=torch.full((18,), 1e-12),
    )
    inversion = problem.invert(1.0, nonnegative=True)
    assert torch.linalg.eigvalsh(problem.gram).min() > 0
    assert inversion.chi2 < 0.1


def test_another_prior_on_shared_products_is_that_problem(problem):
    curvature = (
        smoothness_matrix(SIZE, "curvature"),
        smoothness_log_determinant(SIZE, "curvature"),
    )
    problem.invert(1.0)
    other = problem.with_smoothness(*curvature)
    fresh = LinearProblem(problem.design, problem.data, *curvature, problem.amplitude_precision)
    assert other.gram is problem.gram
    torch.testing.assert_close(other.invert(0.3).mean, fresh.invert(0.3).mean)
    assert other.invert(0.3).log_evidence == pytest.approx(fresh.invert(0.3).log_evidence)
    assert other.invert(0.3).log_evidence != pytest.approx(problem.invert(0.3).log_evidence)


def _blurred(number=120, width=6.0):
    """A sparse signal seen through a broad blur, next to singular."""
    index = torch.arange(number).double()
    blur = torch.exp(-0.5 * ((index[:, None] - index) / width) ** 2)
    truth = torch.zeros(number).double()
    truth[::17] = 100.0
    noise = torch.randn(number, generator=torch.Generator().manual_seed(2)).double()
    return blur.mT @ blur + 1e-7 * torch.eye(number), blur.mT @ (blur @ truth + noise)


def test_exchanges_end_where_little_is_left_to_gain(monkeypatch):
    """Near a singular system the exact set of zeros takes many exchanges, its value few."""
    system, right = _blurred()
    factor = torch.linalg.cholesky(system)
    target = torch.linalg.solve_triangular(factor, right[:, None], upper=False)[:, 0]
    expected = torch.as_tensor(nnls(factor.mT.numpy(), target.numpy(), maxiter=10**5)[0])
    monkeypatch.setattr(inversion, "_PATIENCE", 0)
    monkeypatch.setattr(inversion, "_NEGLIGIBLE", 0.0)
    free = torch.ones(len(right), dtype=torch.bool)
    mean, _, free = nonnegative_solution(system, right, free)
    assert bool((mean >= 0).all())
    assert bool((mean[~free] == 0).all())

    def value(x):
        return float(x @ (system @ x) / 2 - right @ x)

    assert value(mean) == pytest.approx(value(expected), rel=1e-6)


def test_exchanges_that_do_not_end_are_refused(monkeypatch):
    monkeypatch.setattr(inversion, "_PATIENCE", 0)
    monkeypatch.setattr(inversion, "_MAX_EXCHANGES", 1)
    monkeypatch.setattr(inversion, "_SETTLED", 0.0)
    system, right = _blurred()
    with pytest.raises(AstroRIMError, match="120 unknowns in 1 exchanges"):
        nonnegative_solution(system, right, torch.ones(len(right), dtype=torch.bool))


def test_strengths_that_leave_the_system_singular_have_no_evidence():
    """Pixels that the data do not see: weak priors are singular to rounding."""
    rng = np.random.default_rng(7)
    design = np.zeros((PIXELS, SIZE**2))
    design[:, :12] = rng.normal(size=(PIXELS, 1)) * rng.normal(size=12) * 1e8
    problem = LinearProblem(
        design=DesignMatrix(None, torch.as_tensor(design)),
        data=torch.as_tensor(rng.normal(size=PIXELS)),
        smoothness=smoothness_matrix(SIZE),
        log_determinant=smoothness_log_determinant(SIZE),
        amplitude_precision=torch.zeros(0).double(),
    )
    with pytest.raises(RuntimeError, match="positive-definite"):
        problem.invert(1e-3)
    found = problem.best_strength(1.0)
    assert 0.01 <= found <= 100

"""Draws have the target's distribution, at the price promised."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch
from scipy import stats

from astrorim.inference import sampling
from astrorim.inference.sampling import sample_hmc

MEAN = torch.tensor([1.0, -2.0, 0.5], dtype=torch.float64)
COVARIANCE = torch.tensor(
    [[4.0, 1.0, 0.3], [1.0, 1.0, -0.2], [0.3, -0.2, 0.5]], dtype=torch.float64
)
EYE = torch.eye(2, dtype=torch.float64)
FALSE_ALARM = 4.5
"""Allowed deviation in standard errors: one failure in 10^5 for a right sampler."""


def gaussian(x):
    gradient = -torch.linalg.solve(COVARIANCE, (x - MEAN).mT).mT
    return 0.5 * ((x - MEAN) * gradient).sum(dim=1), gradient


def log_gamma(x):
    """Logarithms of Gamma(3) variables, skewed, beside a bent Gaussian coordinate."""
    bent = x[:, 1] - 0.3 * x[:, 0].square()
    value = 3 * x[:, 0] - x[:, 0].exp() - 0.5 * bent.square()
    first = 3 - x[:, 0].exp() + 0.6 * bent * x[:, 0]
    return value, torch.stack([first, -bent], dim=1)


def half_normal(x):
    """A Gaussian whose first coordinate must not be below 0.5."""
    value = torch.where(x[:, 0] >= 0.5, -0.5 * x.square().sum(dim=1), -math.inf)
    return value, torch.where(x[:, :1] >= 0.5, -x, math.nan)


def draw(function, covariance, start, num_samples=1500, num_warmup=60, seed=7, **options):
    return sample_hmc(
        function,
        start.expand(8, -1).clone(),
        covariance,
        num_warmup=num_warmup,
        num_samples=num_samples,
        generator=torch.Generator().manual_seed(seed),
        **options,
    )


def assert_quantiles(chains, index, distribution):
    """Fractions below known quantiles, against the binomial error of as many draws."""
    below = np.array([0.05, 0.16, 0.5, 0.84, 0.95])
    drawn = chains.samples[..., index].numpy().ravel()
    fraction = (drawn[:, None] <= distribution.ppf(below)).mean(axis=0)
    error = np.sqrt(below * (1 - below) / chains.ess[index])
    np.testing.assert_array_less(np.abs(fraction - below), FALSE_ALARM * error)


@pytest.mark.parametrize("factor", [1.0, 0.6, 1.5], ids=["right", "small", "large"])
def test_gaussian_has_its_moments_and_quantiles(factor):
    chains = draw(gaussian, factor * COVARIANCE, torch.zeros(1, 3, dtype=torch.float64))
    assert chains.r_hat.max() < 1.02
    assert chains.ess.min() > 1000
    for index in range(3):
        width = float(COVARIANCE[index, index].sqrt())
        assert_quantiles(chains, index, stats.norm(float(MEAN[index]), width))
    drawn = chains.samples.reshape(-1, 3)
    scale = COVARIANCE.diagonal().sqrt()
    deviation = (torch.cov(drawn.T) - COVARIANCE) / (scale[:, None] * scale)
    # the covariance of n independent draws has a relative error of at most sqrt(2 / n)
    assert float(deviation.abs().max()) < FALSE_ALARM * math.sqrt(2 / chains.ess.min())


def test_skewed_and_bent_target_has_its_quantiles():
    start = torch.tensor([[1.1, 0.4]], dtype=torch.float64)
    chains = draw(log_gamma, EYE * torch.tensor([0.35, 1.0]), start)
    assert chains.r_hat.max() < 1.02
    assert chains.ess.min() > 600
    assert_quantiles(chains, 0, stats.loggamma(3))


def test_hard_limit_is_kept_and_the_rest_is_right():
    chains = draw(
        half_normal, EYE, torch.full((1, 2), 1.0, dtype=torch.float64), centre=0 * MEAN[:2]
    )
    assert float(chains.samples[..., 0].min()) >= 0.5
    assert bool(torch.isfinite(chains.log_density).all())
    assert chains.ess.min() > 600
    assert_quantiles(chains, 0, stats.truncnorm(0.5, math.inf))
    assert_quantiles(chains, 1, stats.norm())


def test_chains_of_their_own_density_are_drawn_from_their_mixture():
    """Each stays with its own mean, and is not told to agree with the others."""
    means = torch.linspace(-40, 40, 8, dtype=torch.float64)[:, None] + MEAN

    def function(x):
        value, gradient = gaussian(x - means + MEAN)
        return value, gradient

    start = torch.zeros(1, 3, dtype=torch.float64)
    chains = draw(function, COVARIANCE, start, num_samples=400, num_warmup=20, alike=False)
    deviation = COVARIANCE.diagonal().sqrt()
    size = torch.from_numpy(chains.ess) / 8
    assert float(size.min()) > 200
    assert chains.r_hat.max() < 1.1
    pull = (chains.samples.mean(dim=1) - means) / deviation * size.sqrt()
    assert float(pull.abs().max()) < FALSE_ALARM
    ratio = chains.samples.std(dim=1) / deviation - 1
    assert float((ratio.abs() * (2 * size).sqrt()).max()) < FALSE_ALARM


def test_the_warm_up_begins_with_as_many_steps_as_told():
    start = MEAN[None]
    chains = draw(gaussian, COVARIANCE, start, num_samples=10, num_warmup=0, first_num_steps=3)
    assert chains.step_size == pytest.approx(math.pi / 6)
    assert chains.num_evaluations == 1 + 3 * 10


@pytest.mark.parametrize("broken", ["always accepted", "momentum not counted"])
def test_a_broken_metropolis_test_would_be_seen(monkeypatch, broken):
    right = sampling._trajectory

    def wrong(target, state, momentum, angle, num_steps):
        new, last, inside = right(target, state, momentum, angle, num_steps)
        if broken == "momentum not counted":
            return new, momentum, inside
        gain = new.log_density - state.log_density
        kinetic = momentum.square().sum(dim=1) + 2 * gain
        return new, last * (kinetic.clamp(min=0).sqrt() / last.norm(dim=1))[:, None], inside

    monkeypatch.setattr(sampling, "_trajectory", wrong)
    chains = draw(log_gamma, EYE, torch.tensor([[1.1, 0.4]], dtype=torch.float64), num_warmup=0)
    with pytest.raises(AssertionError, match="not strictly ordered|not less-ordered"):
        assert_quantiles(chains, 0, stats.loggamma(3))


@pytest.mark.parametrize("num_steps", [1, 2, 5])
def test_trajectory_reversed_comes_back(num_steps):
    generator = torch.Generator().manual_seed(3)
    x, momentum = torch.randn(2, 4, 2, generator=generator, dtype=torch.float64)
    target = sampling._Whitened(log_gamma, EYE, torch.zeros_like(x))
    angle = torch.full((4, 1), 0.25, dtype=torch.float64)
    state = sampling._State(x, *target.evaluate(x))
    there, last, inside = sampling._trajectory(target, state, momentum, angle, num_steps)
    back, first, _ = sampling._trajectory(target, there, -last, angle, num_steps)
    assert bool(inside.all())
    assert float((there.z - x).abs().min()) > 1e-3
    torch.testing.assert_close(back.z, x, rtol=0, atol=1e-10)
    torch.testing.assert_close(-first, momentum, rtol=0, atol=1e-10)


def test_draws_of_a_gaussian_are_independent_and_cost_one_gradient():
    chains = draw(gaussian, COVARIANCE, MEAN[None], num_samples=500, num_warmup=20, jitter=0.0)
    assert chains.acceptance == pytest.approx(1, abs=1e-9)
    assert chains.step_size == pytest.approx(math.pi / 2)
    assert chains.num_evaluations == 1 + 20 + 500
    # the estimate scatters by some per cent around the number of draws
    assert chains.ess.min() > 0.85 * 8 * 500


def test_chains_stop_at_the_size_asked_for_and_report_progress():
    seen = []
    chains = draw(
        gaussian, COVARIANCE, MEAN[None], num_warmup=10, target_ess=200, progress=seen.append
    )
    assert chains.ess.min() >= 200
    assert chains.samples.shape[1] < 100
    assert seen == list(range(1, 11 + chains.samples.shape[1]))


def test_each_chain_may_have_its_covariance_and_seeds_repeat():
    start, every = MEAN[None], COVARIANCE.expand(8, 3, 3)
    one, two = (draw(gaussian, c, start, num_samples=20) for c in (COVARIANCE, every))
    torch.testing.assert_close(one.samples, two.samples)
    other = draw(gaussian, COVARIANCE, start, num_samples=20, seed=8)
    assert not torch.allclose(one.samples, other.samples)


def test_bad_input_is_refused():
    start = torch.zeros(1, 2, dtype=torch.float64)
    with pytest.raises(ValueError, match=r"covariance must have shape .* got \(3, 3\)"):
        draw(half_normal, COVARIANCE, start)
    with pytest.raises(ValueError, match="covariance must be positive definite, got .* -1"):
        draw(half_normal, -EYE, start)
    with pytest.raises(ValueError, match=r"start must have a finite .* chains \[0, 1, 2"):
        draw(half_normal, EYE, start)
    with pytest.raises(ValueError, match="num_samples must be at least 10 .* got 3"):
        draw(half_normal, EYE, start, num_samples=3)
    with pytest.raises(ValueError, match="trajectory must be in .* got 4.0"):
        draw(half_normal, EYE, start, trajectory=4.0)
    with pytest.raises(ValueError, match=r"must return shapes \(8,\) and \(8, 2\), got \(\)"):
        draw(lambda x: (x.sum(), x), EYE, start)

r"""Hamiltonian Monte Carlo of many chains at once, exact where the posterior is Gaussian.

A gradient of the exact likelihood costs a rendering and a source inversion, so draws per
gradient decide everything. In whitened coordinates :math:`x = c + L z`, where
:math:`L L^T` is the inverse curvature and :math:`c` the centre, the posterior is close to
:math:`N(0, 1)`, and the Hamiltonian splits as in Shahbaba et al. (2014, Stat. Comput. 24,
339, their equations 8 and 9),

.. math::

    H = \tfrac12 (z^2 + p^2) + V(z),  \qquad  -\nabla V = r(z) = \nabla_z \log p + z .

The first term rotates :math:`(z, p)` exactly, the second kicks :math:`p`. A step of angle
:math:`h` is a kick :math:`w\,r`, a rotation by :math:`h` and a kick :math:`w\,r`. It
conserves volume and is reversible for any :math:`w`, so that the Metropolis test makes
every choice exact; :math:`w = \tfrac12 \tan h` in place of :math:`h/2` also cancels the
energy error that a wrong covariance causes, to first order. For a Gaussian :math:`r = 0`:
a quarter turn is accepted always, and is an independent draw for one gradient.

The samplers of torch libraries (pyro, hamiltorch, posteriors) run one chain per model call,
or have no Metropolis test, and none splits off the Gaussian; this one is for that case.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from torch import Tensor

from astrorim.inference.chain_diagnostics import size_and_agreement
from astrorim.inference.step_number import StepNumber

__all__ = ["Chains", "LogDensityAndGradient", "sample_hmc"]

LogDensityAndGradient = Callable[[Tensor], tuple[Tensor, Tensor]]
"""Takes ``(C, P)`` parameters, gives the ``(C,)`` log density and its ``(C, P)`` gradient."""

_CHECK_EVERY = 10
_LEAST_DRAWS = 10


@dataclass(frozen=True)
class Chains:
    """Draws of all chains after the warm-up, and what they are worth.

    Parameters
    ----------
    samples : Tensor, (C, S, P), units of the parameters
        S draws of each of the C chains.
    log_density : Tensor, (C, S)
        At each draw, natural logarithm.
    acceptance : float
        Mean acceptance probability after the warm-up.
    step_size : float, rad
        Mean angle of rotation per gradient evaluation.
    ess : ndarray, (P,)
        Effective sample size of all chains together, the smaller one of bulk and tail; of
        the parameters that were monitored.
    r_hat : ndarray, (P,)
        Rank-normalised split R-hat of the same.
    num_evaluations : int
        Calls of the log density, the warm-up's included.
    """

    samples: Tensor
    log_density: Tensor
    acceptance: float
    step_size: float
    ess: np.ndarray
    r_hat: np.ndarray
    num_evaluations: int


@dataclass
class _State:
    """Whitened positions (C, P) of all chains, log density (C,) and its gradient (C, P)."""

    z: Tensor
    log_density: Tensor
    gradient: Tensor


class _Whitened:
    """The log density as a function of ``z``, where ``x = centre + L z``."""

    def __init__(
        self, log_density_and_gradient: LogDensityAndGradient, cholesky: Tensor, centre: Tensor
    ) -> None:
        self._function = log_density_and_gradient
        self.cholesky = cholesky
        self.centre = centre
        self.num_evaluations = 0

    def position(self, z: Tensor) -> Tensor:
        return self.centre + (self.cholesky @ z[..., None])[..., 0]

    def coordinates(self, x: Tensor) -> Tensor:
        return torch.linalg.solve_triangular(
            self.cholesky, (x - self.centre)[..., None], upper=False
        )[..., 0]

    def evaluate(self, x: Tensor) -> tuple[Tensor, Tensor]:
        self.num_evaluations += 1
        log_density, gradient = self._function(x)
        if log_density.shape != x.shape[:1] or gradient.shape != x.shape:
            raise ValueError(
                f"log_density_and_gradient must return shapes {tuple(x.shape[:1])} and "
                f"{tuple(x.shape)}, got {tuple(log_density.shape)} and "
                f"{tuple(gradient.shape)}; evaluate every chain by itself"
            )
        gradient = (self.cholesky.mT @ gradient.detach().to(x)[..., None])[..., 0]
        return log_density.detach().to(x), gradient


def _kick_weight(angle: Tensor, num_steps: int) -> Tensor:
    """Weight of a kick before or after a rotation by an angle, in rad.

    A quarter turn in one step has no first-order error to cancel (and an infinite tangent).
    """
    return 0.5 * (angle if num_steps == 1 else torch.tan(angle))


def _trajectory(
    target: _Whitened, state: _State, momentum: Tensor, angle: Tensor, num_steps: int
) -> tuple[_State, Tensor, Tensor]:
    """Kick, rotate, kick as often as told.

    Parameters
    ----------
    target : _Whitened
        What is sampled.
    state : _State
        Where the trajectories start.
    momentum : Tensor, (C, P)
        Their momenta.
    angle : Tensor, (C, 1), rad
        Of each rotation.
    num_steps : int
        How many.

    Returns
    -------
    state : _State
        Where they end.
    momentum : Tensor, (C, P)
        Their last momenta.
    inside : Tensor, (C,)
        Whether the density was finite all along. A trajectory and its reverse meet the same
        points, so that refusing the others keeps the balance.
    """
    cosine, sine, weight = torch.cos(angle), torch.sin(angle), _kick_weight(angle, num_steps)
    z, log_density, gradient = state.z, state.log_density, state.gradient
    inside = torch.ones_like(log_density, dtype=torch.bool)
    for _ in range(num_steps):
        momentum = momentum + weight * (gradient + z)
        z, momentum = cosine * z + sine * momentum, cosine * momentum - sine * z
        log_density, gradient = target.evaluate(target.position(z))
        inside &= torch.isfinite(log_density) & torch.isfinite(gradient).all(dim=1)
        gradient = torch.where(inside[:, None], gradient, -z)
        momentum = momentum + weight * (gradient + z)
    return _State(z, log_density, gradient), momentum, inside


def _transition(
    target: _Whitened,
    state: _State,
    num_steps: int,
    trajectory: float,
    jitter: float,
    generator: torch.Generator,
) -> tuple[_State, Tensor]:
    """New momenta, a trajectory, the Metropolis test; the states and acceptances (C,)."""
    like: dict[str, Any] = {"dtype": state.z.dtype, "device": generator.device}
    momentum = torch.randn(state.z.shape, generator=generator, **like).to(state.z)
    uniform = torch.rand((2, len(state.z)), generator=generator, **like).to(state.z)
    angle = trajectory * (1 + jitter * (2 * uniform[0, :, None] - 1)) / num_steps
    new, last, inside = _trajectory(target, state, momentum, angle, num_steps)
    gain = new.log_density - state.log_density
    gain = gain + 0.5 * (momentum.square().sum(dim=1) - last.square().sum(dim=1))
    acceptance = torch.where(inside & ~gain.isnan(), gain.clamp(max=0).exp(), 0)
    accept = uniform[1] < acceptance
    state = _State(
        torch.where(accept[:, None], new.z, state.z),
        torch.where(accept, new.log_density, state.log_density),
        torch.where(accept[:, None], new.gradient, state.gradient),
    )
    return state, acceptance


def _warm_up(
    target: _Whitened,
    state: _State,
    num_warmup: int,
    trajectory: float,
    jitter: float,
    target_acceptance: float,
    generator: torch.Generator,
    progress: Callable[[int], None] | None,
    *,
    alike: bool,
    num_steps: int,
) -> tuple[_State, int]:
    """Let the chains forget their start; find the centre, then the number of steps.

    For a Gaussian, ``z + gradient`` is the centre wherever it is taken; its mean over chains
    and draws is the target's mean, as the gradient's expectation is zero.
    """
    steps = StepNumber(trajectory, target_acceptance, num_steps)
    newton: list[Tensor] = []
    half = num_warmup // 2
    for index in range(num_warmup):
        if index == half and len(newton) > 1:
            x = target.position(state.z)
            shifts = torch.stack(newton[len(newton) // 2 :])
            target.centre = target.position(shifts).mean(dim=(0, 1) if alike else 0)
            target.centre = target.centre.expand_as(x)
            state.z = target.coordinates(x)
            steps = StepNumber(trajectory, target_acceptance, num_steps)
        state, acceptance = _transition(
            target, state, steps.num_steps, trajectory, jitter, generator
        )
        newton.append(state.z + state.gradient)
        steps.update(float(acceptance.mean()))
        if progress is not None:
            progress(index + 1)
    return state, steps.best()


def _cholesky_of(covariance: Tensor, start: Tensor) -> Tensor:
    num_chains, num_parameters = start.shape
    square = (num_parameters, num_parameters)
    if tuple(covariance.shape) not in {square, (num_chains, *square)}:
        raise ValueError(
            f"covariance must have shape {square} or {(num_chains, *square)}, "
            f"got {tuple(covariance.shape)}; give rows and columns in the order of start"
        )
    cholesky, info = torch.linalg.cholesky_ex(covariance.to(start))
    if bool((info != 0).any()) or not bool(torch.isfinite(cholesky).all()):
        eigenvalue = torch.linalg.eigvalsh(covariance.nan_to_num()).min()
        raise ValueError(
            "covariance must be positive definite, got a least eigenvalue of "
            f"{float(eigenvalue):.3g}; add the prior's curvature before inverting"
        )
    return cholesky


def sample_hmc(
    log_density_and_gradient: LogDensityAndGradient,
    start: Tensor,
    covariance: Tensor,
    *,
    num_warmup: int,
    num_samples: int,
    generator: torch.Generator,
    trajectory: float = 0.5 * math.pi,
    jitter: float = 0.1,
    target_acceptance: float = 0.8,
    target_ess: float | None = None,
    centre: Tensor | None = None,
    monitored: Sequence[int] | None = None,
    progress: Callable[[int], None] | None = None,
    alike: bool = True,
    first_num_steps: int = 1,
) -> Chains:
    """Draw from a density that is not far from a Gaussian of known covariance.

    The result has the target's distribution whatever the covariance and the centre are; the
    closer they are, the fewer gradients a draw costs. Draws where the density is zero, or it
    or its gradient is not finite, are refused, so that hard limits need no care.

    Parameters
    ----------
    log_density_and_gradient : callable
        Evaluates all chains in one call, see `LogDensityAndGradient`. Called once per step
        for all chains.
    start : Tensor, (C, P), units of the parameters
        First positions, with finite density; best spread as the covariance. Sets dtype and
        device.
    covariance : Tensor, (P, P) or (C, P, P), products of the parameters' units
        The inverse of minus the log density's curvature at its maximum.
    num_warmup : int
        Transitions that are thrown away, during which the number of steps is found.
    num_samples : int
        Transitions that are kept, of each chain, at most.
    generator : torch.Generator
        Where all randomness comes from.
    trajectory : float, rad
        Mean angle between draws, in the whitened phase space. A quarter turn makes draws of a
        Gaussian independent; a larger one makes means better and widths worse.
    jitter : float
        Relative half-width of the trajectory's uniform distribution, against resonances.
    target_acceptance : float
        Mean acceptance around which numbers of steps are tried in the warm-up.
    target_ess : float, optional
        Stop when every parameter has this effective sample size.
    centre : Tensor, (P,) or (C, P), units of the parameters, optional
        The target's mean; by default a Newton step from the start, then the warm-up's mean.
    monitored : sequence of int, optional
        The parameters whose effective sample size and R-hat are wanted, all by default.
    progress : callable, optional
        Called with the number of transitions done.
    alike : bool, optional
        Whether all chains have the same density. Otherwise each has its own, the samples
        are of their mixture, the effective sample size is the sum over chains and R-hat the
        largest of the chains', each by its halves.
    first_num_steps : int, optional
        Steps of a trajectory that the warm-up begins with.

    Returns
    -------
    Chains
        The draws and their diagnostics.

    Raises
    ------
    ValueError
        If a shape or number does not fit, the covariance is not positive definite, or a
        chain starts where the density is not finite.
    """
    if start.ndim != 2:
        raise ValueError(f"start must have shape (C, P), got {tuple(start.shape)}")
    if num_samples < _LEAST_DRAWS or num_warmup < 0:
        raise ValueError(
            f"num_samples must be at least {_LEAST_DRAWS} and num_warmup at least 0, "
            f"got {num_samples} and {num_warmup}"
        )
    if not (0 < trajectory < math.pi and 0 <= jitter < 1 and 0 < target_acceptance < 1):
        raise ValueError(
            "trajectory must be in (0, pi), jitter in [0, 1) and target_acceptance in (0, 1), "
            f"got {trajectory}, {jitter} and {target_acceptance}"
        )
    cholesky = _cholesky_of(covariance, start)
    first = start if centre is None else centre.to(start).expand_as(start)
    target = _Whitened(log_density_and_gradient, cholesky, first)
    log_density, gradient = target.evaluate(start)
    outside = ~(torch.isfinite(log_density) & torch.isfinite(gradient).all(dim=1))
    if bool(outside.any()):
        raise ValueError(
            "start must have a finite log density and gradient, got non-finite ones for "
            f"chains {outside.nonzero()[:, 0].tolist()}; start them inside the support"
        )
    if centre is None:
        newton = target.position(gradient)
        target.centre = newton.median(dim=0).values.expand_as(start) if alike else newton
    state = _State(target.coordinates(start), log_density, gradient)
    state, num_steps = _warm_up(
        target,
        state,
        num_warmup,
        trajectory,
        jitter,
        target_acceptance,
        generator,
        progress,
        alike=alike,
        num_steps=first_num_steps,
    )
    columns = list(range(start.shape[1])) if monitored is None else list(monitored)
    samples: list[Tensor] = []
    densities: list[Tensor] = []
    accepted = 0.0
    for index in range(num_samples):
        state, acceptance = _transition(target, state, num_steps, trajectory, jitter, generator)
        samples.append(target.position(state.z))
        densities.append(state.log_density)
        accepted += float(acceptance.mean())
        if progress is not None:
            progress(num_warmup + index + 1)
        done = len(samples)
        if target_ess is not None and done >= _LEAST_DRAWS and done % _CHECK_EVERY == 0:
            so_far = torch.stack(samples, dim=1)[..., columns].cpu().numpy()
            if size_and_agreement(so_far, alike=alike)[0].min() >= target_ess:
                break
    drawn = torch.stack(samples, dim=1)
    ess, r_hat = size_and_agreement(drawn[..., columns].cpu().numpy(), alike=alike)
    return Chains(
        samples=drawn,
        log_density=torch.stack(densities, dim=1),
        acceptance=accepted / len(samples),
        step_size=trajectory / num_steps,
        ess=ess,
        r_hat=r_hat,
        num_evaluations=target.num_evaluations,
    )

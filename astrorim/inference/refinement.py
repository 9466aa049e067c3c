r"""Variable projection: Gauss-Newton on the lens with source and amplitudes projected out.

At every trial the source and the light amplitudes are solved linearly, so that the objective

.. math::
    F(\theta) = \min_x |d - A(\theta) x|^2 + x^T R x + |\theta - \theta_0|^2_\Pi

depends on the non-linear parameters alone. With :math:`J = (\partial A / \partial \theta)
\hat x` its gradient is :math:`-2 J^T r`, exactly, and its curvature, with the response of the
solution, :math:`J^T (1 - A S^{-1} A^T) J` (Kaufman 1975, BIT 15, 49; Golub & Pereyra 2003,
Inverse Problems 19, R1). Steps are taken in a trust region (Levenberg-Marquardt).
"""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import torch

from astrorim.rim.parameter_step import from_coordinates, is_positive, to_coordinates

if TYPE_CHECKING:
    from torch import Tensor

    from astrorim.inference.inversion import Inversion
    from astrorim.inference.lens_fit import LensFit
    from astrorim.lensing.interpolation import SourceFrames
    from astrorim.parameters import Parameter

__all__ = ["RefinementOptions", "RefinementState", "evaluate", "refine"]

_LARGEST_STEP = 0.15  # of a coordinate: of a logarithm, or of an ellipticity
_LEAST_DAMPING, _MOST_DAMPING = 1e-6, 1e6


@dataclass(frozen=True)
class RefinementOptions:
    """How to refine.

    Parameters
    ----------
    max_steps : int, optional
        Evaluations at most.
    tolerance : float, optional
        Stop when an accepted step lowers the objective by less than this.
    strength_every : int, optional
        Find the prior's strength anew after so many accepted steps.
    nonnegative : bool, optional
        Whether source and light amplitudes may not be negative.
    """

    max_steps: int = 25
    tolerance: float = 0.2
    strength_every: int = 3
    nonnegative: bool = True


@dataclass(frozen=True)
class RefinementState:
    """Where a refinement is.

    Parameters
    ----------
    values : Tensor, (1, P)
        Parameters, the linear ones solved.
    frames : SourceFrames or None
        Frame of the source.
    inversion : Inversion
        Source and amplitudes.
    objective : float
        Chi-square with the penalties of source and parameters.
    steps : int
        Evaluations so far.
    covariance : Tensor, (Q, Q), or None
        Inverse curvature of half the objective in step coordinates of the non-linear
        parameters.
    """

    values: Tensor
    frames: SourceFrames | None
    inversion: Inversion
    objective: float
    steps: int = 0
    covariance: Tensor | None = None


def _prior(parameters: list[Parameter], positive: Tensor, like: Tensor) -> tuple[Tensor, ...]:
    """Mean and precision, in step coordinates, of Gaussians as wide as the declared priors."""
    edges = torch.tensor([p.prior for p in parameters], dtype=torch.float64)
    edges = torch.stack([to_coordinates(edge, positive) for edge in edges.unbind(1)])
    return edges.mean(0).to(like).double(), 12 / (edges[1] - edges[0]).double() ** 2


def evaluate(
    fit: LensFit,
    values: Tensor,
    frames: SourceFrames | None,
    strength: float,
    *,
    nonnegative: bool = True,
    passive: Tensor | None = None,
) -> RefinementState:
    """Solve source and amplitudes at given parameters.

    Parameters
    ----------
    fit : LensFit
        Image and models.
    values : Tensor, (1, P)
        Parameters.
    frames : SourceFrames or None
        Frame of the source.
    strength : float
        Of the source's prior.
    nonnegative : bool, optional
        Whether source and amplitudes may not be negative.
    passive : Tensor, (n,), bool, optional
        Guess of the unknowns that are not zero.

    Returns
    -------
    RefinementState
    """
    problem = fit.problem(values, frames)
    inversion = problem.invert(strength, nonnegative=nonnegative, passive=passive)
    parameters = [fit.model.system.parameters[i] for i in fit.nonlinear]
    positive = is_positive(parameters, values)
    mean, precision = _prior(parameters, positive, values)
    place = to_coordinates(values[0, fit.nonlinear].double(), positive)
    penalty = float((precision * (place - mean) ** 2).sum())
    return RefinementState(
        fit.with_amplitudes(values, inversion), frames, inversion, inversion.objective + penalty
    )


@torch.no_grad()
def refine(
    fit: LensFit,
    values: Tensor,
    frames: SourceFrames | None,
    *,
    strength: float | None = None,
    held: tuple[str, ...] = (),
    options: RefinementOptions | None = None,
) -> RefinementState:
    """Descend to the most probable parameters.

    Parameters
    ----------
    fit : LensFit
        Image and models.
    values : Tensor, (1, P)
        Start; the linear parameters do not matter.
    frames : SourceFrames or None
        Frame of the source, which stays.
    strength : float, optional
        Strength of the source's prior to begin with; by evidence at the start without it.
    held : tuple of str, optional
        Names of parameters that are not to change.
    options : RefinementOptions, optional
        How.

    Returns
    -------
    RefinementState
        At the lowest objective that was met.
    """
    options = options or RefinementOptions()
    parameters = [fit.model.system.parameters[i] for i in fit.nonlinear]
    moving = torch.tensor([p.name not in held for p in parameters])
    positive = is_positive(parameters, values)
    mean, precision = _prior(parameters, positive, values)
    low, high = (edge[fit.nonlinear].double() for edge in fit.model.system.supports(values))
    if strength is None:
        strength = fit.problem(values, frames).best_strength() if fit.size else 1.0
    state = evaluate(fit, values, frames, strength, nonnegative=options.nonnegative)
    damping, accepted, steps = 1e-2, 0, 1
    while True:
        place, gradient, curvature = _expansion(fit, state, positive, mean, precision)
        improvement = math.inf
        while steps < options.max_steps:
            step = _damped_step(gradient, curvature, damping, moving)
            trial = from_coordinates(place + step, positive).clamp(low, high)
            values = state.values.clone()
            values[0, fit.nonlinear] = trial.to(values)
            new = evaluate(
                fit,
                values,
                frames,
                strength,
                nonnegative=options.nonnegative,
                passive=state.inversion.free,
            )
            steps += 1
            if new.objective < state.objective:
                improvement = state.objective - new.objective
                state = replace(new, steps=steps)
                damping = max(damping / 5, _LEAST_DAMPING)
                accepted += 1
                break
            damping *= 10
            if damping > _MOST_DAMPING:
                improvement = 0.0
                break
        else:
            improvement = 0.0
        if improvement < options.tolerance:
            break
        if fit.size and accepted % options.strength_every == 0:
            strength = state.inversion.problem.best_strength(strength)
            state = replace(
                evaluate(fit, state.values, frames, strength, nonnegative=options.nonnegative),
                steps=steps,
            )
    _, _, curvature = _expansion(fit, state, positive, mean, precision)
    covariance = torch.zeros_like(curvature)
    places = moving.nonzero()[:, 0]
    covariance[places[:, None], places] = torch.linalg.pinv(
        curvature[moving][:, moving], hermitian=True
    )
    return replace(state, covariance=covariance, steps=steps)


def _expansion(
    fit: LensFit, state: RefinementState, positive: Tensor, mean: Tensor, precision: Tensor
) -> tuple[Tensor, Tensor, Tensor]:
    """Step coordinates, gradient and curvature of half the objective there; float64."""
    inversion = state.inversion
    values = state.values[0, fit.nonlinear].double()
    place = to_coordinates(values, positive)
    jacobian = fit.jacobian(state.values, state.frames, inversion)
    jacobian = jacobian * torch.where(positive, values, 1.0).to(jacobian)
    crossed = inversion.problem.design.mT @ jacobian
    gram = (jacobian.mT @ jacobian).double() - crossed.double().mT @ inversion.solve(crossed)
    gradient = -(jacobian.mT @ inversion.residual).double() + precision * (place - mean)
    return place, gradient, gram + torch.diag(precision)


def _damped_step(gradient: Tensor, curvature: Tensor, damping: float, moving: Tensor) -> Tensor:
    """Levenberg-Marquardt step, as a whole no longer than the largest allowed."""
    step = torch.zeros_like(gradient)
    part = curvature[moving][:, moving]
    part = part + damping * torch.diag(part.diagonal())
    step[moving] = -torch.linalg.solve(part, gradient[moving])
    return step * min(1.0, _LARGEST_STEP / max(float(step.abs().max()), 1e-30))

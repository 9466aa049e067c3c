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

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import torch

from astrorim.rim.parameter_step import from_coordinates, is_positive, to_coordinates

if TYPE_CHECKING:
    from collections.abc import Mapping

    from torch import Tensor

    from astrorim.inference.inversion import Inversion
    from astrorim.inference.lens_fit import LensFit
    from astrorim.lensing.interpolation import SourceFrames
    from astrorim.parameters import Parameter

__all__ = [
    "RefinementOptions",
    "RefinementState",
    "at_mean",
    "evaluate",
    "newton_step",
    "parameter_prior",
    "refine",
]

_STEP_LIMIT = 0.5  # of a coordinate, in standard deviations of its prior
_LARGEST_LENS_STEP = 0.1  # of a lens parameter, or of its logarithm
_LEAST_DAMPING, _MOST_DAMPING = 1e-6, 1e5
_COLDEST = 1.3  # reduced chi-square below which the noise is taken as it is


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
    tempered : bool, optional
        Whether to temper the noise while the model is far from the data.
    """

    max_steps: int = 25
    tolerance: float = 0.2
    strength_every: int = 3
    nonnegative: bool = True
    tempered: bool = True


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
    notes : tuple of str
        What failed on the way, and was done without.
    """

    values: Tensor
    frames: SourceFrames | None
    inversion: Inversion
    objective: float
    steps: int = 0
    covariance: Tensor | None = None
    notes: tuple[str, ...] = ()

    @property
    def source_frames(self) -> SourceFrames:
        """Frame of the source.

        Raises
        ------
        ValueError
            If the solution has no source.
        """
        if self.frames is None:
            raise ValueError("the solution must have a source, got none")
        return self.frames


def parameter_prior(
    parameters: list[Parameter],
    positive: Tensor,
    like: Tensor,
    known: Mapping[str, tuple[float, float]] | None = None,
) -> tuple[Tensor, Tensor]:
    """Gaussians as wide as the declared priors, or as what is known of some parameters.

    Parameters
    ----------
    parameters : list of Parameter
        Of the non-linear parameters.
    positive : Tensor, (Q,), bool
        Which of them step in their logarithm.
    like : Tensor
        Of the dtype that the mean is rounded to.
    known : mapping of str to tuple of float, optional
        Mean and standard deviation of parameters, in step coordinates.

    Returns
    -------
    mean, precision : Tensor, (Q,)
        In step coordinates, float64.
    """
    edges = torch.tensor([p.prior for p in parameters], dtype=torch.float64).reshape(-1, 2)
    edges = torch.stack([to_coordinates(edge, positive) for edge in edges.unbind(1)])
    mean, precision = edges.mean(0), 12 / (edges[1] - edges[0]).double() ** 2
    for i, parameter in enumerate(parameters):
        if known is not None and parameter.name in known:
            mean[i], deviation = known[parameter.name]
            precision[i] = deviation**-2
    return mean.to(like).double(), precision


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
    mean, precision = parameter_prior(parameters, positive, values, fit.known)
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
    within: Mapping[str, tuple[float, float]] | None = None,
    options: RefinementOptions | None = None,
) -> RefinementState:
    """Descend to the most probable parameters.

    Far from the solution the noise is tempered: its variance is multiplied by the reduced
    chi-square reached, so that the priors of lens and source keep their say until the model
    comes near the data.

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
    within : mapping of str to tuple of float, optional
        Intervals that parameters are kept in, narrower than their supports.
    options : RefinementOptions, optional
        How.

    Returns
    -------
    RefinementState
        At the lowest objective that was met; of the noise as it is.
    """
    options = options or RefinementOptions()
    space = _Space(fit, values, held, within or {})
    heat = fit.tempered(temperature := 1.0)
    prior_strength = strength or (
        fit.problem(values, frames).best_strength() if fit.size else 1.0
    )

    def at(values: Tensor, passive: Tensor | None = None) -> RefinementState:
        return evaluate(
            heat,
            values,
            frames,
            prior_strength,
            nonnegative=options.nonnegative,
            passive=passive,
        )

    state, steps = at(values), 1
    damping, accepted = 1e-2, 0
    while steps < options.max_steps:
        misfit = temperature * state.inversion.chi2 / fit.num_pixels
        wanted = misfit if options.tempered and misfit > _COLDEST else 1.0
        changed = not 0.7 < wanted / temperature < 1.4 or (wanted == 1 != temperature)
        if changed:
            heat, temperature = fit.tempered(wanted), wanted
        if fit.size and (changed or accepted % options.strength_every == 0):
            problem = heat.problem(state.values, frames) if changed else state.inversion.problem
            prior_strength = problem.best_strength(None if changed else prior_strength)
            state = at(state.values, state.inversion.free)
        place, gradient, curvature = _expansion(heat, state, space)
        improvement = 0.0
        while steps < options.max_steps and damping < _MOST_DAMPING:
            step = space.damped_step(gradient, curvature, damping)
            new = at(space.values(place + step, state.values), state.inversion.free)
            steps += 1
            if new.objective < state.objective:
                improvement = state.objective - new.objective
                state, damping, accepted = new, max(damping / 5, _LEAST_DAMPING), accepted + 1
                break
            damping *= 10
        if improvement < options.tolerance:
            if temperature == 1:
                break
            # Settled at this temperature: at a lower one the data say more.
            temperature = max(1.0, temperature / 4)
            heat, damping = fit.tempered(temperature), 1e-2
            state = at(state.values, state.inversion.free)
    if temperature != 1:
        heat = fit
        prior_strength = fit.problem(state.values, frames).best_strength() if fit.size else 1.0
        state = at(state.values, state.inversion.free)
    _, _, curvature = _expansion(fit, state, space)
    return replace(state, covariance=space.inverse(curvature), steps=steps)


@torch.no_grad()
def at_mean(fit: LensFit, state: RefinementState, samples: Tensor) -> RefinementState:
    """Solve source and amplitudes anew at the mean of samples.

    Parameters
    ----------
    fit : LensFit
        Image and models.
    state : RefinementState
        A solution, whose pixels and strength of the source's prior are kept.
    samples : Tensor, (S, P)
        Parameters around it.

    Returns
    -------
    RefinementState
        At the mean of the non-linear parameters in their step coordinates.
    """
    columns = fit.nonlinear
    positive = is_positive([fit.model.system.parameters[i] for i in columns], state.values)
    mean = to_coordinates(samples[:, columns].double(), positive).mean(dim=0)
    values = state.values.clone()
    values[0, columns] = from_coordinates(mean, positive).to(values)
    inversion = state.inversion
    return evaluate(fit, values, state.frames, inversion.strength, passive=inversion.free)


@torch.no_grad()
def newton_step(fit: LensFit, state: RefinementState) -> tuple[Tensor, Tensor]:
    """Where one Gauss-Newton step leads, no farther than a step of a descent may.

    Parameters
    ----------
    fit : LensFit
        Image and models.
    state : RefinementState
        Where the step begins.

    Returns
    -------
    place : Tensor, (Q,)
        In step coordinates.
    covariance : Tensor, (Q, Q)
        Inverse curvature of half the objective at the beginning.
    """
    space = _Space(fit, state.values, (), {})
    place, gradient, curvature = _expansion(fit, state, space)
    step = space.damped_step(gradient, curvature, _LEAST_DAMPING)
    return place + step, space.inverse(curvature)


class _Space:
    """Step coordinates of the non-linear parameters: which move, how far, from what prior."""

    def __init__(
        self,
        fit: LensFit,
        values: Tensor,
        held: tuple[str, ...],
        within: Mapping[str, tuple[float, float]],
    ) -> None:
        system = fit.model.system
        parameters = [system.parameters[i] for i in fit.nonlinear]
        self.columns = fit.nonlinear
        self.moving = torch.tensor([p.name not in held for p in parameters])
        self.positive = is_positive(parameters, values)
        self.mean, self.precision = parameter_prior(
            parameters, self.positive, values, fit.known
        )
        self.limit = _STEP_LIMIT / self.precision.sqrt()
        lens = torch.tensor([i < system.num_lens for i in fit.nonlinear])
        self.limit = torch.where(lens, self.limit.clamp_max(_LARGEST_LENS_STEP), self.limit)
        low, high = system.supports(values)
        self._low, self._high = low[fit.nonlinear].double(), high[fit.nonlinear].double()
        for i, parameter in enumerate(parameters):
            if parameter.name in within:
                lowest, highest = within[parameter.name]
                self._low[i] = max(lowest, float(self._low[i]))
                self._high[i] = min(highest, float(self._high[i]))

    def values(self, place: Tensor, like: Tensor) -> Tensor:
        """Parameters (1, P) at some step coordinates, the linear ones as they were."""
        result = like.clone()
        inside = from_coordinates(place, self.positive).clamp(self._low, self._high)
        result[0, self.columns] = inside.to(result)
        return result

    def damped_step(self, gradient: Tensor, curvature: Tensor, damping: float) -> Tensor:
        """Levenberg-Marquardt step, scaled down as a whole to the limits."""
        step = torch.zeros_like(gradient)
        part = curvature[self.moving][:, self.moving]
        part = part + damping * torch.diag(part.diagonal())
        step[self.moving] = -torch.linalg.solve(part, gradient[self.moving])
        return step / max(1.0, float((step.abs() / self.limit).max()))

    def inverse(self, curvature: Tensor) -> Tensor:
        """Inverse of the part that moves, zero elsewhere."""
        result = torch.zeros_like(curvature)
        places = self.moving.nonzero()[:, 0]
        result[places[:, None], places] = torch.linalg.pinv(
            curvature[self.moving][:, self.moving], hermitian=True
        )
        return result


def _expansion(
    fit: LensFit, state: RefinementState, space: _Space
) -> tuple[Tensor, Tensor, Tensor]:
    """Step coordinates, gradient and curvature of half the objective there; float64."""
    inversion = state.inversion
    values = state.values[0, fit.nonlinear].double()
    place = to_coordinates(values, space.positive)
    jacobian = fit.jacobian(state.values, state.frames, inversion)
    jacobian = jacobian * torch.where(space.positive, values, 1.0).to(jacobian)
    crossed = inversion.problem.design.transposed(jacobian)
    gram = (jacobian.mT @ jacobian).double() - crossed.double().mT @ inversion.solve(crossed)
    gradient = -(jacobian.mT @ inversion.residual).double()
    gradient = gradient + space.precision * (place - space.mean)
    return place, gradient, gram + torch.diag(space.precision)

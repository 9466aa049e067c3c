"""Source and parameters together: steps of the recurrence between Gauss-Newton steps."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import torch

from astrorim.rim import recurrence
from astrorim.rim.parameter_step import (
    ParameterStep,
    gauss_newton_step,
    is_positive,
    to_coordinates,
)
from astrorim.rim.source_frames import frames_from_arcs

if TYPE_CHECKING:
    from torch import Tensor, nn

    from astrorim.lensing.forward import ForwardModel
    from astrorim.lensing.interpolation import SourceFrames
    from astrorim.rim.start import Start

__all__ = ["JointOptions", "JointResult", "infer_jointly"]


_PRIOR_WIDTH = 1.5  # of the start's spread: a start may be more wrong than it says
_REACH = 1.5  # of the start's spread: the longest step
_WORSE = 1.05  # chi-square over the best one above which a step is taken back


@dataclass(frozen=True)
class JointOptions:
    """How the joint inference runs.

    Parameters
    ----------
    num_rounds : int, optional
        Rounds; in each the source is made anew by the recurrence and the parameters
        take Gauss-Newton steps.
    source_size : int, optional
        Side of the source images, pixels.
    num_steps : int, optional
        Steps of the recurrence in the last round.
    num_early_steps : int, optional
        Steps of the recurrence in the rounds before.
    num_parameter_steps : int, optional
        Gauss-Newton steps in a round.
    relaxation : float, optional
        Factor on the last Gauss-Newton step of each round but the last two: the source,
        made for the old parameters, holds the new ones back.
    num_trial_rounds : int, optional
        Rounds after which the best of several starts is chosen; they count among
        ``num_rounds``.
    fixed : bool, optional
        Whether lens and lens light are known and held.

    Raises
    ------
    ValueError
        If a number is not positive.
    """

    num_rounds: int = 8
    source_size: int = 64
    num_steps: int = 6
    num_early_steps: int = 3
    num_parameter_steps: int = 2
    relaxation: float = 1.3
    num_trial_rounds: int = 2
    fixed: bool = False

    def __post_init__(self) -> None:
        for name in (
            "num_rounds",
            "source_size",
            "num_steps",
            "num_early_steps",
            "num_parameter_steps",
        ):
            if getattr(self, name) < 1:
                raise ValueError(f"{name} must be at least 1, got {getattr(self, name)}")


@dataclass(frozen=True)
class JointResult:
    """Outcome of the joint inference.

    Parameters
    ----------
    values : Tensor, (B, P)
        Parameters.
    covariance : Tensor, (B, P, P)
        Inverse curvature at them in step coordinates, the source held.
    source : Tensor, (B, n, n), flux per arcsec^2
        Source images.
    frames : SourceFrames
        Their frames.
    chi2 : Tensor, (B, R)
        Reduced chi-square after each round.
    source_steps : list of Tensor, (B, n, n)
        Source after each step of the last round.
    """

    values: Tensor
    covariance: Tensor
    source: Tensor
    frames: SourceFrames
    chi2: Tensor
    source_steps: list[Tensor]


def _run_recurrence(
    cell: nn.Module,
    model: ForwardModel,
    values: Tensor,
    light: Tensor,
    frames: SourceFrames,
    num_steps: int,
) -> list[Tensor]:
    weight = model.data.weight
    operator = model.source_operator(values, frames)
    arcs = model.data.image - light
    if model.data.background is not None:
        arcs = arcs - model.data.background[:, None, None]
    preconditioner = recurrence.Preconditioner.of(operator, weight)
    state = recurrence.start(cell, preconditioner.back_projection(operator, weight * arcs))
    sources = []
    for _ in range(num_steps):
        state = recurrence.step(cell, state, operator, preconditioner, weight, arcs)
        sources.append(state.brightness)
    return sources


@dataclass
class _Progress:
    """Where a batch stands between rounds: step limits, and the best seen so far."""

    values: Tensor
    limits: Tensor
    best: Tensor
    best_chi2: Tensor
    history: list[Tensor]


class _JointInference:
    """The rounds on one batch; see `infer_jointly` for the arguments."""

    def __init__(
        self,
        cell: nn.Module,
        model: ForwardModel,
        start: Start,
        options: JointOptions,
    ) -> None:
        self.cell, self.model, self.options = cell, model, options
        self._where = {"theta_e": start.theta_e, "centre": start.centre}
        self._prior: dict[str, Any] = {
            "prior_mean": to_coordinates(
                start.values, is_positive(model.system.parameters, start.values)
            ),
            "prior_precision": 1 / (_PRIOR_WIDTH * start.spread) ** 2,
        }
        self._num_good = (model.data.good > 0).sum(dim=(-2, -1)).clamp_min(1)
        self._reach = _REACH * start.spread

    def begin(self, values: Tensor) -> _Progress:
        """Stand at ``values``, (B, P)."""
        unknown = torch.full_like(values[:, 0], torch.inf)
        return _Progress(values, self._reach, values, unknown, [])

    def source(self, values: Tensor, num_steps: int) -> tuple[SourceFrames, list[Tensor]]:
        """Make the source for given parameters, from the back-projection."""
        light = self.model.lens_light(values)
        frames = frames_from_arcs(
            self.model, values, light, self.options.source_size, **self._where
        )
        steps = _run_recurrence(self.cell, self.model, values, light, frames, num_steps)
        return frames, steps

    def step(
        self,
        source: Tensor,
        values: Tensor,
        frames: SourceFrames,
        limits: Tensor,
        relaxation: float = 1.0,
    ) -> tuple[ParameterStep, Tensor]:
        """A Gauss-Newton step, and the reduced chi-square before it."""
        step = gauss_newton_step(
            self.model,
            source,
            values,
            frames,
            limits=limits,
            relaxation=relaxation,
            **self._prior,
        )
        return step, step.chi2 / self._num_good

    def round(self, at: _Progress, relaxation: float) -> _Progress:
        """One round: a source, then steps of the parameters."""
        frames, steps = self.source(at.values, self.options.num_early_steps)
        trial = at.values
        chi2 = at.best_chi2
        for inner in range(self.options.num_parameter_steps):
            last = inner == self.options.num_parameter_steps - 1
            step, before = self.step(
                steps[-1], trial, frames, at.limits, relaxation if last else 1.0
            )
            chi2 = before if inner == 0 else chi2
            trial = step.values
        best = torch.where((chi2 < at.best_chi2)[:, None], at.values, at.best)
        # What made things worse is taken back half way, and the reach halved.
        worse = (chi2 > _WORSE * at.best_chi2)[:, None]
        return _Progress(
            torch.where(worse, 0.5 * (best + at.values), trial),
            torch.where(worse, 0.5 * at.limits, at.limits),
            best,
            torch.minimum(at.best_chi2, chi2),
            [*at.history, chi2],
        )

    def finish(self, at: _Progress) -> JointResult:
        """The last source, from the full recurrence, at the best parameters."""
        values = at.values
        frames, steps = self.source(values, self.options.num_steps)
        final, chi2 = self.step(steps[-1], values, frames, at.limits)
        lost = chi2 > _WORSE * at.best_chi2
        if lost.any():
            values = torch.where(lost[:, None], at.best, values)
            frames, steps = self.source(values, self.options.num_steps)
            final, chi2 = self.step(steps[-1], values, frames, at.limits)
        history = torch.stack([*at.history, chi2], dim=1)
        return JointResult(values, final.covariance, steps[-1], frames, history, steps)


@torch.no_grad()
def infer_jointly(
    cell: nn.Module, model: ForwardModel, start: Start, options: JointOptions
) -> JointResult:
    """Improve source and parameters in turn.

    Where the start has several candidates, a few rounds are spent on each, and the one
    with the lowest chi-square goes on.

    Parameters
    ----------
    cell : torch.nn.Module
        Trained recurrence.
    model : ForwardModel
        Holds the data.
    start : Start
        Where to begin.
    options : JointOptions
        How to run.

    Returns
    -------
    JointResult
    """
    inference = _JointInference(cell, model, start, options)
    at = inference.begin(start.values)
    if options.fixed:
        return inference.finish(at)
    num_trials = min(options.num_trial_rounds, options.num_rounds)
    if start.candidates is not None:
        at = _best_start(cell, model, start, options, num_trials)
    for number in range(len(at.history), options.num_rounds):
        gentle = number >= options.num_rounds - 2
        at = inference.round(at, 1.0 if gentle else options.relaxation)
    return inference.finish(at)


def _best_start(
    cell: nn.Module, model: ForwardModel, start: Start, options: JointOptions, num_rounds: int
) -> _Progress:
    """A few rounds from every candidate (K, B, P), and of each lens the best."""
    candidates = start.candidates
    if candidates is None:
        raise ValueError("start has no candidates to choose from")
    number, batch = candidates.shape[:2]
    index = torch.arange(batch, device=candidates.device).repeat(number)
    trials = _JointInference(cell, model.select(index), start.select(index), options)
    at = trials.begin(candidates.flatten(0, 1))
    for _ in range(num_rounds):
        at = trials.round(at, options.relaxation)
    # The parameters after the last step are not judged yet: judge what was.
    chosen = at.best_chi2.nan_to_num(nan=torch.inf).reshape(number, batch).argmin(dim=0)
    keep = chosen * batch + torch.arange(batch, device=candidates.device)
    return _Progress(
        at.values[keep],
        at.limits[keep],
        at.best[keep],
        at.best_chi2[keep],
        [chi2[keep] for chi2 in at.history],
    )

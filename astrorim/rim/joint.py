"""Source and parameters together: steps of the recurrence between Gauss-Newton steps."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import torch

from astrorim.rim import recurrence
from astrorim.rim.parameter_step import gauss_newton_step
from astrorim.rim.source_frames import frames_from_arcs

if TYPE_CHECKING:
    from torch import Tensor, nn

    from astrorim.lensing.forward import ForwardModel
    from astrorim.lensing.interpolation import SourceFrames

__all__ = ["JointOptions", "JointResult", "infer_jointly"]


@dataclass(frozen=True)
class JointOptions:
    """How the joint inference runs.

    Parameters
    ----------
    num_rounds : int, optional
        Rounds; in each the source is made anew by the recurrence and the parameters
        take a Gauss-Newton step.
    source_size : int, optional
        Side of the source images, pixels.
    num_steps : int, optional
        Steps of the recurrence in a round.
    relaxation : float, optional
        Factor on the Gauss-Newton steps of all rounds but the last two.
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
    relaxation: float = 1.6
    fixed: bool = False

    def __post_init__(self) -> None:
        for name in ("num_rounds", "source_size", "num_steps"):
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
        Inverse curvature at them, the source held.
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
    cell: nn.Module, model: ForwardModel, values: Tensor, frames: SourceFrames, num_steps: int
) -> list[Tensor]:
    weight = model.data.weight
    operator = model.source_operator(values, frames)
    arcs = model.data.image - model.lens_light(values)
    if model.data.background is not None:
        arcs = arcs - model.data.background[:, None, None]
    preconditioner = recurrence.Preconditioner.of(operator, weight)
    state = recurrence.start(cell, preconditioner.back_projection(operator, weight * arcs))
    sources = []
    for _ in range(num_steps):
        state = recurrence.step(cell, state, operator, preconditioner, weight, arcs)
        sources.append(state.brightness)
    return sources


@torch.no_grad()
def infer_jointly(
    cell: nn.Module,
    model: ForwardModel,
    values: Tensor,
    spread: Tensor,
    options: JointOptions,
    *,
    theta_e: Tensor,
    centre: Tensor,
) -> JointResult:
    """Improve source and parameters in turn.

    Parameters
    ----------
    cell : torch.nn.Module
        Trained recurrence.
    model : ForwardModel
        Holds the data.
    values : Tensor, (B, P)
        Start.
    spread : Tensor, (B, P)
        Prior standard deviation of each parameter about the start.
    options : JointOptions
        How to run.
    theta_e : Tensor, (B,), arcsec
        Einstein radius, for the choice of the source frames.
    centre : Tensor, (B, 2), arcsec
        Position of the lens, for the same.

    Returns
    -------
    JointResult
    """
    num_good = (model.data.good > 0).sum(dim=(-2, -1)).clamp_min(1)
    start = values
    history = []
    best_values, best_chi2 = values, torch.full_like(theta_e, torch.inf)
    rounds = 1 if options.fixed else options.num_rounds
    limits = 1.5 * spread
    for number in range(rounds):
        light = model.lens_light(values)
        frames = frames_from_arcs(
            model, values, light, options.source_size, theta_e=theta_e, centre=centre
        )
        source = _run_recurrence(cell, model, values, frames, options.num_steps)[-1]
        if options.fixed:
            break
        relaxation = options.relaxation if number < rounds - 2 else 1.0
        step = gauss_newton_step(
            model,
            source,
            values,
            frames,
            prior_precision=1 / (3 * spread) ** 2,
            prior_mean=start,
            limits=limits,
            relaxation=relaxation,
        )
        chi2 = step.chi2 / num_good
        history.append(chi2)
        better = chi2 < best_chi2
        best_values = torch.where(better[:, None], values, best_values)
        # After a step that made things worse, go on from the best with half the reach.
        worse = chi2 > 1.05 * best_chi2
        limits = torch.where(worse[:, None], 0.5 * limits, limits)
        best_chi2 = torch.minimum(best_chi2, chi2)
        values = torch.where(worse[:, None], 0.5 * (best_values + values), step.values)
    light = model.lens_light(values)
    frames = frames_from_arcs(
        model, values, light, options.source_size, theta_e=theta_e, centre=centre
    )
    steps = _run_recurrence(cell, model, values, frames, options.num_steps)
    final = gauss_newton_step(
        model,
        steps[-1],
        values,
        frames,
        prior_precision=1 / (3 * spread) ** 2,
        prior_mean=start,
        limits=limits,
    )
    chi2 = final.chi2 / num_good
    if not options.fixed:
        # The last step is kept only where it did not lose to an earlier round.
        lost = chi2 > 1.02 * best_chi2
        values = torch.where(lost[:, None], best_values, values)
        if lost.any():
            frames = frames_from_arcs(
                model,
                values,
                model.lens_light(values),
                options.source_size,
                theta_e=theta_e,
                centre=centre,
            )
            steps = _run_recurrence(cell, model, values, frames, options.num_steps)
        chi2 = torch.minimum(chi2, best_chi2)
    history.append(chi2)
    return JointResult(
        values, final.covariance, steps[-1], frames, torch.stack(history, dim=1), steps
    )

"""Source and parameters together: steps of the recurrence between Gauss-Newton steps."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import torch

from astrorim.rim import recurrence
from astrorim.rim.parameter_step import gauss_newton_step, is_positive, to_coordinates
from astrorim.rim.source_frames import frames_from_arcs

if TYPE_CHECKING:
    from torch import Tensor, nn

    from astrorim.lensing.forward import ForwardModel
    from astrorim.lensing.interpolation import SourceFrames

__all__ = ["JointOptions", "JointResult", "infer_jointly"]


_PRIOR_WIDTH = 3.0  # of the start's spread: a start may be more wrong than it says
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
        Standard deviation of the start in step coordinates, of each parameter.
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
    prior: dict[str, Any] = {
        "prior_mean": to_coordinates(values, is_positive(model.system.parameters, values)),
        "prior_precision": 1 / (_PRIOR_WIDTH * spread) ** 2,
    }

    def source_steps(values: Tensor, num_steps: int) -> tuple[SourceFrames, list[Tensor]]:
        light = model.lens_light(values)
        frames = frames_from_arcs(
            model, values, light, options.source_size, theta_e=theta_e, centre=centre
        )
        return frames, _run_recurrence(cell, model, values, light, frames, num_steps)

    best = values
    best_chi2 = torch.full_like(theta_e, torch.inf)
    limits = _REACH * spread
    history = []
    for number in range(0 if options.fixed else options.num_rounds):
        frames, steps = source_steps(values, options.num_early_steps)
        trial = values
        for inner in range(options.num_parameter_steps):
            last = inner == options.num_parameter_steps - 1
            step = gauss_newton_step(
                model,
                steps[-1],
                trial,
                frames,
                limits=limits,
                relaxation=(
                    options.relaxation if last and number < options.num_rounds - 2 else 1.0
                ),
                **prior,
            )
            if inner == 0:
                chi2 = step.chi2 / num_good
            trial = step.values
        history.append(chi2)
        best = torch.where((chi2 < best_chi2)[:, None], values, best)
        # What made things worse is taken back half way, and the reach halved.
        worse = (chi2 > _WORSE * best_chi2)[:, None]
        limits = torch.where(worse, 0.5 * limits, limits)
        best_chi2 = torch.minimum(best_chi2, chi2)
        values = torch.where(worse, 0.5 * (best + values), trial)

    frames, steps = source_steps(values, options.num_steps)
    final = gauss_newton_step(model, steps[-1], values, frames, limits=limits, **prior)
    chi2 = final.chi2 / num_good
    lost = chi2 > _WORSE * best_chi2
    if lost.any():
        values = torch.where(lost[:, None], best, values)
        frames, steps = source_steps(values, options.num_steps)
        final = gauss_newton_step(model, steps[-1], values, frames, limits=limits, **prior)
        chi2 = final.chi2 / num_good
    history.append(chi2)
    return JointResult(
        values, final.covariance, steps[-1], frames, torch.stack(history, dim=1), steps
    )

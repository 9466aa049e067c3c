"""Widths of the reported intervals, measured on simulated lenses.

The curvature of the likelihood with the source held is too optimistic about the lens: the
source could have followed. How much so is measured: on lenses of the training population,
the factor by which each parameter's width must grow for 68 % of the truths to lie inside.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

import numpy as np
import torch

from astrorim.lensing.forward import ForwardModel
from astrorim.rim.joint import JointOptions, infer_jointly
from astrorim.rim.objectives import image_data
from astrorim.rim.parameter_step import is_positive, to_coordinates

if TYPE_CHECKING:
    from astrorim.interfaces import Simulator
    from astrorim.rim import RIMReconstructor

__all__ = ["measure_error_factors"]

_LARGEST_TRAINING_SEED = 10**9 - 1


def measure_error_factors(
    reconstructor: RIMReconstructor,
    simulator: Simulator,
    number: int,
    *,
    seed: int,
    num_iterations: int = 10,
    level: float = 0.6827,
    progress: Callable[[int], None] | None = None,
) -> dict[str, float]:
    """Factors on the widths for which ``level`` of the truths lie inside the intervals.

    Parameters
    ----------
    reconstructor : RIMReconstructor
        Fits the model that the simulator draws.
    simulator : Simulator
        Draws the lenses.
    number : int
        How many lenses.
    seed : int
        Of the dataset; below 10^9, so that evaluation stays independent.
    num_iterations : int, optional
        Rounds of the joint inference.
    level : float, optional
        Fraction of truths that the intervals are to hold.
    progress : callable, optional
        Called with the number of finished lenses.

    Returns
    -------
    dict of str to float
        Factor for each parameter's name.

    Raises
    ------
    ValueError
        If the seed is one of evaluation, or the reconstructor fits another model than the
        simulator draws.
    """
    if seed > _LARGEST_TRAINING_SEED:
        raise ValueError(f"seed must be below 10^9 for calibration, got {seed}")
    drawn = (simulator.lens_model, simulator.light_model)
    fitted = (reconstructor.lens_model, reconstructor.light_model)
    if drawn != fitted:
        raise ValueError(f"the simulator draws {drawn}, the reconstructor fits {fitted}")
    system = reconstructor.system
    settings = reconstructor.recurrence.settings
    options = JointOptions(
        num_rounds=num_iterations,
        source_size=settings["source_size"],
        num_steps=settings["num_steps"],
    )
    scaled: list[np.ndarray] = []
    for index in range(number):
        simulated = simulator.simulate(1, seed=seed, start=index)
        data = image_data(simulated)
        start = reconstructor.start(data, torch.Generator().manual_seed(index))
        outcome = infer_jointly(
            reconstructor.recurrence.network,
            ForwardModel(system, data),
            start,
            options,
        )
        positive = is_positive(system.parameters, outcome.values)
        truth = system.stack(simulated.lens, simulated.light)
        error = to_coordinates(outcome.values, positive) - to_coordinates(truth, positive)
        width = outcome.covariance.diagonal(dim1=1, dim2=2).sqrt()
        scaled.append((error / width).abs()[0].double().numpy())
        if progress is not None:
            progress(index + 1)
    factors = np.quantile(np.stack(scaled), level, axis=0)
    return dict(zip(system.parameters.names, factors.tolist(), strict=True))

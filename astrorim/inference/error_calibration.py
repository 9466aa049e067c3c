"""Widths of the reported intervals, measured on simulated lenses.

The curvature of the likelihood with the source held is too optimistic about the lens: the
source could have followed. How much so is measured: on lenses of the training population,
the factor by which each parameter's width must grow for 68 % of the truths to lie inside.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

import numpy as np
import torch

from astrorim.lensing.forward import ForwardModel
from astrorim.rim.joint import JointOptions, infer_jointly
from astrorim.rim.labels import encoder_labels
from astrorim.rim.objectives import image_data
from astrorim.rim.parameter_step import is_positive, to_coordinates

if TYPE_CHECKING:
    from astrorim.interfaces import SimulatedLenses, Simulator
    from astrorim.rim import RIMReconstructor

__all__ = ["measure_error_factors"]

_LARGEST_TRAINING_SEED = 10**9 - 1


def measure_error_factors(
    reconstructor: RIMReconstructor,
    simulators: Simulator | Sequence[Simulator],
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
        Fits the model that the simulators draw, or the one that its encoder was trained
        for; the truth of lenses with more components is then what the encoder was taught.
    simulators : Simulator or sequence of Simulator
        Draw the lenses, which count alike.
    number : int
        How many lenses of each.
    seed : int
        Of the datasets; below 10^9, so that evaluation stays independent.
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
        If the seed is one of evaluation, or the reconstructor fits another model than a
        simulator draws.
    """
    if seed > _LARGEST_TRAINING_SEED:
        raise ValueError(f"seed must be below 10^9 for calibration, got {seed}")
    several = simulators if isinstance(simulators, Sequence) else [simulators]
    for simulator in several:
        _check_model(reconstructor, simulator)
    scaled: list[np.ndarray] = []
    for simulator in several:
        for index in range(number):
            simulated = simulator.simulate(
                1, seed=seed, start=index, device=reconstructor.device
            )
            scaled.append(_scaled_error(reconstructor, simulated, index, num_iterations))
            if progress is not None:
                progress(len(scaled))
    factors = np.quantile(np.stack(scaled), level, axis=0)
    names = reconstructor.system.parameters.names
    return dict(zip(names, factors.tolist(), strict=True))


def _check_model(reconstructor: RIMReconstructor, simulator: Simulator) -> None:
    drawn = (simulator.lens_model, simulator.light_model)
    fitted = (reconstructor.lens_model, reconstructor.light_model)
    taught = (reconstructor.encoder.lens_model, reconstructor.encoder.light_model)
    parts = set(simulator.lens_model.split("+"))
    described = fitted == taught and set(fitted[0].split("+")) <= parts
    if drawn != fitted and not (described and drawn[1] == fitted[1]):
        raise ValueError(f"the simulator draws {drawn}, the reconstructor fits {fitted}")


def _scaled_error(
    reconstructor: RIMReconstructor, simulated: SimulatedLenses, seed: int, num_rounds: int
) -> np.ndarray:
    """Absolute error of each parameter over its width, (P,)."""
    system, settings = reconstructor.system, reconstructor.recurrence.settings
    options = JointOptions(
        num_rounds=num_rounds,
        source_size=settings["source_size"],
        num_steps=settings["num_steps"],
    )
    data = image_data(simulated)
    outcome = infer_jointly(
        reconstructor.recurrence.network,
        ForwardModel(system, data),
        reconstructor.start(data, torch.Generator().manual_seed(seed)),
        options,
    )
    positive = is_positive(system.parameters, outcome.values)
    truth = encoder_labels(system, simulated)
    error = to_coordinates(outcome.values, positive) - to_coordinates(truth, positive)
    width = outcome.covariance.diagonal(dim1=1, dim2=2).sqrt()
    return (error / width).abs()[0].double().cpu().numpy()

"""How good reconstructions are, on simulated lenses never trained on, beside a blank image.

The measures are those of `astrorim.results.metrics`; sources are compared on the truth's own
grid, surface brightness conserved, nothing rescaled to the truth.
"""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from astropy.table import Table

from astrorim.grid import SourceGrid
from astrorim.results import metrics

if TYPE_CHECKING:
    from astrorim.interfaces import SimulatedLenses, Simulator
    from astrorim.observation import LensObservation
    from astrorim.results import Reconstruction
    from astrorim.rim import RIMReconstructor

__all__ = ["FIRST_EVALUATION_SEED", "evaluate_simulator", "summary_table"]

FIRST_EVALUATION_SEED = 10**9
"""Seeds from here on are never trained on."""

_CATASTROPHIC = 0.1
_FINEST_PIXEL = 0.02
_STEP = "source_error_step_"
_BOUNDED = ("b", "q", "x0", "y0", "gamma")


def _source_measures(source: np.ndarray, truth: np.ndarray) -> dict[str, float]:
    return {
        "source_error": metrics.source_error(source, truth),
        "source_error_frame": metrics.source_error_frame(source, truth),
        "source_correlation": metrics.source_correlation(source, truth),
        "source_ssim": metrics.source_ssim(source, truth),
        "flux_error": metrics.flux_error(source, truth),
    }


def _on_truth(result: Reconstruction, grid: SourceGrid) -> np.ndarray:
    return metrics.resample_source(result.source, result.source_grid, grid)


def _parameter_measures(
    result: Reconstruction, truth: dict[str, float], effective_radius: float
) -> dict[str, Any]:
    from astrorim.plugins import load_plugins
    from astrorim.results.apertures import effective_einstein_radius

    measures: dict[str, Any] = {
        "theta_E_error": result.lens["theta_E"] / truth["theta_E"] - 1,
        **{
            f"{name}_error": result.lens[name] - truth[name]
            for name in ("e1", "e2", "gamma1", "gamma2", "x0", "y0")
            if name in truth
        },
    }
    model = load_plugins().lens_models.resolve(result.lens_model)
    lens = {name: np.array([value]) for name, value in result.lens.items()}
    own = effective_einstein_radius(model, lens)
    measures["effective_radius_error"] = float(np.squeeze(own)) / effective_radius - 1
    e = math.hypot(truth["e1"], truth["e2"])
    reported = {
        "b": truth["theta_E"],
        "q": (1 - e) / (1 + e),
        "x0": truth["x0"],
        "y0": truth["y0"],
        "gamma": math.hypot(truth["gamma1"], truth["gamma2"]),
    }
    for name in _BOUNDED:
        _, low, high = (q.value for q in result.parameter(name))
        measures[f"{name}_covered"] = bool(low <= reported[name] <= high)
    return measures


def _untrained(reconstructor: RIMReconstructor) -> RIMReconstructor:
    """The same with fresh weights of the recurrence: what training is measured against."""
    from astrorim.plugins import load_plugins
    from astrorim.rim import RIMReconstructor as Reconstructor

    recurrence = reconstructor.recurrence
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        fresh = load_plugins().networks.create(recurrence.backend)
        network = fresh.build(**recurrence.architecture).eval()
    return Reconstructor(
        reconstructor.encoder,
        replace(recurrence, network=network, sha256=""),
        lens_model=reconstructor.lens_model,
        light_model=reconstructor.light_model,
        device=reconstructor.device,
    )


def _blank_and_known(
    reconstructor: RIMReconstructor,
    untrained: RIMReconstructor,
    observation: LensObservation,
    known: dict[str, float],
    truth: np.ndarray,
    grid: SourceGrid,
) -> list[dict[str, Any]]:
    begun = time.perf_counter()
    result = reconstructor.reconstruct(observation, known=known)
    seconds = time.perf_counter() - begun
    before = untrained.reconstruct(observation, known=known)
    return [
        {"method": "blank image"} | _source_measures(np.zeros_like(truth), truth),
        {"method": "untrained RIM, lens known", "reduced_chi2": before.reduced_chi2}
        | _source_measures(_on_truth(before, grid), truth),
        {"method": "RIM, lens known", "seconds": seconds, "reduced_chi2": result.reduced_chi2}
        | _source_measures(_on_truth(result, grid), truth)
        | {
            f"{_STEP}{number}": metrics.source_error(
                metrics.resample_source(step, result.source_grid, grid), truth
            )
            for number, step in enumerate(result.steps["source"], start=1)
        },
    ]


def _resolvable_truth(simulated: SimulatedLenses) -> tuple[np.ndarray, SourceGrid]:
    """True source of the first lens on pixels of at least 0.02 arcsec, and their grid.

    Pixels are joined by twos until they are as wide as half a pixel of a space telescope:
    what is smaller no image shows.
    """
    truth = simulated.source_image[0].double().numpy()
    scale = float(simulated.source_pixel_scale[0])
    while scale < _FINEST_PIXEL and truth.shape[0] % 2 == 0:
        truth = truth.reshape(truth.shape[0] // 2, 2, -1, 2).mean(axis=(1, 3))
        scale *= 2
    x0, y0 = simulated.source_centre[0].tolist()
    return truth, SourceGrid(truth.shape, scale, x0, y0)  # type: ignore[arg-type]


def evaluate_simulator(
    reconstructor: RIMReconstructor,
    simulator: Simulator,
    to_observation: Callable[[SimulatedLenses, int], LensObservation],
    number: int,
    *,
    seed: int = FIRST_EVALUATION_SEED,
    num_iterations: int = 10,
    progress: Callable[[int], None] | None = None,
) -> Table:
    """Reconstruct simulated lenses with the lens known and unknown, and measure.

    Parameters
    ----------
    reconstructor : RIMReconstructor
        What is judged.
    simulator : Simulator
        Draws the lenses; rendered at 4 x 4 sub-pixels.
    to_observation : callable
        Makes an observation of one simulated lens.
    number : int
        How many lenses.
    seed : int, optional
        Of the dataset; at least 10^9.
    num_iterations : int, optional
        As for `RIMReconstructor.reconstruct`.
    progress : callable, optional
        Called with the number of finished lenses.

    Returns
    -------
    `~astropy.table.Table`
        Four rows for each lens, column ``method``: a blank image, an untrained RIM and the
        trained one with the lens known, everything inferred.

    Raises
    ------
    ValueError
        If the seed is one that training uses.
    """
    if seed < FIRST_EVALUATION_SEED:
        raise ValueError(
            f"seed must be at least {FIRST_EVALUATION_SEED} for evaluation, got {seed}: "
            "training uses the seeds below"
        )
    rows: list[dict[str, Any]] = []
    untrained = _untrained(reconstructor)
    for index in range(number):
        simulated = simulator.simulate(1, seed=seed, start=index)
        observation = to_observation(simulated, 0)
        lens = {name: float(value[0]) for name, value in simulated.lens.items()}
        light = {f"light_{name}": float(value[0]) for name, value in simulated.light.items()}
        truth, grid = _resolvable_truth(simulated)
        judged = _blank_and_known(
            reconstructor, untrained, observation, lens | light, truth, grid
        )
        begun = time.perf_counter()
        result = reconstructor.reconstruct(observation, num_iterations=num_iterations)
        seconds = time.perf_counter() - begun
        effective = float(simulated.metadata["effective_einstein_radius"][0])
        parameters = _parameter_measures(result, lens, effective)
        catastrophic = (
            abs(parameters["theta_E_error"]) > _CATASTROPHIC or "arc-misfit" in result.flags
        )
        judged.append(
            {
                "method": "RIM, lens inferred",
                "seconds": seconds,
                "reduced_chi2": result.reduced_chi2,
                "arc_reduced_chi2": result.arc_reduced_chi2,
                "catastrophic": catastrophic,
                "flags": " ".join(result.flags),
            }
            | _source_measures(_on_truth(result, grid), truth)
            | parameters
        )
        rows += [{"index": index} | row for row in judged]
        if progress is not None:
            progress(index + 1)
    names = list(dict.fromkeys(name for row in rows for name in row))
    table = Table({name: [_cell(row, name) for row in rows] for name in names})
    table.meta.update(
        simulator=simulator.name,
        seed=seed,
        number=number,
        num_iterations=num_iterations,
        encoder=reconstructor.encoder.sha256,
        recurrence=reconstructor.recurrence.sha256,
    )
    return table


def _cell(row: dict[str, Any], name: str) -> Any:
    if name in ("method", "flags"):
        return row.get(name, "")
    return float(row.get(name, math.nan))


def _interval(values: np.ndarray) -> str:
    """Median with the 10th and 90th percentile."""
    low, middle, high = np.nanpercentile(values, [10, 50, 90])
    return f"{middle:.3g} ({low:.3g} to {high:.3g})"


def _median_absolute(values: np.ndarray) -> str:
    low, middle, high = np.nanpercentile(np.abs(values), [10, 50, 90])
    return f"{middle:.3g} ({low:.3g} to {high:.3g}), bias {np.nanmedian(values):+.2g}"


def _fraction(values: np.ndarray) -> str:
    """A fraction with its binomial error."""
    good = values[np.isfinite(values)]
    p = good.mean()
    return f"{100 * p:.1f} ± {100 * math.sqrt(max(p * (1 - p), 0) / len(good)):.1f} %"


_ROWS: Sequence[tuple[str, Callable[[np.ndarray], str]]] = (
    ("source_error", _interval),
    ("source_error_frame", _interval),
    ("source_correlation", _interval),
    ("source_ssim", _interval),
    ("flux_error", _median_absolute),
    ("theta_E_error", _median_absolute),
    ("effective_radius_error", _median_absolute),
    ("e1_error", _median_absolute),
    ("e2_error", _median_absolute),
    ("gamma1_error", _median_absolute),
    ("gamma2_error", _median_absolute),
    ("x0_error", _median_absolute),
    ("y0_error", _median_absolute),
    ("reduced_chi2", _interval),
    ("arc_reduced_chi2", _interval),
    ("catastrophic", _fraction),
    *((f"{name}_covered", _fraction) for name in _BOUNDED),
    ("seconds", _interval),
)


def summary_table(table: Table) -> Table:
    """Condense an evaluation to one column for each method.

    Parameters
    ----------
    table : `~astropy.table.Table`
        From `evaluate_simulator`.

    Returns
    -------
    `~astropy.table.Table`
        Medians with the 10th and 90th percentile; errors by absolute value with their
        bias; fractions with their binomial error.
    """
    methods = list(dict.fromkeys(table["method"]))
    lines: dict[str, list[str]] = {"measure": []} | {method: [] for method in methods}
    steps = [(name, _interval) for name in table.colnames if name.startswith(_STEP)]
    for name, describe in [*_ROWS, *steps]:
        if name not in table.colnames:
            continue
        lines["measure"].append(name)
        for method in methods:
            values = np.asarray(table[name][table["method"] == method], dtype=float)
            lines[method].append(describe(values) if np.isfinite(values).any() else "")
    return Table(lines, meta=dict(table.meta))

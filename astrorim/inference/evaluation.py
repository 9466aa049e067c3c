"""How good reconstructions are, beside the best linear inversion and no inference at all.

The measures are those of `astrorim.results.lens_errors`, and two that set them against what
is possible: ``oracle_ratio``, the source's error over that of the
`~astrorim.inference.oracle.oracle_inversion`, and ``bound_ratio``, the parameters' errors
over their `~astrorim.inference.cramer_rao.parameter_bounds`.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any

from astrorim.inference.cramer_rao import parameter_bounds
from astrorim.inference.oracle import OracleOptions, oracle_inversion, source_on_grid
from astrorim.results import metrics
from astrorim.results.evaluation_table import STEP, rows_table
from astrorim.results.lens_errors import JUDGED, lens_errors, null_sources, source_errors

if TYPE_CHECKING:
    from astropy.table import Table

    from astrorim.inference.evaluated_methods import Method
    from astrorim.inference.rows_checkpoint import RowsCheckpoint
    from astrorim.interfaces import SimulatedLenses, Simulator
    from astrorim.results import Reconstruction
    from astrorim.results.lens_truth import LensTruth

__all__ = ["FIRST_EVALUATION_SEED", "ORACLE", "evaluate_lens", "evaluate_simulator"]

FIRST_EVALUATION_SEED = 10**9
"""Seeds from here on are never trained on."""

ORACLE = "oracle inversion"
"""Name of the row of the best linear inversion with everything but the source known."""

_ORACLE_OPTIONS = OracleOptions()
_LOGGER = logging.getLogger(__name__)


def evaluate_lens(
    truth: LensTruth,
    methods: Mapping[str, Method],
    *,
    oracle: OracleOptions | None = _ORACLE_OPTIONS,
) -> list[dict[str, Any]]:
    """Reconstruct one lens by several methods, and measure.

    A method that raises an exception has a row that says so; the others go on.

    Parameters
    ----------
    truth : LensTruth
        The observation and its truth.
    methods : mapping of str to Method
        What is judged, in this order.
    oracle : OracleOptions, optional
        What the oracle inversion chooses from; None leaves it out, and what is measured
        against it.

    Returns
    -------
    list of dict
        A row for each of the null sources, the oracle, and each method.
    """
    source, _ = truth.resolvable
    rows: list[dict[str, Any]] = [
        {"method": name} | source_errors(null, source)
        for name, null in null_sources(truth).items()
    ]
    bounds: dict[str, float] = {}
    if oracle is not None:
        row, bounds = _oracle_row(truth, oracle)
        rows.append(row)
    earlier: dict[str, Reconstruction] = {}
    for name, method in methods.items():
        begun = time.perf_counter()
        try:
            result = method(truth, earlier)
            seconds = time.perf_counter() - begun
            row = {"method": name, "seconds": seconds, "failed": False}
            row |= lens_errors(result, truth)
        except Exception as error:  # noqa: BLE001  (whatever it is, the others go on)
            row = {"method": name, "failed": True, "failure": _reason(error)}
            _LOGGER.warning("%s: %s failed: %s", _name(truth), name, _reason(error))
        else:
            earlier[name] = result
            row |= _bound_ratios(row, truth, bounds) | _steps(result, truth)
        rows.append(row)
    best = next((r["source_error"] for r in rows if r["method"] == ORACLE), None)
    for row in rows:
        if best and "source_error" in row:
            row["oracle_ratio"] = row["source_error"] / best
    return [{"index": truth.index, "name": _name(truth)} | row for row in rows]


def _name(truth: LensTruth) -> str:
    return truth.observation.name or f"lens_{truth.index:05d}"


def _reason(error: Exception) -> str:
    return f"{type(error).__name__}: {' '.join(str(error).split())}"


def _oracle_row(
    truth: LensTruth, options: OracleOptions
) -> tuple[dict[str, Any], dict[str, float]]:
    """Row of the oracle, and the bounds on the parameters."""
    source, grid = truth.resolvable
    begun = time.perf_counter()
    found = oracle_inversion(truth, options)
    seconds = time.perf_counter() - begun
    bounds = parameter_bounds(truth, found)
    row = {
        "method": ORACLE,
        "seconds": seconds,
        "reduced_chi2": found.reduced_chi2,
        "expected_reduced_chi2": found.expected_reduced_chi2,
        **source_errors(source_on_grid(found.source, found.frames, grid), source),
        **{f"bound_{name}": bounds[name] for name in JUDGED if name in bounds},
    }
    return row, bounds


def _bound_ratios(
    row: Mapping[str, Any], truth: LensTruth, bounds: Mapping[str, float]
) -> dict[str, float]:
    """Absolute errors of the parameters over the smallest possible standard deviation."""
    ratios = {}
    for name in JUDGED:
        if f"{name}_error" in row and name in bounds:
            unit = truth.lens[name] if name == "theta_E" else 1.0
            ratios[f"bound_ratio_{name}"] = abs(row[f"{name}_error"] * unit) / bounds[name]
    return ratios


def _steps(result: Reconstruction, truth: LensTruth) -> dict[str, float]:
    """Error of the source after each step of the recurrence, with the lens known."""
    if not result.provenance.get("parameters_known") or "source" not in result.steps:
        return {}
    source, grid = truth.resolvable
    return {
        f"{STEP}{number}": metrics.source_error(
            metrics.resample_source(step, result.source_grid, grid), source
        )
        for number, step in enumerate(result.steps["source"], start=1)
    }


def evaluate_simulator(
    simulator: Simulator,
    to_truth: Callable[[SimulatedLenses, int], LensTruth],
    methods: Mapping[str, Method],
    number: int,
    *,
    seed: int = FIRST_EVALUATION_SEED,
    oracle: OracleOptions | None = _ORACLE_OPTIONS,
    settings: Mapping[str, Any] | None = None,
    checkpoint: RowsCheckpoint | None = None,
    progress: Callable[[int], object] | None = None,
) -> Table:
    """Reconstruct lenses that no training saw, and measure.

    Parameters
    ----------
    simulator : Simulator
        Draws the lenses; rendered at 4 x 4 sub-pixels.
    to_truth : callable
        Makes the truth of one lens of a simulated batch, for example
        `astrorim.interchange.truth_of`.
    methods : mapping of str to Method
        What is judged, in this order.
    number : int
        How many lenses.
    seed : int, optional
        Of the dataset; at least 10^9.
    oracle : OracleOptions, optional
        As for `evaluate_lens`.
    settings : mapping of str to object, optional
        What the methods depend on, kept with the table.
    checkpoint : RowsCheckpoint, optional
        Where the rows of finished lenses are kept; those it holds are not done again.
    progress : callable, optional
        Called with the number of finished lenses.

    Returns
    -------
    `~astropy.table.Table`
        A row for each lens and method; see `evaluate_lens`.

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
    held = {} if checkpoint is None else checkpoint.rows
    for index in range(number):
        own = held.get(str(index))
        if own is None:
            truth = to_truth(simulator.simulate(1, seed=seed, start=index), 0)
            own = evaluate_lens(truth, methods, oracle=oracle)
            if checkpoint is not None:
                checkpoint.add(str(index), own)
        rows += own
        if progress is not None:
            progress(index + 1)
    meta = {"simulator": simulator.name, "seed": seed, "number": number, **(settings or {})}
    return rows_table(rows, meta)

r"""What a start from the networks saves the refinement, against a blind one.

Run from the top of the checkout, on one thread; lenses that ``--folder`` holds are not done
again, and with ``--minutes 0`` the table is written anew and nothing is fitted::

    OMP_NUM_THREADS=1 python benchmarks/warm_start.py --number 20 --folder runs/warm \
        --output docs/results/warm_start.inc

Each lens of *foundation* is fitted from every start in one process, in an order that changes
from lens to lens, and every point at which a descent evaluates its objective is kept with the
processor time spent until then, the networks' own included. Afterwards one measure judges all
points: the log posterior, source and light solved, on the source pixels and under the prior of
whichever end has the largest evidence. Far from there it is taken from the curvature at that
end; points that come near are evaluated.
"""

from __future__ import annotations

import argparse
import time
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any
from unittest import mock

import numpy as np
import torch
from list_table import list_table

from astrorim import __version__
from astrorim.inference import lens_search, refinement
from astrorim.inference.blind_start import StartOptions
from astrorim.inference.evaluation import FIRST_EVALUATION_SEED
from astrorim.inference.lens_search import SearchOptions, fit_lens
from astrorim.inference.rows_checkpoint import RowsCheckpoint
from astrorim.interchange import truth_of
from astrorim.lensing.forward import ForwardModel
from astrorim.lensing.system import LensSystem
from astrorim.plugins import load_plugins
from astrorim.rim import RIMReconstructor
from astrorim.rim.parameter_step import is_positive, to_coordinates
from astrorim.rim.tensors import batch_observations

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from numpy.typing import ArrayLike
    from torch import Tensor

    from astrorim.inference.lens_fit import LensFit
    from astrorim.inference.refinement import RefinementState
    from astrorim.results.lens_truth import LensTruth

_FRAME = 256
_BLIND, _AROUND, _ALONE = "blind", "networks", "networks alone"
_STARTS = {
    _BLIND: "blind",
    _AROUND: "networks, and radii around theirs (``--start rim``)",
    _ALONE: "networks, nothing beside",
}
_TOLERANCES = (2.0, 5.0)  # of the log posterior below the best end
_NEAR = 40.0  # of the log posterior by the curvature: farther points are not evaluated
_FAR = 10.0  # of the log posterior, by which an end is another solution
_WRONG = 0.1  # of the Einstein radius


def main() -> None:
    """Fit lens after lens, write the table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--number", type=int, default=20, help="lenses")
    parser.add_argument("--minutes", type=float, default=float("inf"))
    parser.add_argument("--folder", type=Path, required=True, help="where lenses are kept")
    parser.add_argument("--output", type=Path, required=True, help="where the table goes")
    args = parser.parse_args()
    if torch.get_num_threads() != 1:
        parser.error(
            f"processor time is of one thread, got {torch.get_num_threads()}: "
            "set OMP_NUM_THREADS=1"
        )
    networks = RIMReconstructor.load()
    simulator = load_plugins().simulators.create("foundation")
    settings = {
        "seed": FIRST_EVALUATION_SEED,
        "encoder": networks.encoder.sha256,
        "recurrence": networks.recurrence.sha256,
        "astrorim": __version__,
    }
    kept = RowsCheckpoint(args.folder / "lenses.jsonl", settings)
    ends = time.monotonic() + 60 * args.minutes
    missing = [index for index in range(args.number) if str(index) not in kept.rows]
    for index in missing:
        if time.monotonic() > ends:
            break
        truth = truth_of(simulator.simulate(1, seed=FIRST_EVALUATION_SEED, start=index), 0)
        if index == missing[0]:
            # The first call of all does what later ones need not do again.
            networks.reconstruct(truth.observation)
        kept.add(str(index), judge(truth, networks))
    lenses = [kept.rows[key] for key in sorted(kept.rows, key=int)][: args.number]
    if not lenses:
        parser.error("--minutes are too few for one lens")
    args.output.write_text(_report(lenses), encoding="utf-8")


def judge(truth: LensTruth, networks: RIMReconstructor) -> list[dict[str, Any]]:
    """Fit one lens from every start.

    Parameters
    ----------
    truth : LensTruth
        The lens.
    networks : RIMReconstructor
        What gives the warm starts.

    Returns
    -------
    list of dict
        A row for each start: seconds of the networks and in all, the error of the Einstein
        radius, and the log posterior of the points by the time they were met, less the
        largest of an end.
    """
    plugins = load_plugins()
    system = LensSystem(
        plugins.lens_models.resolve(truth.lens_model),
        plugins.light_models.resolve(truth.light_model),
    )
    batch = batch_observations([truth.observation], size=_FRAME)
    model = ForwardModel(system, batch.data)
    used = model.data.good[0] > 0
    begun = time.process_time()
    first = networks.reconstruct(truth.observation, seed=truth.index)
    own_seconds = time.process_time() - begun
    known = first.lens | {f"light_{name}": value for name, value in first.light.items()}
    given = model.data.image.new_tensor(
        [[1.0 if p.linear else known[p.name] for p in system.parameters]]
    )
    names, runs = list(_STARTS), {}
    turned = names[truth.index % len(names) :] + names[: truth.index % len(names)]
    for name in turned:
        runs[name] = _run(model, used, None if name == _BLIND else given, name)
    fit, best = max(
        (run[:2] for run in runs.values()), key=lambda pair: pair[1].inversion.log_evidence
    )
    measure = _Measure(fit, best)
    place = system.parameters.index_of("theta_E")
    rows = []
    for name in names:
        _, state, points, seconds = runs[name]
        spent = 0.0 if name == _BLIND else own_seconds
        points = [(0.0, given)] * (name != _BLIND) + points
        rows.append(
            {
                "start": name,
                "network_seconds": spent,
                "seconds": seconds + spent,
                "radius_error": float(state.values[0, place]) / truth.lens["theta_E"] - 1,
                "end": measure.exactly(state.values),
                "points": [(spent + when, measure.near(point)) for when, point in points],
            }
        )
    largest = max(row["end"] for row in rows)
    for row in rows:
        row["end"] -= largest
        row["points"] = [(when, value - largest) for when, value in row["points"]]
    return rows


class _Measure:
    """Log posterior on the source pixels and under the prior of one end."""

    def __init__(self, fit: LensFit, state: RefinementState) -> None:
        if state.covariance is None:
            raise ValueError("the end must come with its covariance, got none")
        self._fit, self._state = fit, state
        parameters = [fit.model.system.parameters[i] for i in fit.nonlinear]
        self._positive = is_positive(parameters, state.values)
        self._curvature = torch.linalg.pinv(state.covariance, hermitian=True)
        self._place = self._coordinates(state.values)
        self._here = self.exactly(state.values)
        self._known: dict[tuple[float, ...], float] = {}

    def _coordinates(self, values: Tensor) -> Tensor:
        return to_coordinates(values[0, self._fit.nonlinear].double(), self._positive)

    def exactly(self, values: Tensor) -> float:
        """At parameters (1, P), with source and amplitudes solved."""
        strength = self._state.inversion.strength
        at = refinement.evaluate(self._fit, values, self._state.frames, strength)
        return -at.objective / 2

    def near(self, values: Tensor) -> float:
        """The same where it is near that of the end, else by the end's curvature."""
        place = self._coordinates(values)
        key = tuple(place.tolist())
        if key not in self._known:
            step = place - self._place
            lost = float(step @ self._curvature @ step) / 2
            self._known[key] = self.exactly(values) if lost < _NEAR else self._here - lost
        return self._known[key]


def _run(
    model: ForwardModel, used: Tensor, given: Tensor | None, name: str
) -> tuple[LensFit, RefinementState, list[tuple[float, Tensor]], float]:
    """One fit with the points that it evaluated and when, and the seconds in all."""
    options = SearchOptions()
    if name == _ALONE and given is not None:
        radius = float(given[0, model.system.parameters.index_of("theta_E")])
        nothing = StartOptions(theta_e_range=(radius, radius), num_radii=0, num_followed=1)
        options = SearchOptions(start=nothing)
    begun = time.process_time()
    with _recorded(begun) as points:
        fit, state = fit_lens(model, used, given, options)
        seconds = time.process_time() - begun
    return fit, state, points, seconds


@contextmanager
def _recorded(begun: float) -> Iterator[list[tuple[float, Tensor]]]:
    """Keep the points that descents evaluate, and those that the search ends with."""
    points: list[tuple[float, Tensor]] = []
    evaluate, search = refinement.evaluate, lens_search.search_starts

    def kept(fit: LensFit, values: Tensor, *args: Any, **options: Any) -> RefinementState:
        state = evaluate(fit, values, *args, **options)
        points.append((time.process_time() - begun, state.values.clone()))
        return state

    def searched(*args: Any) -> Any:
        starts = search(*args)
        when = time.process_time() - begun
        points.extend((when, values[None].clone()) for values in starts.values)
        return starts

    with (
        mock.patch.object(refinement, "evaluate", kept),
        mock.patch.object(lens_search, "search_starts", searched),
    ):
        yield points


def _until(row: Mapping[str, Any], tolerance: float) -> float:
    """Seconds until the first point within a tolerance of the best end; NaN if none is."""
    return min((when for when, lost in row["points"] if lost >= -tolerance), default=np.nan)


def _report(lenses: list[list[dict[str, Any]]]) -> str:
    """The table."""
    made = (
        f"Written on {datetime.now(UTC):%Y-%m-%d} by AstroRIM {__version__}: "
        f"{len(lenses)} lenses of *foundation*, seconds of one core, medians with the 10th and "
        "90th percentile."
    )
    blind = [_of(rows, _BLIND) for rows in lenses]
    columns = [_column([_of(rows, name) for rows in lenses], blind) for name in _STARTS]
    table = [("start", *_STARTS.values())]
    table += [(name, *(column[name] for column in columns)) for name in columns[0]]
    return "\n".join([made, "", *list_table(table)]) + "\n"


def _column(rows: list[dict[str, Any]], blind: list[dict[str, Any]]) -> dict[str, str]:
    """Cells of one start."""
    cells = {"seconds of the networks": _interval([row["network_seconds"] for row in rows])}
    for tolerance in _TOLERANCES:
        until = np.array([_until(row, tolerance) for row in rows])
        until_blind = np.array([_until(row, tolerance) for row in blind])
        cells |= {
            f"seconds until {tolerance:g} below the best end": _interval(until),
            f"blind start's over these, {tolerance:g} below": _interval(until_blind / until),
            f"never within {tolerance:g}": _count(~np.isfinite(until)),
        }
    whole = np.array([row["seconds"] for row in rows])
    return cells | {
        "seconds until the end": _interval(whole),
        "blind start's over these, until the end": _interval(
            np.array([row["seconds"] for row in blind]) / whole
        ),
        f"end more than {_FAR:g} below the best": _count([row["end"] < -_FAR for row in rows]),
        "Einstein radius off by over a tenth": _count(
            [not abs(row["radius_error"]) <= _WRONG for row in rows]
        ),
    }


def _of(rows: list[dict[str, Any]], name: str) -> dict[str, Any]:
    return next(row for row in rows if row["start"] == name)


def _interval(values: ArrayLike) -> str:
    """Median with the 10th and 90th percentile of what is there."""
    kept = np.asarray(values)[np.isfinite(values)]
    if not len(kept):
        return ""
    low, middle, high = np.percentile(kept, [10, 50, 90])
    return f"{middle:.3g} ({low:.3g} to {high:.3g})"


def _count(chosen: ArrayLike) -> str:
    return f"{int(np.sum(chosen))} of {len(np.asarray(chosen))}"


if __name__ == "__main__":
    main()

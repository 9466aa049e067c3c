r"""How often lenses like and unlike those of the training are flagged as unlike them.

Run from the top of the checkout; lenses that ``--folder`` holds are not done again::

    python benchmarks/outside_training.py --folder runs/outside \
        --output docs/results/outside_cases.inc

All are lenses of *foundation*, on which encoder and recurrence were trained, and the same with
one thing changed. The limits of the flag were chosen on the first of them as they are.
"""

from __future__ import annotations

import argparse
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

import astropy.units as u
import numpy as np
from astropy.nddata import StdDevUncertainty
from list_table import list_table

from astrorim import LensObservation, __version__
from astrorim.inference.evaluation import FIRST_EVALUATION_SEED
from astrorim.inference.rows_checkpoint import RowsCheckpoint
from astrorim.interchange import truth_of
from astrorim.plugins import load_plugins
from astrorim.results.quality import ENCODER_DISAGREEMENT, TRAINING_DISTANCE
from astrorim.rim import RIMReconstructor

if TYPE_CHECKING:
    from collections.abc import Sequence

    from astrorim.interfaces import Simulator

_SEED = FIRST_EVALUATION_SEED + 99
_FLAG = "outside-training"
_WRONG = 0.1  # of the Einstein radius
_NOISIER = 10
_CASES = {
    "as they are, limits chosen on them": ("plain", range(48)),
    "as they are, others": ("plain", range(48, 100)),
    "pixels of 0.1 arcsec": ("coarse", range(10)),
    "ten times the noise": ("noisy", range(10)),
    "lens galaxy alone, no arcs": ("no arcs", range(10)),
}


def main() -> None:
    """Reconstruct lens after lens, write the table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--folder", type=Path, required=True, help="where lenses are kept")
    parser.add_argument("--output", type=Path, required=True, help="where the table goes")
    args = parser.parse_args()
    networks = RIMReconstructor.load()
    simulator = load_plugins().simulators.create("foundation")
    settings = {
        "seed": _SEED,
        "encoder": networks.encoder.sha256,
        "recurrence": networks.recurrence.sha256,
        "astrorim": __version__,
    }
    kept = RowsCheckpoint(args.folder / "lenses.jsonl", settings)
    for change, indices in _CASES.values():
        for index in indices:
            if f"{change} {index}" not in kept.rows:
                row = _judge(simulator, index, change, networks)
                kept.add(f"{change} {index}", [row])
    made = f"Written on {datetime.now(UTC):%Y-%m-%d} by AstroRIM {__version__}."
    head = ("flagged", "Einstein radius off by over a tenth", "of these flagged")
    table = [("lenses of *foundation*", *head)]
    for name, (change, indices) in _CASES.items():
        rows = [kept.rows[f"{change} {index}"][0] for index in indices]
        table.append((name, *_cells(rows, lensed=change != "no arcs")))
    text = "\n".join([made, "", *list_table(table)])
    args.output.write_text(text + "\n", encoding="utf-8")


def _judge(
    simulator: Simulator, index: int, change: str, networks: RIMReconstructor
) -> dict[str, Any]:
    """Reconstruct one lens, changed."""
    options = {"pixel_scale": 0.1} if change == "coarse" else {}
    batch = simulator.simulate(1, seed=_SEED, start=index, **options)
    truth = truth_of(batch, 0)
    observation = truth.observation
    if change in ("noisy", "no arcs"):
        light = batch.lens_light[0].double().numpy()
        observation = _changed(observation, index, None if change == "noisy" else light)
    result = networks.reconstruct(observation, seed=index)
    return {
        ENCODER_DISAGREEMENT: result.provenance[ENCODER_DISAGREEMENT],
        TRAINING_DISTANCE: result.provenance[TRAINING_DISTANCE],
        "error": result.lens["theta_E"] / truth.lens["theta_E"] - 1,
        "flags": sorted(result.flags),
    }


def _changed(
    observation: LensObservation, index: int, light: np.ndarray | None
) -> LensObservation:
    """The same with more noise, or with nothing but the lens galaxy's light."""
    noise = np.asarray(observation.noise, dtype=float)
    drawn = np.random.default_rng(index).normal(size=noise.shape) * noise
    if light is None:
        image = np.asarray(observation.data) + drawn * (_NOISIER**2 - 1) ** 0.5
        noise = _NOISIER * noise
    else:
        image = light + drawn
    return LensObservation(
        image,
        uncertainty=StdDevUncertainty(noise),
        unit=observation.unit,
        psf=observation.psf,
        psf_supersampling=observation.psf_supersampling,
        pixel_scale=observation.grid.pixel_scale * u.arcsec,
        name=observation.name,
    )


def _cells(rows: Sequence[dict[str, Any]], *, lensed: bool) -> list[str]:
    """Counts of one case."""
    flagged = [_FLAG in row["flags"] for row in rows]
    cells = [f"{sum(flagged)} of {len(rows)}"]
    if not lensed:
        return [*cells, "", ""]
    wrong = [abs(row["error"]) > _WRONG for row in rows]
    caught = sum(f for f, w in zip(flagged, wrong, strict=True) if w)
    return [*cells, f"{sum(wrong)} of {len(rows)}", f"{caught} of {sum(wrong)}"]


if __name__ == "__main__":
    main()

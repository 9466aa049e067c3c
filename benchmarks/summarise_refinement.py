r"""Put what ``astrorim calibrate --stage map`` measured into a table for the documentation.

Run from the top of the checkout, for each simulator, after the calibration::

    astrorim calibrate --simulator foundation --stage map --lenses 100 --start-error 0.1 \
        --output-dir runs/foundation
    python benchmarks/summarise_refinement.py runs/foundation \
        --output docs/results/refined_foundation.inc

Errors of the Einstein radius are relative: of the SIE's own where the truth is one with shear
(foundation), else of the effective one, of mean convergence one.
"""

from __future__ import annotations

import argparse
from datetime import UTC, datetime
from pathlib import Path

import numpy as np
from list_table import list_table

from astrorim import __version__
from astrorim.plugins import load_plugins
from astrorim.results.apertures import effective_einstein_radius

_BEST = "best_"
_FRAME = 96 * 96  # pixels whose chi-square is judged


def main() -> None:
    """Read the lenses, write the table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("folder", type=Path, help="output directory of the calibration")
    parser.add_argument(
        "--own-radius", action="store_true", help="compare the SIE's own Einstein radius"
    )
    parser.add_argument("--output", type=Path, required=True)
    args = parser.parse_args()
    lenses = [_read(path) for path in sorted((args.folder / "lenses").glob("*.npz"))]
    done = [lens for lens in lenses if lens]
    column = {
        name: np.array([lens[name] for lens in done])
        for name in ("einstein_radius", "reduced_chi2", "true_reduced_chi2", "seconds")
    }
    if args.own_radius:
        radius = np.array([lens[_BEST + "theta_E"] for lens in done])
        error = radius / np.array([lens["true_theta_E"] for lens in done]) - 1
    else:
        error = np.array([_effective(lens) for lens in done]) / column["einstein_radius"] - 1
    size = abs(error)
    within = column["reduced_chi2"] < column["true_reduced_chi2"] + 3 * (2 / _FRAME) ** 0.5
    rows = {
        "lenses": f"{len(done)}, {len(lenses) - len(done)} failed",
        "error of the Einstein radius, median (10 to 90 %)": _interval(100 * size, " %"),
        "its bias, median": f"{100 * np.median(error):+.3f} %",
        "beyond 1 %": _fraction(size > 0.01),
        "beyond 10 %": _fraction(size > 0.1),
        "reduced chi-square, median (10 to 90 %)": _interval(column["reduced_chi2"], ""),
        "within three deviations of the noise's": _fraction(within),
        "seconds, median (10 to 90 %)": _interval(column["seconds"], ""),
    }
    made = f"Written on {datetime.now(UTC):%Y-%m-%d} by AstroRIM {__version__}."
    lines = [made, "", *list_table(rows.items(), header=False)]
    args.output.write_text("\n".join(lines) + "\n", encoding="utf-8")
    print("\n".join(f"{name}: {value}" for name, value in rows.items()))


def _read(path: Path) -> dict[str, float]:
    """Statistics and the true Einstein radius of a lens; empty if it failed."""
    with np.load(path, allow_pickle=False) as file:
        if not file["samples"].size:
            return {}
        names, values = file["statistics_names"].tolist(), file["statistics"].tolist()
        truth = dict(zip(file["truth_names"].tolist(), file["truth"].tolist(), strict=True))
    return dict(zip(names, values, strict=True)) | {"true_theta_E": truth["theta_E"]}


def _effective(lens: dict[str, float]) -> float:
    model = load_plugins().lens_models.resolve("sie+shear")
    best = {
        name.removeprefix(_BEST): np.array([value])
        for name, value in lens.items()
        if name.startswith(_BEST)
    }
    return float(np.squeeze(effective_einstein_radius(model, best)))


def _interval(values: np.ndarray, unit: str) -> str:
    low, middle, high = np.percentile(values, [10, 50, 90])
    return f"{middle:.3g}{unit} ({low:.3g} to {high:.3g})"


def _fraction(chosen: np.ndarray) -> str:
    share = float(np.mean(chosen))
    error = (share * (1 - share) / len(chosen)) ** 0.5
    return f"{100 * share:.1f} ± {100 * error:.1f} %"


if __name__ == "__main__":
    main()

r"""Fit real lenses blind and compare with what others published.

The folder holds ``published.csv`` (columns name, bolton08_b_SIE, bolton08_q_SIE and
bolton08_PA_EofN) and, for each lens, ``NAME/image.fits``, ``noise.fits`` and ``psf.fits`` of
0.05 arcsec a pixel, north up and east left. Published values are looked at after the fit
only. Run from the top of the checkout::

    OMP_NUM_THREADS=1 python benchmarks/published_lenses.py FOLDER \
        --output docs/results/slacs.inc
"""

from __future__ import annotations

import argparse
import math
import time
from datetime import UTC, datetime
from pathlib import Path

import numpy as np
from astropy.table import Table
from list_table import list_table

from astrorim import LensObservation, __version__
from astrorim.inference import LensRefiner

_FLAT = 0.75  # published axis ratio below which position angles mean something


def main() -> None:
    """Fit all, write the table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--output", type=Path, required=True)
    parser.add_argument("--figures", type=Path, help="folder for the diagnostic figures")
    args = parser.parse_args()
    published = Table.read(args.folder / "published.csv")
    rows = [_fit(args.folder / row["name"], row, args.figures) for row in published]
    table = Table(rows)
    table.write(args.output.with_suffix(".ecsv"), format="ascii.ecsv", overwrite=True)
    args.output.write_text(_text(table), encoding="utf-8")


def _fit(folder: Path, published: Table.Row, figures: Path | None) -> dict[str, object]:
    observation = LensObservation.read(
        folder / "image.fits",
        uncertainty=folder / "noise.fits",
        psf=folder / "psf.fits",
        pixel_scale="0.05 arcsec",
        unit="electron/s",
    )
    began = time.perf_counter()
    result = LensRefiner().refine(observation)
    seconds = time.perf_counter() - began
    if figures is not None:
        from astrorim.plotting.diagnostic import plot_reconstruction

        figures.mkdir(parents=True, exist_ok=True)
        plot_reconstruction(result).savefig(figures / f"{folder.name}.png", dpi=80)
    phi = 0.5 * math.degrees(math.atan2(result.lens["e2"], result.lens["e1"]))
    row = {
        "name": folder.name,
        "theta_E": result.lens["theta_E"],
        "published": float(published["bolton08_b_SIE"]),
        "position_angle": (phi - 90) % 180,  # east of north: x points west
        "published_angle": float(published["bolton08_PA_EofN"]) % 180,
        "published_q": float(published["bolton08_q_SIE"]),
        "arc_reduced_chi2": result.arc_reduced_chi2,
        "seconds": seconds,
        "flags": " ".join(result.flags),
    }
    print(row, flush=True)
    return row


def _text(table: Table) -> str:
    difference = np.asarray(table["theta_E"] / table["published"] - 1)
    within = int((abs(difference) < 0.05).sum())
    summary = (
        f"Written on {datetime.now(UTC):%Y-%m-%d} by AstroRIM {__version__} with "
        f"``benchmarks/published_lenses.py``, one thread. Within 5 %: {within} of "
        f"{len(table)}; median absolute difference {100 * np.median(abs(difference)):.1f} %. "
        "Position angles, east of north, are compared where the published axis ratio is "
        f"below {_FLAT}."
    )
    header = ("lens", "Einstein radius", "published", "difference", "position angle")
    cells = [(*header, "published", "arc chi-square", "seconds", "flags")]
    for row, relative in zip(table, difference, strict=True):
        flat = row["published_q"] < _FLAT
        cells.append(
            (
                row["name"],
                f'{row["theta_E"]:.3f}"',
                f'{row["published"]:.2f}"',
                f"{100 * relative:+.1f} %",
                f"{row['position_angle']:.0f}°" if flat else "",
                f"{row['published_angle']:.0f}°" if flat else "",
                f"{row['arc_reduced_chi2']:.2f}",
                f"{row['seconds']:.0f}",
                row["flags"],
            )
        )
    return "\n".join([summary, "", *list_table(cells)]) + "\n"


if __name__ == "__main__":
    main()

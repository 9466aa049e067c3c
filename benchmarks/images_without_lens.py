r"""Fit images that hold no lens blind, and some that do, and see which are flagged.

Noise, a star, galaxies of many shapes, galaxies with stars or galaxies beside them, two stars
on opposite sides, a saturated core; with the sampling of HST (0.05 arcsec a pixel, PSF 0.1
arcsec wide) and from the ground (0.2, 0.7). Sky noise is one a pixel; fluxes are in that
unit, and every pixel has photon noise too. Lenses are simulated ones. Run from the top of the
checkout; what is finished is not fitted again::

    OMP_NUM_THREADS=1 python benchmarks/images_without_lens.py runs/no_lens --seed 2 \
        --output docs/results/without_lens.inc
"""

from __future__ import annotations

import argparse
import json
import math
import time
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path

import astropy.units as u
import numpy as np
from astropy.nddata import StdDevUncertainty
from list_table import list_table
from scipy.signal import fftconvolve
from scipy.special import gammaincinv

from astrorim import LensObservation, __version__
from astrorim.inference import LensRefiner
from astrorim.interchange import to_observation
from astrorim.plugins import load_plugins
from astrorim.results.quality import LENSING_ODDS, PREDICTED_SHARE, SOURCE_ODDS

_SUB = 5  # sub-pixels along the side of a pixel
_NOT_A_LENS = {"no-source-needed", "lensing-not-needed", "images-unrelated"}


class Scene:
    """Galaxies and stars on a detector.

    Parameters
    ----------
    side : int
        Pixels.
    scale : float
        Of a pixel, arcsec.
    fwhm : float
        Of the PSF's core, arcsec; 3 % of its peak are 2.5 times as wide.
    """

    def __init__(self, side: int = 101, scale: float = 0.05, fwhm: float = 0.1):
        self.side, self.scale, self.sigma = side, scale, fwhm / 2.3548
        self.x, self.y = self._positions(side)
        self.galaxies = np.zeros_like(self.x)
        self.stars = np.zeros_like(self.x)
        kernel = self._star(*self._positions(2 * math.ceil(4 * fwhm / scale) + 1))
        self._unit = kernel.sum()
        self.kernel = kernel / self._unit

    def _positions(self, side: int) -> tuple[np.ndarray, np.ndarray]:
        number = side * _SUB
        steps = (np.arange(number) - (number - 1) / 2) * self.scale / _SUB
        x, y = np.meshgrid(steps, steps)
        return x, y

    def _star(self, x: np.ndarray, y: np.ndarray) -> np.ndarray:
        square = (x**2 + y**2) / (2 * self.sigma**2)
        return np.exp(-square) + 0.03 * np.exp(-square / 2.5**2)

    def galaxy(
        self, flux, radius, index, q, phi=0.4, x0=0.0, y0=0.0, boxy=0.0, twist=0.0, arms=0.0
    ) -> Scene:
        """Add a Sersic profile, twisted by an angle, boxy, or with two arms."""
        x, y = self.x - x0, self.y - y0
        phi = phi + twist * np.log1p(np.hypot(x, y) / radius)
        major = np.sqrt(q) * (x * np.cos(phi) + y * np.sin(phi))
        minor = (y * np.cos(phi) - x * np.sin(phi)) / np.sqrt(q)
        power = 2 + boxy
        share = (abs(major) ** power + abs(minor) ** power) ** (1 / power) / radius + 1e-4
        light = np.exp(-gammaincinv(2 * index, 0.5) * (share ** (1 / index) - 1))
        spiral = np.cos(2 * (np.arctan2(minor, major) - 3 * np.log(share + 0.1)))
        light *= 1 + arms * spiral * np.clip(share, 0, 1)
        self.galaxies += flux * light / light.sum()
        return self

    def star(self, flux, x, y) -> Scene:
        """Add a star."""
        self.stars += flux * self._star(self.x - x, self.y - y) / self._unit
        return self

    def observe(self, seed: int, saturation: float = math.inf) -> LensObservation:
        """Expose, with noise and a saturated core if asked for."""
        sharp = fftconvolve(self.galaxies, self.kernel, mode="same") + self.stars
        image = _binned(sharp)
        noise = np.sqrt(1 + np.clip(image, 0, None))
        image = image + noise * np.random.default_rng(seed).standard_normal(image.shape)
        return LensObservation(
            np.minimum(image, saturation),
            unit=u.electron,
            uncertainty=StdDevUncertainty(noise),
            psf=_binned(self.kernel),
            pixel_scale=self.scale * u.arcsec,
        )


def _binned(image: np.ndarray) -> np.ndarray:
    side = len(image) // _SUB
    return image.reshape(side, _SUB, side, _SUB).sum(axis=(1, 3))


def without_lens(seed: int) -> dict[str, Callable[[], LensObservation]]:
    """Images without a lens, by what they show; places and angles are drawn with the seed."""
    rng = np.random.default_rng([seed, 0])
    turn, phi = rng.uniform(0, 2 * np.pi), rng.uniform(0, np.pi)

    def at(radius, angle=0.0):
        return radius * np.cos(turn + angle), radius * np.sin(turn + angle)

    def ground():
        return Scene(51, 0.2, 0.7)

    def usual():
        return Scene().galaxy(2e4, 0.8, 4, 0.8, phi)

    scenes = {
        "noise": Scene,
        "a star": lambda: Scene().star(5e4, 0.01, -0.02),
        "galaxy, n = 4, faint": lambda: Scene().galaxy(1.5e3, 0.8, 4, 0.7, phi),
        "galaxy, n = 4": lambda: Scene().galaxy(1.5e4, 0.8, 4, 0.7, phi),
        "galaxy, n = 1, bright": lambda: Scene().galaxy(1.5e5, 0.8, 1, 0.7, phi),
        "galaxy, n = 4, bright": lambda: Scene().galaxy(1.5e5, 0.8, 4, 0.7, phi),
        "disc and bulge": lambda: (
            Scene().galaxy(6e4, 0.3, 4, 0.9, phi).galaxy(8e4, 1.0, 1, 0.35, phi + 0.3)
        ),
        "twisted isophotes": lambda: Scene().galaxy(1e5, 0.8, 4, 0.6, phi, twist=0.7),
        "boxy isophotes": lambda: Scene().galaxy(1e5, 0.8, 4, 0.6, phi, boxy=0.5),
        "spiral": lambda: (
            Scene().galaxy(4e4, 0.3, 3, 0.9, phi).galaxy(1e5, 1.0, 1, 0.7, phi, arms=0.4)
        ),
        'galaxy, star at 1.2", faint': lambda: usual().star(300, *at(1.2)),
        'galaxy, star at 1.2"': lambda: usual().star(3e3, *at(1.2)),
        'galaxy, star at 1.2", bright': lambda: usual().star(3e4, *at(1.2)),
        'galaxy, star at 2"': lambda: usual().star(3e3, *at(2.0)),
        'galaxy, another at 1.3"': lambda: usual().galaxy(2e3, 0.2, 1, 0.6, 1.0, *at(1.3)),
        'galaxy, another at 2"': lambda: usual().galaxy(4e3, 0.3, 2, 0.6, 1.0, *at(2.0)),
        "two stars, equal, opposite": lambda: (
            usual().star(2e3, *at(1.1)).star(1900, *at(1.08, math.pi + 0.02))
        ),
        "two stars like a double": lambda: (
            usual().star(3e3, *at(1.34)).star(1e3, *at(0.83, math.pi + 0.03))
        ),
        "two stars at 60 degrees": lambda: usual().star(3e3, *at(1.1)).star(1500, *at(0.92, 1)),
        "ground: galaxy": lambda: ground().galaxy(3e4, 1.2, 4, 0.7, phi),
        "ground: galaxy and star": lambda: (
            ground().galaxy(2e4, 1.2, 4, 0.7, phi).star(4e3, *at(1.75))
        ),
        "ground: spiral": lambda: (
            ground().galaxy(4e4, 0.5, 3, 0.9, phi).galaxy(1e5, 2.0, 1, 0.7, phi, arms=0.4)
        ),
    }
    images = {name: lambda make=make: make().observe(seed) for name, make in scenes.items()}
    bright = scenes["galaxy, n = 4, bright"]
    images["saturated core"] = lambda: bright().observe(seed, saturation=600.0)
    return images


def with_lens(seed: int, number: int) -> dict[str, Callable[[], LensObservation]]:
    """Simulated lenses."""
    simulator = load_plugins().simulators.create("foundation")

    def make(index):
        return to_observation(simulator.simulate(1, seed=seed, start=index), 0)

    return {f"lens {i}": lambda i=i: make(i) for i in range(number)}


def _fit(make: Callable[[], LensObservation]) -> dict[str, object]:
    began = time.process_time()
    result = LensRefiner().refine(make())
    return {
        "theta_E": result.lens["theta_E"],
        "error": float(np.std(result.samples["theta_E"])),
        **{k: result.provenance[k] for k in (SOURCE_ODDS, LENSING_ODDS, PREDICTED_SHARE)},
        "flags": list(result.flags),
        "seconds": time.process_time() - began,
    }


def main() -> None:
    """Fit all, write the table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("folder", type=Path, help="for what is finished")
    parser.add_argument("--seed", type=int, default=2)
    parser.add_argument("--lenses", type=int, default=4)
    parser.add_argument("--only", nargs="+", help="parts of the names to fit")
    parser.add_argument("--finished", action="store_true", help="tabulate, fit nothing more")
    parser.add_argument("--output", type=Path, required=True)
    args = parser.parse_args()
    args.folder.mkdir(parents=True, exist_ok=True)
    rows = {}
    images = without_lens(args.seed) | with_lens(args.seed, args.lenses)
    for name, make in images.items():
        if args.only and not any(part in name for part in args.only):
            continue
        safe = "".join(c if c.isalnum() else "_" for c in name)
        path = args.folder / f"{safe}_{args.seed}.json"
        if args.finished and not path.exists():
            continue
        if not path.exists():
            path.write_text(json.dumps(_fit(make)), encoding="utf-8")
        rows[name] = json.loads(path.read_text(encoding="utf-8"))
        print(name, rows[name], flush=True)
    args.output.write_text(_text(rows), encoding="utf-8")


def _text(rows: dict[str, dict]) -> str:
    none = [name for name in rows if not name.startswith("lens ")]
    missed = [name for name in none if not rows[name]["flags"]]
    named = [name for name in none if _NOT_A_LENS & set(rows[name]["flags"])]
    lenses = [name for name in rows if name.startswith("lens ")]
    alarms = [name for name in lenses if _NOT_A_LENS & set(rows[name]["flags"])]
    summary = (
        f"Written on {datetime.now(UTC):%Y-%m-%d} by AstroRIM {__version__} with "
        f"``benchmarks/images_without_lens.py``. Of {len(none)} images without a lens "
        f"{len(none) - len(missed)} are flagged, {len(named)} as no lens; of {len(lenses)} "
        f"simulated lenses {len(alarms)} are flagged as none."
    )
    cells = [("image", "Einstein radius", "ln odds", "predicted", "flags")]
    cells += [
        (
            name,
            f'{row["theta_E"]:.3f} ± {row["error"]:.3f}"',
            f"{row[LENSING_ODDS]:.0f}",
            f"{row[PREDICTED_SHARE]:.2f}",
            " ".join(row["flags"]),
        )
        for name, row in rows.items()
    ]
    return "\n".join([summary, "", *list_table(cells)]) + "\n"


if __name__ == "__main__":
    main()

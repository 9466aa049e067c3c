r"""Weigh simulated lenses whose posteriors ``astrorim calibrate`` has kept.

The truth is a closed form, not this package: inside a circle of radius R an isothermal
ellipsoid of axis ratio q has the mean convergence

.. math:: \bar\kappa(R) = \frac{\theta_E}{R} \frac{2 \sqrt q}{\pi} K(1 - q^2),

with the complete elliptic integral K of parameter :math:`1 - q^2`, and a shear has none. Run
from the top of the checkout::

    astrorim calibrate --simulator foundation --stage map --lenses 100 --output-dir DIR
    python benchmarks/einstein_masses.py DIR --output docs/results/einstein_masses.inc
"""

from __future__ import annotations

import argparse
import json
import math
from datetime import UTC, datetime
from pathlib import Path

import astropy.units as u
import numpy as np
from astropy.cosmology import FlatLambdaCDM
from lenstronomy.Cosmo.lens_cosmo import LensCosmo
from scipy.special import ellipk

from astrorim import MassProfile, __version__
from astrorim.plugins import load_plugins

_COSMOLOGY = FlatLambdaCDM(H0=70, Om0=0.3)
_COVERED = {"68": (0.16, 0.84), "95": (0.025, 0.975)}


def main() -> None:
    """Weigh all lenses, write what was found."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("folder", type=Path, help="what astrorim calibrate has written")
    parser.add_argument("--output", type=Path, required=True)
    args = parser.parse_args()
    settings = json.loads((args.folder / "lenses" / "settings.json").read_text("utf-8"))
    simulator = load_plugins().simulators.create(settings["simulator"])
    rows = []
    for path in sorted((args.folder / "lenses").glob("lens_*.npz")):
        index = int(path.stem.removeprefix("lens_"))
        with np.load(path, allow_pickle=False) as held:
            if str(held["reason"]):
                continue
            samples = dict(zip(held["names"].tolist(), held["samples"], strict=True))
            numbers = zip(
                held["statistics_names"].tolist(), held["statistics"].tolist(), strict=True
            )
            best = {
                name.removeprefix("best_"): value
                for name, value in numbers
                if name.startswith("best_")
            }
        simulated = simulator.simulate(1, seed=settings["seed"], start=index)
        redshifts = [float(simulated.metadata[key][0]) for key in ("z_lens", "z_source")]
        truth = {name: float(value[0]) for name, value in simulated.lens.items()}
        rows.append(_weigh(settings["lens_model"], best, samples, truth, redshifts))
    args.output.write_text(_text(rows, settings), encoding="utf-8")
    print(_text(rows, settings))


def _weigh(
    lens_model: str,
    best: dict[str, float],
    samples: dict[str, np.ndarray],
    truth: dict[str, float],
    redshifts: list[float],
) -> dict[str, float]:
    """Errors of the masses of one lens, and whether intervals hold the truth."""
    profile = MassProfile.from_parameters(
        lens_model, best, *redshifts, cosmology=_COSMOLOGY, samples=samples
    )
    ellipticity = math.hypot(truth["e1"], truth["e2"])
    q = (1 - ellipticity) / (1 + ellipticity)
    # inside the circle of the true effective radius the mean convergence is one
    radius = truth["theta_E"] * 2 * math.sqrt(q) / math.pi * float(ellipk(1 - q**2))
    critical = LensCosmo(*redshifts, cosmo=_COSMOLOGY).sigma_crit_angle
    true_mass = critical * math.pi * radius**2
    row = {"einstein": float(profile.einstein_mass.to_value(u.Msun)) / true_mass - 1}
    inside = profile.enclosed_mass([radius] * u.arcsec)["mass"][0]
    row["inside"] = float(inside.to_value(u.Msun)) / true_mass - 1
    for name, edges in _COVERED.items():
        low, high = np.quantile(profile.einstein_radius_samples.to_value(u.arcsec), edges)
        row[f"covered_{name}"] = float(low <= radius <= high)
    return row


def _text(rows: list[dict[str, float]], settings: dict[str, object]) -> str:
    number = len(rows)

    def median(name: str) -> str:
        percent = 100 * np.array([row[name] for row in rows])
        return (
            f"{np.median(abs(percent)):.2f} % (90 % within "
            f"{np.quantile(abs(percent), 0.9):.2f} %; bias {np.median(percent):+.2f} %)"
        )

    def share(name: str) -> str:
        part = np.mean([row[name] for row in rows])
        return f"{100 * part:.0f} ± {100 * math.sqrt(part * (1 - part) / number):.0f} %"

    return (
        f"Written on {datetime.now(UTC):%Y-%m-%d} by AstroRIM {__version__} with "
        f"``benchmarks/einstein_masses.py`` from {number} lenses of "
        f"``{settings['simulator']}``, seed {settings['seed']}, stage "
        f"``{settings['stage']}``. Median error of the Einstein mass "
        f"{median('einstein')}, of the mass inside the true Einstein radius "
        f"{median('inside')}. The 68 % interval of the Einstein mass holds the truth of "
        f"{share('covered_68')}, the 95 % interval of {share('covered_95')}.\n"
    )


if __name__ == "__main__":
    main()

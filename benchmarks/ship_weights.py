"""Put trained weights into the package, their intervals calibrated on simulators.

Run after the trainings, from the top of the checkout; the page on the method in the
documentation has the commands that made the shipped weights::

    python benchmarks/ship_weights.py --encoder runs/encoder --recurrence runs/rim
    python benchmarks/ship_weights.py --recurrence runs/conv --number 40

The intervals of a pair are calibrated together, with the shipped network where one is left
out; their widths are kept with the recurrence.
"""

from __future__ import annotations

import argparse
from pathlib import Path

from astrorim.inference import measure_error_factors
from astrorim.plugins import load_plugins
from astrorim.rim import RIMReconstructor, load_checkpoint, save_checkpoint

_PACKAGE = Path(__file__).resolve().parents[1] / "astrorim_plugins" / "networks"
_CALIBRATION_SEED = 2


def main() -> None:
    """Calibrate and copy."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--encoder", type=Path, help="output directory of its training")
    parser.add_argument("--recurrence", type=Path, help="output directory of its training")
    parser.add_argument(
        "--simulators", nargs="+", default=["foundation"], help="what to calibrate on"
    )
    parser.add_argument("--number", type=int, default=100, help="lenses of each simulator")
    parser.add_argument("--num-iterations", type=int, default=10, help="rounds of inference")
    args = parser.parse_args()
    plugins = load_plugins()
    encoder, recurrence = (
        load_checkpoint(
            plugins.networks.create(default).weights()
            if directory is None
            else directory / "weights.safetensors",
            plugins,
        )
        for directory, default in (
            (args.encoder, "flow-encoder"),
            (args.recurrence, "unet-gru"),
        )
    )
    recurrence.settings.pop("error_factors", None)
    factors = measure_error_factors(
        RIMReconstructor(encoder, recurrence, plugins=plugins),
        [plugins.simulators.create(name) for name in args.simulators],
        args.number,
        seed=_CALIBRATION_SEED,
        num_iterations=args.num_iterations,
    )
    recurrence.settings["error_factors"] = factors
    recurrence.provenance["error_factors"] = {
        "simulators": args.simulators,
        "number": args.number,
        "seed": _CALIBRATION_SEED,
        "num_iterations": args.num_iterations,
    }
    for checkpoint in (encoder, recurrence) if args.encoder else (recurrence,):
        path = _PACKAGE / f"{checkpoint.backend.replace('-', '_')}.safetensors"
        save_checkpoint(checkpoint, path)
        print(f"{path.name}: {path.stat().st_size / 1e6:.1f} MB")
    for name, factor in factors.items():
        print(f"{name:28s}{factor:8.2f}")


if __name__ == "__main__":
    main()

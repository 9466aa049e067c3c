"""Put trained weights into the package, their intervals calibrated on simulators.

Run after the trainings, from the top of the checkout; the page on the method in the
documentation has the commands that made the shipped weights::

    python benchmarks/ship_weights.py --encoder runs/encoder --recurrence runs/rim
    python benchmarks/ship_weights.py --recurrence runs/conv --number 40
    python benchmarks/ship_weights.py --encoder runs/broad --half --no-calibration

The intervals of a pair are calibrated together, with the shipped network where one is left
out; their widths are kept with the recurrence. Without calibration what is given is copied.
"""

from __future__ import annotations

import argparse
from pathlib import Path

from astrorim.inference import measure_error_factors
from astrorim.interfaces import Simulator
from astrorim.plugins import load_plugins
from astrorim.rim import Checkpoint, RIMReconstructor, load_checkpoint, save_checkpoint

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
    parser.add_argument("--half", action="store_true", help="store in half precision")
    parser.add_argument(
        "--calibration", action=argparse.BooleanOptionalAction, default=True,
        help="calibrate the intervals",
    )  # fmt: skip
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
    if args.calibration:
        simulators = [plugins.simulators.create(name) for name in args.simulators]
        calibrate(encoder, recurrence, simulators, args.number, args.num_iterations)
    shipped = {"encoder": args.encoder, "recurrence": args.recurrence or args.calibration}
    for checkpoint in (encoder, recurrence):
        if not shipped[checkpoint.role]:
            continue
        if args.half:
            checkpoint.network.half()
        path = _PACKAGE / f"{checkpoint.backend.replace('-', '_')}.safetensors"
        save_checkpoint(checkpoint, path)
        print(f"{path.name}: {path.stat().st_size / 1e6:.1f} MB")


def calibrate(
    encoder: Checkpoint,
    recurrence: Checkpoint,
    simulators: list[Simulator],
    number: int,
    num_iterations: int,
) -> None:
    """Measure the widths of the intervals and keep them with the recurrence."""
    recurrence.settings.pop("error_factors", None)
    factors = measure_error_factors(
        RIMReconstructor(encoder, recurrence),
        simulators,
        number,
        seed=_CALIBRATION_SEED,
        num_iterations=num_iterations,
    )
    recurrence.settings["error_factors"] = factors
    recurrence.provenance["error_factors"] = {
        "simulators": [simulator.name for simulator in simulators],
        "number": number,
        "seed": _CALIBRATION_SEED,
        "num_iterations": num_iterations,
    }
    for name, factor in factors.items():
        print(f"{name:28s}{factor:8.2f}")


if __name__ == "__main__":
    main()

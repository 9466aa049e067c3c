"""Put trained weights into the package, their intervals calibrated on the simulator.

Run after both trainings, from the top of the checkout::

    astrorim train unet-gru --output-dir runs/rim --minutes 62 --batch-size 12 \
        --learning-rate 1.5e-3 --pixel-scales 0.036 0.056 --mixed-precision --num-threads 1
    astrorim train flow-encoder --output-dir runs/encoder --minutes 44 --batch-size 32 \
        --learning-rate 1e-3 --pixel-scales 0.036 0.056 --mixed-precision --num-threads 1 \
        --wide-light
    python benchmarks/ship_weights.py runs/encoder runs/rim
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
    parser.add_argument("encoder", type=Path, help="output directory of the encoder's training")
    parser.add_argument("recurrence", type=Path, help="the same of the recurrence's")
    parser.add_argument("--number", type=int, default=100, help="lenses to calibrate on")
    parser.add_argument("--num-iterations", type=int, default=10, help="rounds of inference")
    args = parser.parse_args()
    plugins = load_plugins()
    encoder = load_checkpoint(args.encoder / "weights.safetensors", plugins)
    recurrence = load_checkpoint(args.recurrence / "weights.safetensors", plugins)
    recurrence.settings.pop("error_factors", None)
    factors = measure_error_factors(
        RIMReconstructor(encoder, recurrence, plugins=plugins),
        plugins.simulators.create(recurrence.provenance["simulator"]),
        args.number,
        seed=_CALIBRATION_SEED,
        num_iterations=args.num_iterations,
    )
    recurrence.settings["error_factors"] = factors
    recurrence.provenance["error_factors"] = {
        "number": args.number,
        "seed": _CALIBRATION_SEED,
        "num_iterations": args.num_iterations,
    }
    for checkpoint in (encoder, recurrence):
        path = _PACKAGE / f"{checkpoint.backend.replace('-', '_')}.safetensors"
        save_checkpoint(checkpoint, path)
        print(f"{path.name}: {path.stat().st_size / 1e6:.1f} MB")
    for name, factor in factors.items():
        print(f"{name:28s}{factor:8.2f}")


if __name__ == "__main__":
    main()

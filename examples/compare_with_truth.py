"""Simulate a lens, reconstruct it, and compare the lens parameters with the truth.

Run it with ``python examples/compare_with_truth.py``.
"""

from __future__ import annotations

import logging

from astrorim import RIMReconstructor, load_plugins
from astrorim.interchange.simulated_pairs import to_observation

SEED = 1_000_000_011
"""Seeds from a thousand million on are for evaluation; training never uses them."""


def main() -> None:
    """Print, for three parameters, the truth and the 68 % interval that came out."""
    logging.basicConfig(level=logging.WARNING)
    simulated = load_plugins().simulators.create("foundation").simulate(1, seed=SEED)
    observation = to_observation(simulated, 0)
    result = RIMReconstructor.load().reconstruct(observation)

    for reported, internal in (("b", "theta_E"), ("x0", "x0"), ("y0", "y0")):
        value, lower, upper = result.parameter(reported)
        truth = float(simulated.lens[internal][0])
        interval = f"{lower:.3f} to {upper:.3f}"
        print(f"{reported:3} truth {truth:7.3f}, found {value:.3f} ({interval})")
    for flag, advice in result.flags.items():
        print(f"flag {flag}: {advice}")


if __name__ == "__main__":
    main()

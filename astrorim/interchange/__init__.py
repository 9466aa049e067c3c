"""Other representations of lenses and results: in and out of files that others read."""

from __future__ import annotations

from astrorim.interchange.simulated_pairs import finished_pairs, to_observation, write_pairs

__all__ = ["finished_pairs", "to_observation", "write_pairs"]

"""Other representations of lenses and results: in and out of files that others read."""

from __future__ import annotations

from astrorim.interchange.simulated_lenses import finished_pairs, write_asdf, write_pairs
from astrorim.interchange.simulated_pairs import to_observation
from astrorim.interchange.simulated_shards import write_shards

__all__ = ["finished_pairs", "to_observation", "write_asdf", "write_pairs", "write_shards"]

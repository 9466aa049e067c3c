"""Other representations of lenses and results: in and out of files that others read."""

from __future__ import annotations

from astrorim.interchange.coolest_files import read_coolest, write_coolest
from astrorim.interchange.lenstronomy_fitting import fitting_arguments
from astrorim.interchange.lenstronomy_models import (
    LensDescription,
    LenstronomyModel,
    data_to_lenstronomy,
    from_lenstronomy,
    to_lenstronomy,
)
from astrorim.interchange.lenstronomy_profiles import (
    lens_from_lenstronomy,
    lens_to_lenstronomy,
    light_from_lenstronomy,
    light_to_lenstronomy,
)
from astrorim.interchange.parameter_files import StartParameters, read_parameters
from astrorim.interchange.simulated_lenses import finished_pairs, write_asdf, write_pairs
from astrorim.interchange.simulated_pairs import to_observation
from astrorim.interchange.simulated_shards import write_shards
from astrorim.interchange.truth_files import read_truth, truth_of

__all__ = [
    "LensDescription",
    "LenstronomyModel",
    "StartParameters",
    "data_to_lenstronomy",
    "finished_pairs",
    "fitting_arguments",
    "from_lenstronomy",
    "lens_from_lenstronomy",
    "lens_to_lenstronomy",
    "light_from_lenstronomy",
    "light_to_lenstronomy",
    "read_coolest",
    "read_parameters",
    "read_truth",
    "to_lenstronomy",
    "to_observation",
    "truth_of",
    "write_asdf",
    "write_coolest",
    "write_pairs",
    "write_shards",
]

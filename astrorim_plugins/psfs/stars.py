"""Point spread function of the stars in an image."""

from __future__ import annotations

import os
from typing import Any, ClassVar

from astrorim.observation import LensObservation
from astrorim.observation.star_psf import psf_from_stars
from astrorim_plugins.psfs.measured import MeasuredPSF

__all__ = ["StarsPSF"]


class StarsPSF(MeasuredPSF):
    """A PSF built from the stars in the field of an image.

    Parameters
    ----------
    image : path or LensObservation
        A field with stars.
    **options
        As for `astrorim.observation.star_psf.psf_from_stars`.

    Raises
    ------
    ObservationError
        If there are too few usable stars.
    """

    name: ClassVar[str] = "stars"

    def __init__(self, image: str | os.PathLike[str] | LensObservation, **options: Any) -> None:
        observation: Any = image
        if not isinstance(image, LensObservation):
            observation = LensObservation.read(image)
        self.stars = psf_from_stars(observation, **options)
        """What was found: the stars, the width, and what was left out."""
        sampling = observation.pixel_scale.value / self.stars.supersampling
        super().__init__(self.stars.stamp, sampling)

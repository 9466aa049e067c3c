"""What may be done to an image before its reconstruction."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from astrorim.exceptions import ObservationError

if TYPE_CHECKING:
    import astropy.units as u

    from astrorim.observation.separate_files import Companion

__all__ = ["NOISE_SOURCES", "SKY_MODES", "Preparation"]

NOISE_SOURCES = ("auto", "file", "header", "sky+photons", "sky")
"""Where a noise map may come from."""

SKY_MODES = ("auto", "subtract", "keep")
"""What may be done with the sky."""


@dataclass(frozen=True)
class Preparation:
    """What is to be done to an image.

    Parameters
    ----------
    size : int or str or `~astropy.units.Quantity`, optional
        Side of the cutout, pixels or an angle; the whole frame by default.
    centre : {"auto", "frame"} or tuple of float or `~astropy.coordinates.SkyCoord`, optional
        The lens is found, is where the frame's centre is, or is at ``(column, row)`` or at
        a place on the sky. The middle of the cutout is the nearest pixel: nothing is
        interpolated.
    sky : {"auto", "subtract", "keep"}, optional
        ``auto`` subtracts it where it differs from zero by more than three errors and is
        more than ten times its own gradient, unless the file says that this was done.
    sky_radius : float, optional
        Radius about the lens that is left out of the sky, arcsec.
    noise_source : {"auto", "file", "header", "sky+photons", "sky"}, optional
        ``auto`` takes the first of weight, file, sky with photons, header and sky that is
        possible, and says which.
    read_noise : float, optional
        Of one exposure, electrons; the header's by default.
    sky_electrons : float, optional
        Sky that was taken off before, electrons per pixel, for ``header``.
    weight : path, (path, HDU) or ndarray, optional
        Weight map.
    weight_type : {"ivar", "relative", "exposure", "std", "variance"}, optional
        What its numbers are, where its extension's name does not say.
    pixel_scale : str or `~astropy.units.Quantity`, optional
        Side of the new pixels; the pixels stay as they are by default.
    cosmic_rays : bool, optional
        Whether hits of cosmic rays are found and masked.

    Raises
    ------
    ObservationError
        If a choice is unknown.
    """

    size: int | str | u.Quantity | None = None
    centre: Any = "auto"
    sky: str = "auto"
    sky_radius: float | None = None
    noise_source: str = "auto"
    read_noise: float | None = None
    sky_electrons: float | None = None
    weight: Companion | None = None
    weight_type: str | None = None
    pixel_scale: str | u.Quantity | None = None
    cosmic_rays: bool = False

    def __post_init__(self) -> None:
        for name, value, known in (
            ("noise_source", self.noise_source, NOISE_SOURCES),
            ("sky", self.sky, SKY_MODES),
        ):
            if value not in known:
                raise ObservationError(
                    f"{name} must be one of {', '.join(known)}, got {value!r}"
                )
        if isinstance(self.centre, str) and self.centre not in ("auto", "frame"):
            raise ObservationError(
                f"centre must be 'auto', 'frame', (column, row) or a SkyCoord, got "
                f"{self.centre!r}"
            )

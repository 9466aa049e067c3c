"""Several bands or exposures of one lens, each with its own PSF, noise and sky frame."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Any

import numpy as np

from astrorim.exceptions import ObservationError
from astrorim.observation.fits_files import image_hdus, open_fits
from astrorim.observation.instruments import find_companions, is_science
from astrorim.observation.lens_observation import LensObservation
from astrorim.observation.reader import read_fits

if TYPE_CHECKING:
    import os

    from astropy.coordinates import SkyCoord

__all__ = ["ObservationSet", "bands_of"]


def bands_of(path: str | os.PathLike[str]) -> dict[str, int]:
    """Bands or exposures that a FITS file holds, and the numbers of their HDUs.

    Parameters
    ----------
    path : str or path-like
        A file of any layout.

    Returns
    -------
    dict of str to int
        In the order of the file: the band of a layout by band, else EXTNAME, with EXTVER
        where several images have the same name. One entry for a file of one image.

    Raises
    ------
    ObservationError
        If the file cannot be read.
    """
    with open_fits(path) as hdul:
        images = image_hdus(hdul)
        science = [hdu for hdu in images if is_science(hdu.name)] or images[:1]
        found: dict[str, int] = {}
        for hdu in science:
            name = find_companions(hdul, hdu).band or hdu.name or "image"
            if name in found:
                name = f"{name}_{hdu.ver}"
            found[name] = next(n for n, each in enumerate(hdul) if each is hdu)
    return found


class ObservationSet(Mapping[str, LensObservation]):
    """Observations of one lens by the name of their band or exposure.

    Nothing is resampled: pixels, PSFs and noise stay those of each band. The redshifts
    must agree, because the lens is one.

    Parameters
    ----------
    observations : mapping of str to LensObservation
        At least one.

    Raises
    ------
    ObservationError
        If there is none, redshifts differ, or two sky frames do not overlap.

    Examples
    --------
    >>> import numpy as np
    >>> from astrorim.observation import LensObservation, ObservationSet
    >>> bands = {band: LensObservation(np.eye(9), unit="adu", pixel_scale="0.1 arcsec",
    ...                                band=band) for band in ("VIS", "NIR_Y")}
    >>> ObservationSet(bands)
    ObservationSet(VIS: 9 x 9 at 0.1 arcsec, NIR_Y: 9 x 9 at 0.1 arcsec)
    """

    def __init__(self, observations: Mapping[str, LensObservation]) -> None:
        self._observations = dict(observations)
        if not self._observations:
            raise ObservationError("an observation set must hold an observation, got none")
        for attribute in ("z_lens", "z_source"):
            values = {getattr(o, attribute) for o in self._observations.values()} - {None}
            if len(values) > 1:
                raise ObservationError(
                    f"{attribute} must be the same in all bands, got "
                    f"{', '.join(str(v) for v in sorted(values))}; are they one lens?"
                )
        self._check_sky()

    def _check_sky(self) -> None:
        centres = {name: self.centre(name) for name in self}
        known = {name: centre for name, centre in centres.items() if centre is not None}
        names = list(known)
        for name in names[1:]:
            distance = float(known[names[0]].separation(known[name]).arcsec)
            reach = sum(
                float(np.hypot(*self[each].grid.field_of_view)) / 2 for each in (names[0], name)
            )
            if distance > reach:
                raise ObservationError(
                    f"the sky frames of {names[0]!r} and {name!r} must overlap, but their "
                    f"centres are {distance:.1f} arcsec apart; are they one lens?"
                )

    def __getitem__(self, name: str) -> LensObservation:
        if name not in self._observations:
            raise KeyError(
                f"there is no band {name!r}; available: {', '.join(self._observations)}"
            )
        return self._observations[name]

    def __iter__(self) -> Iterator[str]:
        return iter(self._observations)

    def __len__(self) -> int:
        return len(self._observations)

    def __repr__(self) -> str:
        entries = [
            f"{name}: {o.shape[0]} x {o.shape[1]} at {o.grid.pixel_scale:g} arcsec"
            for name, o in self.items()
        ]
        return f"ObservationSet({', '.join(entries)})"

    def centre(self, name: str) -> SkyCoord | None:
        """Place on the sky of the middle of a band's frame.

        Parameters
        ----------
        name : str
            The band.

        Returns
        -------
        `~astropy.coordinates.SkyCoord` or None
            None where the band has no celestial WCS.
        """
        observation = self[name]
        if observation.wcs is None or not observation.wcs.has_celestial:
            return None
        ny, nx = observation.shape
        return observation.wcs.pixel_to_world((nx - 1) / 2, (ny - 1) / 2)

    @classmethod
    def read(
        cls,
        path: str | os.PathLike[str] | Mapping[str, str | os.PathLike[str]],
        *,
        bands: tuple[str, ...] | list[str] | None = None,
        **options: Any,
    ) -> ObservationSet:
        """Read the bands of one file, or one band from each of several.

        Parameters
        ----------
        path : path-like, or mapping of str to path-like
            A file of several bands or exposures, or a file for each name.
        bands : list of str, optional
            Which to read, in this order; all by default.
        **options
            As for `~astrorim.observation.read_fits`, the same for all bands.

        Returns
        -------
        ObservationSet

        Raises
        ------
        ObservationError
            If a band is not there or cannot be read; the message names it.
        """
        if isinstance(path, Mapping):
            sources: dict[str, tuple[Any, dict[str, Any]]] = {
                name: (each, {}) for name, each in path.items()
            }
        else:
            sources = {name: (path, {"hdu": hdu}) for name, hdu in bands_of(path).items()}
        observations = {}
        for name in sources if bands is None else bands:
            if name not in sources:
                raise ObservationError(
                    f"there is no band {name!r}; available: {', '.join(sources)}"
                )
            file, where = sources[name]
            try:
                observation = read_fits(file, **(options | where))
            except ObservationError as error:
                raise ObservationError(f"band {name!r}: {error}") from error
            observation.band = observation.band or name
            observations[name] = observation
        return cls(observations)

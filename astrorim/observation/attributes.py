"""The attributes that an observation has beyond those of a CCD image, each checked when set."""

from __future__ import annotations

import copy
from typing import TYPE_CHECKING, Any

import astropy.units as u
import numpy as np

from astrorim.exceptions import ObservationError
from astrorim.observation import checks
from astrorim.quantities import parse_pixel_scale, parse_quantity

if TYPE_CHECKING:
    from astropy.wcs import WCS

__all__ = ["ObservationAttributes"]

_PSF_SUM_TOLERANCE = 1e-6


class ObservationAttributes:
    """PSF, pixel scale, redshifts, exposure and gain of an image.

    A value that cannot be right is refused and leaves the old one in place.
    """

    band: str | None
    """Filter, or None."""

    name: str | None
    """Name of the lens, after which outputs are called, or None."""

    meta: Any
    wcs: WCS | None
    _psf: np.ndarray | None
    _psf_supersampling: int
    _pixel_scale: u.Quantity | None
    _z_lens: float | None
    _z_source: float | None
    _exposure: u.Quantity | None
    _gain: u.Quantity | None

    def _normalise_psf(self) -> None:
        if self._psf is None:
            return
        total = float(self._psf.sum(dtype=np.float64))
        if abs(total - 1) > _PSF_SUM_TOLERANCE:
            # the header may be shared with the object that this one was made from
            self.meta = copy.copy(self.meta)
            self.meta["PSFSUM"] = total
            self._psf = np.asarray(self._psf / total)

    @property
    def psf(self) -> np.ndarray | None:
        """PSF stamp, (K, K), sum one, K odd, or None."""
        return self._psf

    @psf.setter
    def psf(self, value: np.ndarray | None) -> None:
        if value is None:
            self._psf = None
            return
        if not isinstance(value, np.ndarray):
            raise TypeError(f"psf must be a numpy array, got {type(value).__name__}")
        checks.check_psf(value)
        self._psf = value
        if hasattr(self, "_meta"):
            self._normalise_psf()

    @property
    def psf_supersampling(self) -> int:
        """Elements of the PSF along the side of a detector pixel."""
        return self._psf_supersampling

    @psf_supersampling.setter
    def psf_supersampling(self, value: int) -> None:
        if int(value) != value or value < 1:
            raise ObservationError(
                f"psf_supersampling must be a positive integer, got {value!r}"
            )
        self._psf_supersampling = int(value)

    @property
    def z_lens(self) -> float | None:
        """Redshift of the lens, or None."""
        return self._z_lens

    @z_lens.setter
    def z_lens(self, value: float | None) -> None:
        self._set_redshifts(value, self._z_source)

    @property
    def z_source(self) -> float | None:
        """Redshift of the source, or None."""
        return self._z_source

    @z_source.setter
    def z_source(self, value: float | None) -> None:
        self._set_redshifts(self._z_lens, value)

    def _set_redshifts(self, z_lens: float | None, z_source: float | None) -> None:
        z_lens = None if z_lens is None else float(z_lens)
        z_source = None if z_source is None else float(z_source)
        checks.check_redshifts(z_lens, z_source)
        self._z_lens, self._z_source = z_lens, z_source

    @property
    def exposure(self) -> u.Quantity | None:
        """Exposure time, s, or None."""
        return self._exposure

    @exposure.setter
    def exposure(self, value: str | u.Quantity | None) -> None:
        self._exposure = None if value is None else parse_quantity(value, u.s, name="exposure")

    @property
    def gain(self) -> u.Quantity | None:
        """Electrons per count, electron/adu, or None."""
        return self._gain

    @gain.setter
    def gain(self, value: str | u.Quantity | None) -> None:
        unit = u.electron / u.adu
        self._gain = None if value is None else parse_quantity(value, unit, name="gain")

    @property
    def pixel_scale(self) -> u.Quantity:
        """Side of a pixel, arcsec per pixel: the WCS's, or else the one that was given.

        Raises
        ------
        ObservationError
            If neither exists, or the WCS's pixels are not square.
        """
        scale = checks.resolve_pixel_scale(self.wcs, self._pixel_scale)
        if scale is None:
            raise ObservationError(
                "the pixel scale is unknown: there is no celestial WCS; pass pixel_scale=, "
                'for example pixel_scale="0.05 arcsec"'
            )
        return scale

    @pixel_scale.setter
    def pixel_scale(self, value: str | u.Quantity) -> None:
        given = parse_pixel_scale(value)
        checks.resolve_pixel_scale(self.wcs, given)
        self._pixel_scale = given if self.wcs is None or not self.wcs.has_celestial else None

    def attributes(self) -> dict[str, Any]:
        """What this class adds to `~astropy.nddata.CCDData`, as keyword arguments.

        Returns
        -------
        dict
            ``pixel_scale`` is None where the WCS gives it.
        """
        return {
            "psf": self.psf,
            "psf_supersampling": self.psf_supersampling,
            "pixel_scale": self._pixel_scale,
            "band": self.band,
            "name": self.name,
            "z_lens": self.z_lens,
            "z_source": self.z_source,
            "exposure": self.exposure,
            "gain": self.gain,
        }

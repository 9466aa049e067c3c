"""Noise, PSF and mask that come in files, arrays or objects of their own."""

from __future__ import annotations

import os
from typing import Any, TypeAlias

import astropy.units as u
import numpy as np
from astropy.nddata import (
    InverseVariance,
    NDUncertainty,
    StdDevUncertainty,
    VarianceUncertainty,
)

from astrorim.exceptions import ObservationError
from astrorim.observation.fits_files import HDUKey, choose_image, open_fits, pixels_of
from astrorim.observation.instruments import role_of, uncertainty_class
from astrorim.quantities import parse_unit, to_native

__all__ = ["Companion", "flag_hopeless_noise", "load_mask", "load_psf", "load_uncertainty",
           "load_weight"]  # fmt: skip

Companion: TypeAlias = str | os.PathLike | tuple[str | os.PathLike, HDUKey] | np.ndarray | Any
"""A path, a path with an HDU, an array, or an object that holds one."""

_HOPELESS = 1e4
"""Noise this many times the quiet pixels' is a flag, not a measurement."""

_POWERS = {StdDevUncertainty: 1, VarianceUncertainty: 2, InverseVariance: -2}


def _is_file(value: Companion) -> bool:
    return isinstance(value, str | os.PathLike) or (
        isinstance(value, tuple) and len(value) == 2 and isinstance(value[0], str | os.PathLike)
    )


def _from_file(value: Companion, role: str, band: str | None) -> tuple[np.ndarray, Any]:
    """Pixels and header of the HDU that plays ``role`` in a file."""
    path, hdu = value if isinstance(value, tuple) else (value, None)
    with open_fits(path) as hdul:
        try:
            image = choose_image(hdul, hdu=hdu, band=band, role=role)
            return pixels_of(image, what=role), image.header.copy()
        except ObservationError as error:
            raise ObservationError(f"{os.fspath(path)!r}: {error}") from error


def load_psf(value: Companion, *, band: str | None = None) -> np.ndarray:
    """Load a PSF stamp.

    Parameters
    ----------
    value : path, (path, HDU), ndarray or object with ``data``
        The stamp, of any normalisation.
    band : str, optional
        Band to choose in a file that holds several.

    Returns
    -------
    ndarray, (K, K)
        As in the file; the observation checks and normalises it.

    Raises
    ------
    ObservationError
        If the file cannot be read or holds several stamps.
    """
    if _is_file(value):
        return _from_file(value, "psf", band)[0]
    return to_native(np.asarray(getattr(value, "data", value)))


def load_mask(value: Companion, *, band: str | None = None) -> np.ndarray:
    """Load a mask.

    Parameters
    ----------
    value : path, (path, HDU) or ndarray, (H, W)
        Anything but zero, NaN included, marks a pixel to ignore.
    band : str, optional
        Band to choose in a file that holds several.

    Returns
    -------
    ndarray of bool, (H, W)
        True where a pixel is to be ignored.

    Raises
    ------
    ObservationError
        If the file cannot be read or holds several masks.
    """
    array = _from_file(value, "mask", band)[0] if _is_file(value) else np.asarray(value)
    return array != 0


def load_weight(value: Companion, *, band: str | None = None) -> tuple[np.ndarray, str]:
    """Load a weight map, whatever its numbers mean.

    Parameters
    ----------
    value : path, (path, HDU) or ndarray, (H, W)
        The map.
    band : str, optional
        Band to choose in a file that holds several.

    Returns
    -------
    weight : ndarray, (H, W)
        As in the file.
    name : str
        EXTNAME of its HDU; empty where there is none.

    Raises
    ------
    ObservationError
        If the file cannot be read or holds several maps.
    """
    if _is_file(value):
        array, header = _from_file(value, "weight", band)
        return array, str(header.get("EXTNAME", ""))
    return to_native(np.asarray(value)), ""


def load_uncertainty(
    value: Companion,
    unit: u.UnitBase,
    *,
    kind: str | None = None,
    band: str | None = None,
    image_bunit: str = "",
) -> NDUncertainty:
    """Load a noise map.

    Parameters
    ----------
    value : path, (path, HDU), ndarray, Quantity or NDUncertainty, (H, W)
        The noise.
    unit : `~astropy.units.UnitBase`
        Unit of the image.
    kind : {"std", "variance", "ivar"}, optional
        What the numbers are; by default what the extension's name says, and else a
        standard deviation.
    band : str, optional
        Band to choose in a file that holds several.
    image_bunit : str, optional
        The image's own BUNIT; a noise file with the same one is in ``unit``, too, where
        that overrides it.

    Returns
    -------
    `~astropy.nddata.NDUncertainty`
        In the image's unit, its square or its inverse square.

    Raises
    ------
    ObservationError
        If the file cannot be read, holds a drizzle weight, or its unit does not fit.
    """
    if kind not in (None, "std", "variance", "ivar"):
        raise ObservationError(
            f"uncertainty_type must be 'std', 'variance' or 'ivar', got {kind!r}"
        )
    if isinstance(value, NDUncertainty):
        return value
    cls = uncertainty_class(kind or "std")
    noise_unit = None
    if _is_file(value):
        array, header = _from_file(value, "noise", band)
        name = str(header.get("EXTNAME", ""))
        if role_of(name) == "weight" and kind is None:
            raise ObservationError(
                f"uncertainty={value!r} holds the extension {name!r}, a weight and not an "
                "uncertainty; pass uncertainty_type='ivar' if it is an inverse variance"
            )
        if kind is None:
            cls = uncertainty_class(str(header.get("UTYPE", name)))
        bunit = str(header.get("BUNIT") or "").strip()
        if bunit and bunit != image_bunit.strip():
            noise_unit = parse_unit(bunit, name="BUNIT of the noise")
    elif isinstance(value, u.Quantity):
        array, noise_unit = to_native(value.value), value.unit
    else:
        array = to_native(np.asarray(value))
    return cls(array * _factor(noise_unit, unit, _POWERS[cls]))


def _factor(noise_unit: u.UnitBase | None, unit: u.UnitBase, power: int) -> float:
    """Number that turns noise in its unit into noise in the image's."""
    if noise_unit is None or noise_unit == unit:
        # many archives repeat the image's BUNIT on variances
        return 1.0
    try:
        return float(noise_unit.to(unit**power))
    except u.UnitConversionError as error:
        raise ObservationError(
            f"uncertainty must be in the unit of the image, {unit}, or one convertible to "
            f"{unit**power}, got {noise_unit}; pass it as an array in the image's unit"
        ) from error


def flag_hopeless_noise(
    uncertainty: NDUncertainty, ignored: np.ndarray
) -> tuple[NDUncertainty, np.ndarray]:
    """Turn noise values that are flags into masked pixels.

    Noise maps mark contaminants and cosmic rays by an absurd value such as 1e8, or by an
    infinite one; inverse variances by zero. Such pixels are masked. Noise of ignored
    pixels that is not positive and finite is replaced by such a large, finite value, so
    that no later arithmetic meets an infinity.

    Parameters
    ----------
    uncertainty : `~astropy.nddata.NDUncertainty`, (H, W)
        The noise.
    ignored : ndarray of bool, (H, W)
        Pixels that are masked already, or whose data are not finite.

    Returns
    -------
    uncertainty : `~astropy.nddata.NDUncertainty`, (H, W)
        Finite and positive in every ignored pixel.
    flagged : ndarray of bool, (H, W)
        Pixels to mask besides.
    """
    power = _POWERS.get(type(uncertainty))
    array = np.asarray(uncertainty.array)
    if power is None or array.shape != ignored.shape:
        return uncertainty, np.zeros_like(ignored)
    with np.errstate(divide="ignore", invalid="ignore"):
        noise = array.astype(np.float64) ** (1 / power)
    usable = np.isfinite(noise) & (noise > 0)
    if not usable.any():
        return uncertainty, np.zeros_like(ignored)
    quiet = np.percentile(noise[usable], 10)
    flagged = noise > _HOPELESS * quiet
    broken = (ignored | flagged) & ~usable
    if broken.any():
        array = array.copy()
        array[broken] = (100 * _HOPELESS * quiet) ** power
        uncertainty = type(uncertainty)(array, unit=uncertainty.unit)
    return uncertainty, flagged & ~ignored

"""The boundary between quantities with units and plain numbers or tensors.

Everywhere else a number is in the unit that its name or docstring declares; here, and
only here, a `~astropy.units.Quantity` becomes such a number or tensor, and back.
"""

from __future__ import annotations

import re
import warnings
from typing import TYPE_CHECKING, TypeAlias

import astropy.units as u
import numpy as np

from astrorim.exceptions import ObservationError

if TYPE_CHECKING:
    import torch

__all__ = [
    "from_tensor",
    "parse_pixel_scale",
    "parse_quantity",
    "parse_unit",
    "to_native",
    "to_tensor",
    "to_value",
]

QuantityLike: TypeAlias = str | u.Quantity

PIXEL_SCALE_UNIT = u.arcsec / u.pix
"""Unit of every pixel scale that leaves this package."""

_ALIASES = {
    "a": "Angstrom",
    "adu": "adu",
    "ang": "Angstrom",
    "angstrom": "Angstrom",
    "angstroms": "Angstrom",
    "beam": "beam",
    "count": "ct",
    "counts": "ct",
    "cps": "ct/s",
    "ct": "ct",
    "cts": "ct",
    "dn": "DN",
    "e": "electron",
    "e-": "electron",
    "electron": "electron",
    "electrons": "electron",
    "maggies": "mgy",
    "maggy": "mgy",
    "nanomaggies": "nmgy",
    "nanomaggy": "nmgy",
    "photons": "photon",
    "s": "s",
    "sec": "s",
    "second": "s",
    "seconds": "s",
    "secs": "s",
}
"""Spellings met in FITS headers, in lower case, and what they mean."""

_EXACT_ALIASES = {"JY": "Jy", "SR": "sr", "ERG": "erg", "CM": "cm"}
"""Spellings whose meaning depends on their case (mJy is not MJy)."""

_DIMENSIONLESS = {"unitless", "dimensionless"}

_EXAMPLES = "for example unit='electron/s', 'adu', 'nJy' or 'MJy/sr'"


def parse_unit(text: str | u.UnitBase | None, *, name: str = "BUNIT") -> u.UnitBase:
    """Read the unit of an image, in the spellings that FITS headers use.

    Parameters
    ----------
    text : str or `~astropy.units.UnitBase` or None
        For example ``"ELECTRONS/S"``, ``"e-/s"``, ``"DN"`` or ``"erg/cm**2/s/A"``, where
        ``A`` is angstrom and ``S`` second, never ampere or siemens.
    name : str, optional
        Where the text came from, for the error message.

    Returns
    -------
    `~astropy.units.UnitBase`

    Raises
    ------
    ObservationError
        If the unit is missing, unknown or logarithmic.

    Examples
    --------
    >>> from astrorim.quantities import parse_unit
    >>> parse_unit("ELECTRONS/S")
    Unit("electron / s")
    """
    if isinstance(text, u.UnitBase | u.FunctionUnitBase):
        unit = text
    else:
        stripped = str(text if text is not None else "").strip()
        if not stripped:
            raise ObservationError(
                f"the unit of the image is missing ({name} is {text!r}); "
                f"pass unit=, {_EXAMPLES}"
            )
        if stripped.lower() in _DIMENSIONLESS:
            return u.dimensionless_unscaled
        spelled = re.sub(r"(?<![\w.])[A-Za-z]+(?:-(?!\d))?", _spell, stripped)
        try:
            with warnings.catch_warnings():
                # several slashes in one unit are discouraged, yet unambiguous
                warnings.simplefilter("ignore", u.UnitsWarning)
                unit = u.Unit(spelled)
        except (ValueError, TypeError) as error:
            raise ObservationError(
                f"{name}={text!r} is not a unit that astropy knows; pass unit=, {_EXAMPLES}"
            ) from error
    if isinstance(unit, u.FunctionUnitBase) or u.dex in unit.decompose().bases:
        raise ObservationError(
            f"{name}={text!r} is a logarithmic unit; lensing adds fluxes, so convert the "
            "image to a linear flux first, then pass its unit="
        )
    return unit


def _spell(match: re.Match[str]) -> str:
    word = match[0]
    return _EXACT_ALIASES.get(word) or _ALIASES.get(word.lower(), word)


def parse_quantity(value: QuantityLike, unit: u.UnitBase, *, name: str) -> u.Quantity:
    """Read a quantity given as text or as a Quantity and convert it.

    Parameters
    ----------
    value : str or `~astropy.units.Quantity`
        For example ``"0.05 arcsec"``; a plain number is refused.
    unit : `~astropy.units.UnitBase`
        Unit of what is returned.
    name : str
        Name of the argument, for the error message.

    Returns
    -------
    `~astropy.units.Quantity`
        In ``unit``.

    Raises
    ------
    TypeError
        If ``value`` carries no unit.
    ValueError
        If its unit cannot be converted.
    """
    example = f'{name}="1 {unit}"'
    if not isinstance(value, str | u.Quantity):
        raise TypeError(
            f"{name} must carry a unit, got {value!r}; write it as text or as a Quantity, "
            f"for example {example}"
        )
    try:
        quantity = u.Quantity(value)
    except (TypeError, ValueError) as error:
        raise ValueError(
            f"{name} must be a number with a unit, got {value!r}; for example {example}"
        ) from error
    try:
        return quantity.to(unit)
    except u.UnitConversionError as error:
        raise ValueError(
            f"{name} must be convertible to {unit}, got {value!r}; for example {example}"
        ) from error


def parse_pixel_scale(value: QuantityLike, *, name: str = "pixel_scale") -> u.Quantity:
    """Read a pixel scale, with or without "per pixel".

    Parameters
    ----------
    value : str or `~astropy.units.Quantity`
        For example ``"0.05 arcsec"`` or ``0.05 * u.arcsec / u.pix``.
    name : str, optional
        Name of the argument, for the error message.

    Returns
    -------
    `~astropy.units.Quantity`
        Side of a pixel, arcsec per pixel.

    Raises
    ------
    ObservationError
        If it is not one positive, finite angle with a unit.

    Examples
    --------
    >>> from astrorim.quantities import parse_pixel_scale
    >>> parse_pixel_scale("50 mas")
    <Quantity 0.05 arcsec / pix>
    """
    remedy = f'for example {name}="0.05 arcsec"'
    if not isinstance(value, str | u.Quantity):
        raise ObservationError(f"{name} must carry a unit, got {value!r}; {remedy}")
    try:
        quantity = u.Quantity(value)
        if quantity.unit.is_equivalent(u.arcsec):
            quantity = quantity / u.pix
        scale = quantity.to(PIXEL_SCALE_UNIT)
    except (TypeError, ValueError) as error:
        raise ObservationError(
            f"{name} must be an angle with its unit, got {value!r}; {remedy}"
        ) from error
    if not (scale.isscalar and np.isfinite(scale.value) and scale.value > 0):
        raise ObservationError(
            f"{name} must be one positive, finite angle, got {value!r}; {remedy}"
        )
    return scale


def to_value(
    quantity: QuantityLike | float | np.ndarray, unit: u.UnitBase, *, name: str
) -> float | np.ndarray:
    """Strip a quantity of its unit after converting it.

    Parameters
    ----------
    quantity : str or Quantity or float or ndarray
        Plain numbers and arrays are refused unless ``unit`` is dimensionless.
    unit : `~astropy.units.UnitBase`
        Unit of the plain numbers returned.
    name : str
        Name of the argument, for the error message.

    Returns
    -------
    float or ndarray
        In ``unit``.

    Raises
    ------
    TypeError
        If ``quantity`` carries no unit where it must.
    ValueError
        If its unit cannot be converted.
    """
    if not isinstance(quantity, str | u.Quantity) and unit == u.dimensionless_unscaled:
        quantity = u.Quantity(quantity)
    value = parse_quantity(quantity, unit, name=name).value  # type: ignore[arg-type]
    return float(value) if np.ndim(value) == 0 else np.asarray(value)


def to_native(array: np.ndarray) -> np.ndarray:
    """Copy an array into this machine's byte order, in a floating-point type.

    Parameters
    ----------
    array : ndarray
        FITS arrays are big-endian, which torch refuses.

    Returns
    -------
    ndarray
        float32 for float32, half precision and integers of up to 16 bits, else float64.
    """
    dtype = np.float32 if np.can_cast(array.dtype, np.float32) else np.float64
    return np.array(array, dtype=dtype)


def to_tensor(
    quantity: u.Quantity | np.ndarray,
    unit: u.UnitBase | None = None,
    *,
    dtype: torch.dtype | None = None,
    device: torch.device | str | None = None,
) -> torch.Tensor:
    """Convert a quantity or an array to a tensor of plain numbers in a declared unit.

    Parameters
    ----------
    quantity : Quantity or ndarray
        Of any shape, byte order and sign of strides.
    unit : `~astropy.units.UnitBase`, optional
        Unit of the tensor's numbers; needed for a Quantity, refused for an array.
    dtype : torch.dtype, optional
        The array's own by default.
    device : torch.device or str, optional
        The processor by default.

    Returns
    -------
    Tensor
        Same shape, its own memory.

    Raises
    ------
    TypeError
        If a Quantity comes without ``unit``, or a plain array with one.
    """
    import torch

    if isinstance(quantity, u.Quantity):
        if unit is None:
            raise TypeError(
                f"unit must be given to turn a Quantity in {quantity.unit} into a tensor"
            )
        array = quantity.to_value(unit)
    else:
        if unit is not None:
            raise TypeError(
                f"quantity must carry a unit to be converted to {unit}, got a plain "
                f"{type(quantity).__name__}; multiply it by its unit"
            )
        array = np.asarray(quantity)
    array = np.array(array, dtype=array.dtype.newbyteorder("="), order="C")
    return torch.from_numpy(array).to(dtype=dtype, device=device)


def from_tensor(tensor: torch.Tensor, unit: u.UnitBase) -> u.Quantity:
    """Convert a tensor of plain numbers in a declared unit to a Quantity.

    Parameters
    ----------
    tensor : Tensor
        Of any shape, on any device; its history of gradients is dropped.
    unit : `~astropy.units.UnitBase`
        Unit of the tensor's numbers.

    Returns
    -------
    Quantity
        Same shape, its own memory.
    """
    return u.Quantity(tensor.detach().cpu().numpy().copy(), unit)

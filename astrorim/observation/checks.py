"""What an observation must fulfil, each failure with its remedy."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import numpy as np

from astrorim.exceptions import ObservationError
from astrorim.grid import pixel_scale_of
from astrorim.quantities import PIXEL_SCALE_UNIT

if TYPE_CHECKING:
    from collections.abc import Mapping

    import astropy.units as u
    from astropy.wcs import WCS

__all__ = [
    "check_content",
    "check_noise",
    "check_not_psf",
    "check_psf",
    "check_psf_fits",
    "check_redshifts",
    "check_shape",
    "resolve_pixel_scale",
]

_TINY_TIM = ("FOCUS", "X_COMA", "Y_COMA", "X_ASTIG", "Y_ASTIG", "SPHERICL", "X_PSF", "Y_PSF")
"""Aberrations and place of the PSF, cards that Tiny Tim writes into its files."""

_UNIT_SUM = 0.1

SCALE_TOLERANCE = 0.01
"""Relative difference allowed between a given pixel scale and the WCS's."""


def check_redshifts(z_lens: float | None, z_source: float | None) -> None:
    """Refuse redshifts that are negative, not finite or in the wrong order.

    Parameters
    ----------
    z_lens, z_source : float or None
        Redshifts; None where unknown.

    Raises
    ------
    ObservationError
        If a redshift is not positive and finite, or the source is not behind the lens.
    """
    for name, redshift in (("z_lens", z_lens), ("z_source", z_source)):
        if redshift is not None and not (math.isfinite(redshift) and redshift > 0):
            raise ObservationError(
                f"{name} must be positive and finite, got {redshift}; "
                "leave it out where it is unknown"
            )
    if z_lens is not None and z_source is not None and z_source <= z_lens:
        raise ObservationError(
            "z_source must be greater than z_lens, because the source lies behind the "
            f"lens; got z_lens={z_lens}, z_source={z_source}; were the two swapped?"
        )


def check_shape(name: str, shape: tuple[int, ...], expected: tuple[int, ...]) -> None:
    """Refuse an uncertainty or a mask of another shape than the image.

    Parameters
    ----------
    name : str
        ``"uncertainty"`` or ``"mask"``.
    shape, expected : tuple of int
        Its shape and the image's, ``(ny, nx)``.

    Raises
    ------
    ObservationError
        If they differ.
    """
    if tuple(shape) != tuple(expected):
        raise ObservationError(
            f"{name} must have the image's shape {tuple(expected)}, got {tuple(shape)}; "
            "cut both from the same frame"
        )


def check_psf(psf: np.ndarray) -> None:
    """Refuse a PSF stamp that is not an odd, square, finite image of positive sum.

    Parameters
    ----------
    psf : ndarray, (K, K)
        PSF stamp, of any normalisation.

    Raises
    ------
    ObservationError
        If its shape, its values or its sum are not as required.
    """
    if psf.ndim != 2:
        raise ObservationError(
            f"psf must be a two-dimensional stamp, got shape {psf.shape}; pick one plane"
        )
    if psf.shape[0] % 2 == 0 or psf.shape[1] % 2 == 0:
        raise ObservationError(
            f"psf must have an odd number of rows and columns, got shape {psf.shape}, which "
            f"has no middle element; {_recut_advice(psf)}"
        )
    if psf.shape[0] != psf.shape[1]:
        raise ObservationError(
            f"psf must be square, got shape {psf.shape}; pad the shorter side with zeros"
        )
    bad = int(np.count_nonzero(~np.isfinite(psf)))
    if bad:
        raise ObservationError(
            f"psf must be finite, got {bad} NaN or infinite elements of {psf.size}; "
            "set them to zero if they lie in the wings"
        )
    total = float(psf.sum(dtype=np.float64))
    if not total > 0:
        raise ObservationError(
            f"psf must have a positive sum, got {total:g}; is this file really the PSF?"
        )


def _recut_advice(psf: np.ndarray) -> str:
    """How to cut an even stamp to an odd one about its peak."""
    finite = np.where(np.isfinite(psf), psf, -np.inf)
    row, column = (int(i) for i in np.unravel_index(np.argmax(finite), psf.shape))
    half = min(row, column, psf.shape[0] - 1 - row, psf.shape[1] - 1 - column)
    if half < 1:
        return "resample it so that its peak lies on the middle element of an odd stamp"
    rows, columns = (f"{i - half}:{i + half + 1}" for i in (row, column))
    return (
        f"if its peak, element [{row}, {column}], is its centre, pass the array "
        f"psf[{rows}, {columns}]; otherwise resample it"
    )


def check_not_psf(data: np.ndarray, header: Mapping[str, object], *, alone: bool) -> None:
    """Refuse a PSF stamp that is given as the image of a lens.

    Files of Tiny Tim are known by their header. Other stamps are known by their pixels:
    none is negative, they sum to one within a tenth, and the brightest is in the middle.

    Parameters
    ----------
    data : ndarray, (H, W)
        The image, in any unit.
    header : mapping of str to object
        Its header.
    alone : bool
        Whether it has neither a sky frame nor a noise map, as no stamp has.

    Raises
    ------
    ObservationError
        If it is a PSF.
    """
    remedy = "pass it as psf= beside the image of the lens"
    if sum(key in header for key in _TINY_TIM) >= len(_TINY_TIM) // 2:
        raise ObservationError(
            f"the file is a PSF that Tiny Tim computed ({', '.join(_TINY_TIM[:3])}, ... are in "
            f"its header), not the image of a lens; {remedy}"
        )
    if not (alone and np.isfinite(data).all() and data.min() >= 0):
        return
    total = float(data.sum(dtype=np.float64))
    place = np.unravel_index(int(np.argmax(data)), data.shape)
    off_middle = [abs(i - (n - 1) / 2) for i, n in zip(place, data.shape, strict=True)]
    if abs(total - 1) < _UNIT_SUM and max(off_middle) < 1:
        raise ObservationError(
            f"the image looks like a PSF stamp, not like a lens: no pixel is negative, they "
            f"sum to {total:.3g} and the brightest is in the middle of {data.shape}; {remedy}"
        )


def check_psf_fits(psf: np.ndarray, supersampling: int, shape: tuple[int, ...]) -> None:
    """Refuse a PSF that is larger than its image.

    Parameters
    ----------
    psf : ndarray, (K, K)
        PSF stamp.
    supersampling : int
        Elements of the stamp along the side of a detector pixel.
    shape : tuple of int
        The image's, ``(ny, nx)``, detector pixels.

    Raises
    ------
    ObservationError
        If the stamp covers more pixels than the image along either axis.
    """
    size = psf.shape[0] / supersampling
    if size > min(shape):
        raise ObservationError(
            f"psf must not be larger than the image: it covers {size:g} pixels along a "
            f"side, the image has shape {tuple(shape)}; cut the PSF's wings, or pass "
            "psf_supersampling= if it is sampled finer than the image"
        )


def check_noise(noise: np.ndarray, ignored: np.ndarray, *, name: str = "uncertainty") -> None:
    """Refuse noise that is zero, negative or not finite where the image is used.

    Parameters
    ----------
    noise : ndarray, (H, W)
        Standard deviation, variance or inverse variance, in any unit.
    ignored : ndarray of bool, (H, W)
        True where the pixel is masked or its data is not finite.
    name : str, optional
        Name of the argument, for the error message.

    Raises
    ------
    ObservationError
        If a used pixel has no positive, finite value.
    """
    wrong = ~ignored & ~(np.isfinite(noise) & (noise > 0))
    count = int(np.count_nonzero(wrong))
    if count:
        values = noise[wrong]
        kinds = (("NaN or infinite", ~np.isfinite(values)), ("zero", values == 0))
        found = [f"{int(m.sum())} {kind}" for kind, m in kinds if m.any()]
        negative = int(np.count_nonzero(values < 0))
        if negative:
            found.append(f"{negative} negative")
        raise ObservationError(
            f"{name} must be positive and finite in every unmasked pixel, got "
            f"{', '.join(found)} of {noise.size} pixels; mask them with mask=, or pass "
            "the right noise map"
        )


def check_content(data: np.ndarray, ignored: np.ndarray) -> None:
    """Refuse an image that holds no information.

    Parameters
    ----------
    data : ndarray, (H, W)
        The image, in any unit.
    ignored : ndarray of bool, (H, W)
        True where the pixel is masked.

    Raises
    ------
    ObservationError
        If no finite, unmasked pixel is left, or all of them are equal.
    """
    used = data[np.isfinite(data) & ~ignored]
    if used.size == 0:
        finite = int(np.count_nonzero(np.isfinite(data)))
        raise ObservationError(
            f"the image must have a finite, unmasked pixel, got {finite} finite and "
            f"{int(np.count_nonzero(ignored))} masked of {data.size}; is this the right "
            "file, and does the mask use True for pixels to ignore?"
        )
    if used.min() == used.max():
        raise ObservationError(
            f"the image must not be constant, got {used[0]:g} in all {used.size} usable "
            "pixels; is this the right HDU?"
        )


def resolve_pixel_scale(wcs: WCS | None, given: u.Quantity | None) -> u.Quantity | None:
    """Find the pixel scale from the WCS, from the argument, or from both.

    Parameters
    ----------
    wcs : `~astropy.wcs.WCS` or None
        The image's; one that is not celestial counts as none.
    given : `~astropy.units.Quantity` or None
        Explicit scale, arcsec per pixel.

    Returns
    -------
    `~astropy.units.Quantity` or None
        Side of a pixel, arcsec per pixel; the WCS's where there is one.

    Raises
    ------
    ObservationError
        If the pixels are not square, or the two scales differ by more than 1 %.
    """
    if wcs is None or not wcs.has_celestial:
        return given
    try:
        scale = (pixel_scale_of(wcs).value) * PIXEL_SCALE_UNIT
    except ValueError as error:
        raise ObservationError(str(error)) from error
    if given is not None and abs(given / scale - 1) > SCALE_TOLERANCE:
        raise ObservationError(
            f"pixel_scale must agree with the WCS within {SCALE_TOLERANCE:.0%}: got "
            f"{given:.5g}, the WCS says {scale:.5g}; leave pixel_scale= out, or correct "
            "the header if it is wrong"
        )
    return scale

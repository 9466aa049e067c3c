"""Open FITS files and pick images in them, with errors that name file, HDU and remedy."""

from __future__ import annotations

import re
import warnings
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, TypeAlias

import numpy as np
from astropy.io import fits
from astropy.io.fits.verify import VerifyWarning
from astropy.wcs import WCS, FITSFixedWarning

from astrorim.exceptions import AstroRIMWarning, ObservationError
from astrorim.observation.instruments import is_science, role_of
from astrorim.quantities import to_native

if TYPE_CHECKING:
    import os
    from collections.abc import Iterator

__all__ = [
    "HDUKey",
    "choose_image",
    "describe_hdu",
    "image_hdus",
    "merged_header",
    "open_fits",
    "pixels_of",
    "wcs_of",
]

HDUKey: TypeAlias = int | str | tuple[str, int]

_DAMAGE = re.compile("truncated|END card|Error validating header|end-of-stream")
"""What astropy and zlib say of a file that ends too early."""


@contextmanager
def open_fits(path: str | os.PathLike[str] | object) -> Iterator[fits.HDUList]:
    """Open a FITS file for reading.

    Parameters
    ----------
    path : str or path-like or file object
        What to open; only this file is read, never one that it names.

    Yields
    ------
    `~astropy.io.fits.HDUList`

    Raises
    ------
    ObservationError
        If the file is missing, is not FITS or is truncated.
    """
    label = str(getattr(path, "name", path))
    if hasattr(path, "__fspath__") or isinstance(path, str):
        path = Path(path).expanduser()
        if not path.is_file():
            raise ObservationError(f"there is no file {label!r}; check the path")
    hdul = None
    try:
        with warnings.catch_warnings(record=True) as caught:
            warnings.simplefilter("always")
            hdul = fits.open(path)
            len(hdul)  # reads every header now, so that damage shows here
        damage = [str(w.message) for w in caught if _DAMAGE.search(str(w.message))]
        if damage:
            raise OSError(damage[0])
    except (OSError, EOFError, fits.VerifyError, ValueError) as error:
        if hdul is not None:
            hdul.close()
        text = " ".join(str(error).split())
        damaged = _DAMAGE.search(text) is not None
        what = "is truncated" if damaged else "is not a FITS file that can be read"
        remedy = "fetch it again" if damaged else "convert it to FITS"
        raise ObservationError(f"{label!r} {what} ({text}); {remedy}") from error
    with hdul, warnings.catch_warnings():
        # deviations from the standard that astropy repairs are not the user's business
        warnings.simplefilter("ignore", VerifyWarning)
        yield hdul


def pixels_of(hdu: fits.ImageHDU, *, what: str, plane: int | None = None) -> np.ndarray:
    """Copy the two-dimensional pixels of an HDU into memory.

    Parameters
    ----------
    hdu : `~astropy.io.fits.ImageHDU`
        An image; leading axes of length one are dropped.
    what : str
        What it is called in errors, for example ``"image"``.
    plane : int, optional
        Plane of a cube.

    Returns
    -------
    ndarray, (H, W)
        Floating point, in this machine's byte order.

    Raises
    ------
    ObservationError
        If the data are damaged, complex, or not two-dimensional.
    """
    label = describe_hdu(hdu)
    try:
        data = hdu.data
    except (OSError, TypeError, ValueError) as error:
        raise ObservationError(
            f"the {what} in HDU {label} cannot be read, the file is truncated or damaged "
            f"({error}); fetch it again"
        ) from error
    if data is None or not hdu.is_image:
        raise ObservationError(f"HDU {label} holds no {what}; pick another HDU")
    while data.ndim > 2 and data.shape[0] == 1:
        data = data[0]
    if data.ndim == 3 and plane is not None:
        if not -len(data) <= plane < len(data):
            raise ObservationError(
                f"plane must lie between 0 and {len(data) - 1} for HDU {label}, got {plane}"
            )
        data = data[plane]
    if data.ndim != 2:
        remedy = (
            f"pass plane=, an integer from 0 to {len(data) - 1}"
            if data.ndim == 3
            else "pick a two-dimensional image"
        )
        raise ObservationError(
            f"the {what} must be two-dimensional, got shape {data.shape} in HDU {label}; "
            f"{remedy}"
        )
    if np.iscomplexobj(data):
        raise ObservationError(f"the {what} must be real, got {data.dtype} in HDU {label}")
    return to_native(data)


def image_hdus(hdul: fits.HDUList) -> list[fits.ImageHDU]:
    """HDUs that hold an image of at least two axes, without opening their data.

    Parameters
    ----------
    hdul : `~astropy.io.fits.HDUList`
        The open file.

    Returns
    -------
    list of HDU
    """
    return [hdu for hdu in hdul if hdu.is_image and hdu.header.get("NAXIS", 0) > 0]


def describe_hdu(hdu: fits.ImageHDU) -> str:
    """Name and shape of an HDU for messages, for example ``'SCI' (198, 198)``.

    Parameters
    ----------
    hdu : HDU
        Of any kind.

    Returns
    -------
    str
    """
    shape = getattr(hdu, "shape", ())
    version = f",{hdu.ver}" if hdu.ver > 1 else ""
    return f"{hdu.name + version!r} {shape}" if hdu.name else f"without name {shape}"


def choose_image(
    hdul: fits.HDUList,
    *,
    hdu: HDUKey | None = None,
    band: str | None = None,
    role: str = "image",
) -> fits.ImageHDU:
    """Pick the HDU of the image, or of the noise, PSF or mask in a file of its own.

    Parameters
    ----------
    hdul : `~astropy.io.fits.HDUList`
        The open file.
    hdu : int, str or tuple, optional
        Number, EXTNAME or (EXTNAME, EXTVER).
    band : str, optional
        Band to prefer, by FILTER or by the beginning of EXTNAME.
    role : str, optional
        ``"image"``, ``"noise"``, ``"psf"`` or ``"mask"``.

    Returns
    -------
    `~astropy.io.fits.ImageHDU`

    Raises
    ------
    ObservationError
        If there is none or more than one; the message lists the choices.
    """
    images = image_hdus(hdul)
    option = "hdu=" if role == "image" else f"{'uncertainty' if role == 'noise' else role}="
    if hdu is not None:
        try:
            return hdul[hdu]
        except (KeyError, IndexError) as error:
            raise ObservationError(
                f"there is no HDU {hdu!r} in this file; choose from {_listing(hdul, images)}"
            ) from error
    if not images:
        kinds = ", ".join(sorted({type(h).__name__ for h in hdul}))
        raise ObservationError(
            f"the file must hold an image, got only {kinds} without one; is it a catalogue?"
        )
    candidates = [h for h in images if role_of(h.name) == role] or (
        images if role != "image" or len(images) == 1 else []
    )
    if (
        role == "image"
        and hdul[0] in candidates
        and all(role_of(h.name) != "image" for h in images if h is not hdul[0])
    ):
        candidates = [hdul[0]]
    if len(candidates) > 1 and role == "image":
        candidates = [h for h in candidates if is_science(h.name)] or candidates
    if len(candidates) > 1 and band is not None:
        candidates = [h for h in candidates if _is_band(h, band)] or candidates
    if len(candidates) == 1:
        return candidates[0]
    how = "hdu= or band=" if role == "image" else f"{option}(path, HDU)"
    raise ObservationError(
        f"the file holds {len(candidates)} HDUs that may be the {role}; pass {how} to choose "
        f"from {_listing(hdul, candidates or images)}"
    )


def _is_band(hdu: fits.ImageHDU, band: str) -> bool:
    wanted = band.strip().upper()
    name = hdu.name.upper()
    named = name == wanted or name.startswith((wanted + "_", wanted + "."))
    return named or str(hdu.header.get("FILTER", "")).strip().upper() == wanted


def _listing(hdul: fits.HDUList, images: list[fits.ImageHDU]) -> str:
    entries = []
    for number, hdu in enumerate(hdul):
        if any(hdu is image for image in images):
            band = hdu.header.get("FILTER")
            entries.append(f"{number}: {describe_hdu(hdu)}" + (f" [{band}]" if band else ""))
    return "; ".join(entries) or "nothing"


def merged_header(hdul: fits.HDUList, image: fits.ImageHDU) -> fits.Header:
    """Header of an image, completed from the primary header.

    Parameters
    ----------
    hdul : `~astropy.io.fits.HDUList`
        The open file.
    image : `~astropy.io.fits.ImageHDU`
        The image.

    Returns
    -------
    `~astropy.io.fits.Header`
    """
    header = image.header.copy()
    if image is not hdul[0] and header.get("INHERIT", True):
        primary = hdul[0].header.copy(strip=True)
        if hdul[0].header.get("NAXIS", 0) == 0:
            header.extend(primary, unique=True, useblanks=False)
    return header


def wcs_of(hdul: fits.HDUList, image: fits.ImageHDU, *, optional: bool) -> WCS | None:
    """Celestial WCS of an image, lookup-table distortions included.

    Parameters
    ----------
    hdul : `~astropy.io.fits.HDUList`
        The open file.
    image : `~astropy.io.fits.ImageHDU`
        The image.
    optional : bool
        Whether to go on, with a warning, without a WCS that cannot be understood.

    Returns
    -------
    `~astropy.wcs.WCS` or None
        None where the header has no celestial WCS.

    Raises
    ------
    ObservationError
        If the WCS cannot be understood and is not optional.
    """
    with warnings.catch_warnings():
        # what wcslib repairs are deprecated spellings, not values
        warnings.simplefilter("ignore", FITSFixedWarning)
        try:
            wcs = WCS(image.header, fobj=hdul)
            celestial = None
            if wcs.has_celestial:
                celestial = wcs if wcs.naxis == 2 else wcs.celestial
        except Exception as error:  # wcslib and astropy raise many kinds
            text = f"the WCS of HDU {describe_hdu(image)} cannot be understood ({error})"
            if not optional:
                raise ObservationError(
                    f"{text}; pass pixel_scale= to read the image without it"
                ) from error
        else:
            return celestial
    warnings.warn(f"{text}; the image has no sky frame", AstroRIMWarning, stacklevel=4)
    return None

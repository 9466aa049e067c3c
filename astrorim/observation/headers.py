"""FITS keywords: which attribute is written under which, and where foreign files keep it.

Nothing is invented: a keyword that is absent, empty or an obvious placeholder (an
exposure or gain of zero) leaves the attribute None.
"""

from __future__ import annotations

import math
import re
from typing import TYPE_CHECKING, Any

import astropy.units as u

if TYPE_CHECKING:
    from astropy.io.fits import Header

    from astrorim.observation.lens_observation import LensObservation

__all__ = [
    "KEYWORDS",
    "LAYOUT_KEYWORD",
    "PIXEL_SCALE_HINTS",
    "attributes_from_header",
    "attributes_to_header",
    "without_frame_keywords",
]

LAYOUT_KEYWORD = "ARIMVERS"
"""Present in the primary header of files that AstroRIM wrote; version of the layout."""

LAYOUT_VERSION = 1

KEYWORDS: dict[str, tuple[str, u.UnitBase | None, str]] = {
    "name": ("LENSNAME", None, "name of the lens"),
    "band": ("FILTER", None, "filter"),
    "z_lens": ("Z_LENS", None, "redshift of the lens"),
    "z_source": ("Z_SOURCE", None, "redshift of the source"),
    "exposure": ("EXPTIME", u.s, "[s] exposure time"),
    "gain": ("GAIN", u.electron / u.adu, "[electron/adu] gain"),
    "pixel_scale": ("PIXSCALE", u.arcsec / u.pix, "[arcsec] side of a pixel"),
    "psf_supersampling": ("PSFSUPER", None, "PSF elements along a pixel's side"),
}
"""Attribute, its keyword in our files, its unit there, and the card's comment."""

_FOREIGN = {
    "exposure": ("EXPTIME", "EFFEXPTM", "XPOSURE", "TEXPTIME"),
    "gain": ("GAIN", "CCDGAIN", "ATODGAIN"),
    "band": ("FILTER", "BAND", "FILTNAM1"),
}

PIXEL_SCALE_HINTS = ("PIXSCALE", "PIXSCAL1", "PIXSCAX", "SECPIX", "SECPIX1", "PIXELSCL")
"""Keywords that advise on the pixel scale; quoted in errors, never believed unasked."""

_FRAME = re.compile(
    r"(WCSAXES|WCSNAME|CTYPE\d|CUNIT\d|CRVAL\d|CRPIX\d|CDELT\d|CROTA\d|(CD|PC)\d_\d"
    r"|PV\d_\d+|LONPOLE|LATPOLE|RADESYS|EQUINOX)[A-Z]?|RADECSYS|PC00\d00\d"
    r"|(A|B|AP|BP)_(ORDER|DMAX|\d_\d)|(CPDIS|CPERR|CQDIS|D2IMDIS|D2IMERR)\d"
    r"|(DP|DQ)\d|(D2IM\d\..*|D2IM\d|AXISCORR|D2IMEXT)"
)
"""Keywords of the WCS, which lives in the observation's ``wcs`` alone."""

_STRUCTURE = ("EXTNAME", "EXTVER", "EXTLEVEL", "INHERIT", "NEXTEND", "CHECKSUM", "DATASUM",
              "BLANK", "UTYPE")  # fmt: skip

_HST_FILTER = re.compile(r"\bF\d{3,4}(?:LP|[WMNX]\d?)\b")


def without_frame_keywords(header: Header) -> Header:
    """Copy a header without its WCS and without what only its own file needs.

    The WCS would go stale in the header when the image is sliced.

    Parameters
    ----------
    header : `~astropy.io.fits.Header`
        Header of an image.

    Returns
    -------
    `~astropy.io.fits.Header`
    """
    kept = header.copy(strip=True)
    doomed = {key for key in kept if _FRAME.fullmatch(key) or key in _STRUCTURE}
    for key in doomed:
        kept.remove(key, ignore_missing=True, remove_all=True)
    return kept


def attributes_to_header(observation: LensObservation, header: Header) -> None:
    """Write the observation's own attributes into the header of its image.

    Parameters
    ----------
    observation : `~astrorim.observation.LensObservation`
        What is written.
    header : `~astropy.io.fits.Header`
        Changed in place; keywords of attributes that are None are removed.
    """
    header[LAYOUT_KEYWORD] = (LAYOUT_VERSION, "version of the AstroRIM layout")
    header["BUNIT"] = (observation.unit.to_string(), "unit of the image")
    state = observation.attributes()
    if observation.wcs is not None and observation.wcs.has_celestial:
        state["pixel_scale"] = None  # the WCS says it
    for attribute, (keyword, unit, comment) in KEYWORDS.items():
        value = state[attribute]
        header.remove(keyword, ignore_missing=True, remove_all=True)
        if value is not None:
            header[keyword] = (value if unit is None else value.to_value(unit), comment)


def attributes_from_header(header: Header) -> dict[str, Any]:
    """Find band, exposure, gain and, in our own files, the other attributes.

    Parameters
    ----------
    header : `~astropy.io.fits.Header`
        Header of the image, completed from the primary header.

    Returns
    -------
    dict
        Keyword arguments of `~astrorim.observation.LensObservation`; only what is known.
    """
    found: dict[str, Any] = {}
    if LAYOUT_KEYWORD in header:
        for attribute, (keyword, unit, _) in KEYWORDS.items():
            if keyword in header:
                value = header[keyword]
                found[attribute] = value if unit is None else value * unit
        return found
    for attribute in ("exposure", "gain"):
        for keyword in _FOREIGN[attribute]:
            value = header.get(keyword)
            number = isinstance(value, int | float) and not isinstance(value, bool)
            if number and math.isfinite(value) and value > 0:
                found[attribute] = value * KEYWORDS[attribute][1]
                break
    band = _band(header)
    if band:
        found["band"] = band
    return found


def _band(header: Header) -> str | None:
    for keyword in _FOREIGN["band"]:
        value = header.get(keyword)
        if isinstance(value, str) and value.strip():
            return value.strip()
    # HST's ACS has two wheels, one of which is usually clear
    wheels = [str(header.get(f"FILTER{i}", "")).strip() for i in (1, 2)]
    wheels = [wheel for wheel in wheels if wheel and not wheel.upper().startswith("CLEAR")]
    if len(wheels) == 1:
        return wheels[0]
    modes = set(_HST_FILTER.findall(str(header.get("PHOTMODE", ""))))
    return modes.pop() if len(modes) == 1 else None

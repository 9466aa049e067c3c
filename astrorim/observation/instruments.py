"""How telescopes and surveys lay out an image and its companions in one FITS file.

A layout is recognised by the names of the extensions alone. A drizzle weight (``WHT``) is
not an uncertainty: it is at best proportional to an inverse variance, and the noise of
neighbouring pixels is correlated. It only tells where there are no data.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from astropy.nddata import (
    InverseVariance,
    NDUncertainty,
    StdDevUncertainty,
    VarianceUncertainty,
)

from astrorim.observation.headers import LAYOUT_KEYWORD

if TYPE_CHECKING:
    from astropy.io import fits

__all__ = [
    "LAYOUTS",
    "Companions",
    "Layout",
    "find_companions",
    "is_science",
    "role_of",
    "uncertainty_class",
]


@dataclass(frozen=True)
class Layout:
    """Names of the extensions that belong together.

    Parameters
    ----------
    name : str
        What the layout is called in messages.
    science : str
        EXTNAME of the image, or its ending where ``by_band``.
    noise : tuple of str
        EXTNAME, or ending, of the noise.
    quality : tuple of str
        EXTNAME of mask or data-quality flags.
    psf : tuple of str
        EXTNAME, or ending, of the PSF.
    weight : tuple of str
        EXTNAME of a weight that is not an uncertainty.
    by_band : bool
        Whether names are ``<band>_<ending>`` and a file holds several bands.
    """

    name: str
    science: str
    noise: tuple[str, ...] = ()
    quality: tuple[str, ...] = ()
    psf: tuple[str, ...] = ()
    weight: tuple[str, ...] = ()
    by_band: bool = False


LAYOUTS = (
    Layout("AstroRIM or CCDData", "PRIMARY", ("UNCERT",), ("MASK",), ("PSFIMAGE",)),
    Layout("HST or JWST (SCI/ERR/DQ)", "SCI", ("ERR",), ("DQ",), ("PSF",), ("WHT",)),
    Layout("Rubin or HSC (IMAGE/MASK/VARIANCE)", "IMAGE", ("VARIANCE",), ("MASK",), ("PSF",)),
    Layout("Euclid (<band>_BGSUB/RMS/PSF)", "BGSUB", ("RMS",), ("FLAG",), ("PSF",), (), True),
    Layout("Euclid (<band>.SCI/RMS/FLG)", "SCI", ("RMS",), ("FLG",), ("PSF",), (), True),
)
"""Known layouts, in the order in which they are tried."""

_ROLES = {
    "noise": ("ERR", "ERROR", "RMS", "NOISE", "UNCERT", "STDDEV", "SIGMA", "VARIANCE", "VAR",
              "VAR_POISSON", "VAR_RNOISE", "VAR_FLAT", "IVAR", "INVVAR"),
    "psf": ("PSF", "PSFIMAGE", "EPSF"),
    "mask": ("MASK", "DQ", "FLAG", "FLG", "FLAGS"),
    "weight": ("WHT", "WEIGHT", "CON", "CTX", "EXP"),
}  # fmt: skip

_CLASSES: dict[str, type[NDUncertainty]] = {
    "VARIANCE": VarianceUncertainty,
    "VAR": VarianceUncertainty,
    "IVAR": InverseVariance,
    "INVVAR": InverseVariance,
    "VarianceUncertainty": VarianceUncertainty,
    "InverseVariance": InverseVariance,
    "variance": VarianceUncertainty,
    "ivar": InverseVariance,
    "std": StdDevUncertainty,
}


@dataclass(frozen=True)
class Companions:
    """The HDUs that belong to an image.

    Parameters
    ----------
    layout : str
        Name of the layout, or ``"plain image"``.
    noise, quality, psf, weight : HDU or None
        What was found.
    ignored_flags : int
        Bits of ``quality`` that do not make a pixel bad.
    band : str or None
        Band, as the image's EXTNAME gives it.
    """

    layout: str
    noise: fits.ImageHDU | None = None
    quality: fits.ImageHDU | None = None
    psf: fits.ImageHDU | None = None
    weight: fits.ImageHDU | None = None
    ignored_flags: int = 0
    band: str | None = None


def role_of(name: str) -> str:
    """What an extension holds, judged by its name.

    Parameters
    ----------
    name : str
        EXTNAME, with or without a band before it.

    Returns
    -------
    str
        ``"noise"``, ``"psf"``, ``"mask"``, ``"weight"`` or ``"image"``.
    """
    upper = name.upper()
    for role, names in _ROLES.items():
        if any(upper == known or upper.endswith(("_" + known, "." + known)) for known in names):
            return role
    return "image"


def is_science(name: str) -> bool:
    """Whether a known layout has its image under this name.

    Parameters
    ----------
    name : str
        EXTNAME, with or without a band before it.

    Returns
    -------
    bool
        Files hold further images, such as pixel areas and distortion tables.
    """
    upper = name.upper()
    return any(
        upper.endswith(("_" + layout.science, "." + layout.science))
        if layout.by_band
        else upper == layout.science
        for layout in LAYOUTS
        if layout.science != "PRIMARY"  # every file has one
    )


def uncertainty_class(name: str) -> type[NDUncertainty]:
    """Class of the uncertainty that an extension's name or ``UTYPE`` announces.

    Parameters
    ----------
    name : str
        EXTNAME, UTYPE, or ``"std"``, ``"variance"``, ``"ivar"``.

    Returns
    -------
    type
        `~astropy.nddata.StdDevUncertainty` where the name says nothing else.
    """
    if name in _CLASSES:
        return _CLASSES[name]
    ending = name.upper().replace(".", "_").rsplit("_", 1)[-1]
    return _CLASSES.get(ending, StdDevUncertainty)


def find_companions(hdul: fits.HDUList, image: fits.ImageHDU) -> Companions:
    """Find noise, quality flags, PSF and weight of an image in its own file.

    Parameters
    ----------
    hdul : `~astropy.io.fits.HDUList`
        The open file.
    image : `~astropy.io.fits.ImageHDU`
        The image that was chosen.

    Returns
    -------
    Companions
    """
    own_name = image.name.upper()
    for layout in LAYOUTS:
        if layout.by_band:
            separator = "." if own_name.endswith("." + layout.science) else "_"
            if not own_name.endswith(separator + layout.science):
                continue
            prefix = image.name[: -len(layout.science)]
            band = prefix[:-1]
        elif own_name == layout.science:
            prefix, band = "", None
        else:
            continue

        def find(names: tuple[str, ...], prefix: str = prefix) -> fits.ImageHDU | None:
            for name in names:
                for hdu in hdul:
                    same = hdu.name.upper() == (prefix + name).upper()
                    if same and hdu.ver == image.ver and _has_image(hdu):
                        return hdu
            return None

        found = {role: find(getattr(layout, role)) for role in
                 ("noise", "quality", "psf", "weight")}  # fmt: skip
        if layout.science == "PRIMARY" and not any(found.values()):
            break
        flags = 0 if found["quality"] is None else _ignored_flags(hdul, found["quality"])
        return Companions(layout.name, **found, ignored_flags=flags, band=band)
    ours = image is hdul[0] and LAYOUT_KEYWORD in hdul[0].header
    return Companions(LAYOUTS[0].name if ours else "plain image")


def _has_image(hdu: fits.ImageHDU) -> bool:
    return hdu.is_image and hdu.header.get("NAXIS", 0) > 0


def _ignored_flags(hdul: fits.HDUList, quality: fits.ImageHDU) -> int:
    """Bits that mark a pixel without spoiling it."""
    planes = {key[3:].upper(): int(bit) for key, bit in quality.header.items()
              if key.upper().startswith("MP_") and isinstance(bit, int)}  # fmt: skip
    harmless = ("DETECTED", "DETECTED_NEGATIVE", "BRIGHT_OBJECT", "INEXACT_PSF", "SENSOR_EDGE")
    if planes:  # Rubin and HSC: DETECTED would mask the lens itself
        return sum(1 << planes[plane] for plane in harmless if plane in planes)
    if str(hdul[0].header.get("TELESCOP", "")).strip().upper() == "JWST":
        return ~1  # only DO_NOT_USE, bit 0, makes a pixel unusable
    return 0

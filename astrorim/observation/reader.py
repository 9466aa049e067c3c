"""Read a `LensObservation` from FITS, and write it."""

from __future__ import annotations

import warnings
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from astropy.nddata import bitmask, fits_ccddata_writer

from astrorim.exceptions import AstroRIMWarning, ObservationError
from astrorim.observation import checks
from astrorim.observation.fits_files import (
    HDUKey,
    choose_image,
    describe_hdu,
    image_hdus,
    merged_header,
    open_fits,
    pixels_of,
    wcs_of,
)
from astrorim.observation.headers import (
    LAYOUT_KEYWORD,
    PIXEL_SCALE_HINTS,
    attributes_from_header,
    without_frame_keywords,
)
from astrorim.observation.instruments import Companions, find_companions, uncertainty_class
from astrorim.observation.lens_observation import LensObservation
from astrorim.observation.separate_files import (
    Companion,
    flag_hopeless_noise,
    load_mask,
    load_psf,
    load_uncertainty,
)
from astrorim.observation.unified_io import replacing
from astrorim.quantities import parse_unit

if TYPE_CHECKING:
    import os

    import astropy.units as u
    from astropy.io import fits
    from astropy.nddata import NDUncertainty

__all__ = ["read_fits", "write_fits"]


def read_fits(
    path: str | os.PathLike[str] | Any,
    *,
    uncertainty: Companion | None = None,
    psf: Companion | None = None,
    mask: Companion | None = None,
    pixel_scale: str | u.Quantity | None = None,
    unit: str | u.UnitBase | None = None,
    z_lens: float | None = None,
    z_source: float | None = None,
    band: str | None = None,
    name: str | None = None,
    exposure: str | u.Quantity | None = None,
    gain: str | u.Quantity | None = None,
    psf_supersampling: int | None = None,
    hdu: HDUKey | None = None,
    plane: int | None = None,
    uncertainty_type: str | None = None,
    ignore_flags: int | str | None = None,
    allow_nonlinear: bool = False,
) -> LensObservation:
    """Read an observation from a FITS file and, where given, files beside it.

    Paths that a file's header names are never followed.

    Parameters
    ----------
    path : str or path-like or file object
        The image.
    uncertainty : path, (path, HDU), ndarray, Quantity or NDUncertainty, optional
        Noise map, where the image's file has none or a better one exists. Values above
        10^4 times the quiet pixels' are flags: those pixels are masked.
    psf : path, (path, HDU) or ndarray, optional
        PSF stamp, odd and square; normalised to sum one.
    mask : path, (path, HDU) or ndarray, optional
        Further pixels to ignore: all that are not zero.
    pixel_scale : str or Quantity, optional
        Side of a pixel, where there is no WCS.
    unit : str or Unit, optional
        Unit of the image, where BUNIT is missing or wrong; takes precedence over BUNIT.
    z_lens, z_source : float, optional
        Redshifts.
    band : str, optional
        Filter; chooses the image in a file of several bands.
    name : str, optional
        Name of the lens; by default the file's stem.
    exposure, gain : str or Quantity, optional
        Exposure time and electrons per count, where the header lacks them.
    psf_supersampling : int, optional
        Elements of the PSF along the side of a detector pixel; one by default.
    hdu : int, str or (str, int), optional
        HDU of the image.
    plane : int, optional
        Plane of a cube.
    uncertainty_type : {"std", "variance", "ivar"}, optional
        What the numbers of ``uncertainty`` are.
    ignore_flags : int or str, optional
        Data-quality flags that do not spoil a pixel, as
        `astropy.nddata.bitmask.bitfield_to_boolean_mask` understands them.
    allow_nonlinear : bool, optional
        Accept 8-bit data that look like a picture.

    Returns
    -------
    LensObservation
        Pixels that are NaN, flagged, or have hopeless noise are masked.

    Raises
    ------
    ObservationError
        If something is missing, contradictory or unusable; the message names the option
        that helps.
    """
    given = {
        "band": band,
        "name": name,
        "z_lens": z_lens,
        "z_source": z_source,
        "exposure": exposure,
        "gain": gain,
        "psf_supersampling": psf_supersampling,
        "pixel_scale": pixel_scale,
    }
    with open_fits(path) as hdul:
        image = choose_image(hdul, hdu=hdu, band=band)
        data = pixels_of(image, what="image", plane=plane)
        header = merged_header(hdul, image)
        companions = find_companions(hdul, image)
        wcs = wcs_of(hdul, image, optional=pixel_scale is not None)
        has_noise = uncertainty is not None or companions.noise is not None
        alone = not has_noise and wcs is None
        if alone and not allow_nonlinear:
            _refuse_picture(image, hdul)
        checks.check_not_psf(data, header, alone=alone)
        found = attributes_from_header(header)
        if "band" not in found and companions.band:
            found["band"] = companions.band
        attributes = found | {key: value for key, value in given.items() if value is not None}
        attributes.setdefault("name", _stem(path))
        image_unit = _unit_of(header, unit, describe_hdu(image))
        checks.check_redshifts(attributes.get("z_lens"), attributes.get("z_source"))
        attributes["pixel_scale"] = _pixel_scale(wcs, attributes.get("pixel_scale"), header)
        if psf is not None:
            stamp: np.ndarray | None = load_psf(psf, band=attributes.get("band"))
        elif companions.psf is not None:
            stamp = pixels_of(companions.psf, what="psf")
        else:
            stamp = None
        if uncertainty is not None:
            noise = load_uncertainty(
                uncertainty,
                image_unit,
                kind=uncertainty_type,
                band=attributes.get("band"),
                image_bunit=str(header.get("BUNIT") or ""),
            )
        else:
            noise = _own_noise(companions, uncertainty_type)
        bad = _bad_pixels(companions, data.shape, ignore_flags)
    if mask is not None:
        extra = load_mask(mask, band=attributes.get("band"))
        checks.check_shape("mask", extra.shape, data.shape)
        bad |= extra
    checks.check_content(data, bad)
    bad |= ~np.isfinite(data)
    if noise is not None:
        checks.check_shape("uncertainty", noise.array.shape, data.shape)
        noise, flagged = flag_hopeless_noise(noise, bad)
        bad |= flagged
    observation = LensObservation(
        data,
        unit=image_unit,
        uncertainty=noise,
        mask=bad,
        wcs=wcs,
        psf=stamp,
        meta=without_frame_keywords(header),
        **attributes,
    )
    observation.check()
    return observation


def write_fits(
    observation: LensObservation,
    path: str | os.PathLike[str],
    *,
    overwrite: bool = False,
    **kwargs: Any,
) -> None:
    """Write an observation to one FITS file that `read_fits` reads back whole.

    Parameters
    ----------
    observation : LensObservation
        What to write.
    path : str or path-like
        Where to; the file appears complete or not at all.
    overwrite : bool, optional
        Whether an existing file may be replaced.
    **kwargs
        As for `astropy.nddata.fits_ccddata_writer`.

    Raises
    ------
    FileExistsError
        If the file exists and ``overwrite`` is False.
    """
    distortions = ("cpdis1", "cpdis2", "det2im1", "det2im2")
    if observation.wcs is not None and any(
        getattr(observation.wcs, name) is not None for name in distortions
    ):
        warnings.warn(
            "FITS drops the lookup-table distortion of this WCS; write ASDF to keep it",
            AstroRIMWarning,
            stacklevel=2,
        )
    with replacing(path, overwrite=overwrite) as temporary:
        fits_ccddata_writer(observation, temporary, **kwargs)


def _stem(path: Any) -> str | None:
    label = getattr(path, "name", path)
    if not isinstance(label, str) and not hasattr(label, "__fspath__"):
        return None
    name = Path(label).name
    for ending in (".gz", ".bz2", ".fz"):
        name = name.removesuffix(ending)
    return Path(name).stem


def _unit_of(header: fits.Header, unit: str | u.UnitBase | None, label: str) -> u.UnitBase:
    if unit is not None:
        return parse_unit(unit, name="unit")
    bunit = header.get("BUNIT")
    if LAYOUT_KEYWORD in header and bunit == "":
        return parse_unit("dimensionless")
    return parse_unit(bunit, name=f"BUNIT of HDU {label}")


def _pixel_scale(wcs: Any, given: Any, header: fits.Header) -> Any:
    if given is not None or (wcs is not None and wcs.has_celestial):
        return given
    hints = [f"{key} = {header[key]}" for key in PIXEL_SCALE_HINTS if key in header]
    advice = f" (the header says {hints[0]}, without a WCS)" if hints else ""
    raise ObservationError(
        f"the pixel scale is missing: the image has no celestial WCS{advice}; pass "
        'pixel_scale=, for example pixel_scale="0.05 arcsec"'
    )


def _own_noise(companions: Companions, kind: str | None) -> NDUncertainty | None:
    """The noise map that the image's file holds."""
    hdu = companions.noise
    if hdu is None:
        return None
    cls = uncertainty_class(kind or str(hdu.header.get("UTYPE", hdu.name)))
    return cls(pixels_of(hdu, what="noise"))


def _bad_pixels(
    companions: Companions, shape: tuple[int, ...], ignore_flags: int | str | None
) -> np.ndarray:
    """Pixels that the file's own flags or weights rule out, (H, W) bool."""
    bad = np.zeros(shape, dtype=bool)
    if companions.quality is not None:
        flags = np.asarray(companions.quality.data)
        checks.check_shape(f"mask {companions.quality.name!r}", flags.shape, shape)
        ignored = companions.ignored_flags if ignore_flags is None else ignore_flags
        if not np.issubdtype(flags.dtype, np.integer):
            bad |= flags != 0
        else:
            bad |= bitmask.bitfield_to_boolean_mask(flags, ignored, dtype=bool)
    if companions.weight is not None:
        weight = pixels_of(companions.weight, what="weight")
        if weight.shape == shape:
            bad |= weight == 0
    return bad


def _refuse_picture(image: fits.ImageHDU, hdul: fits.HDUList) -> None:
    """Refuse 8-bit data without sky frame and noise: a picture, not photometry."""
    if image.header.get("BITPIX") == 8 and len(image_hdus(hdul)) == 1:
        raise ObservationError(
            f"the image must be linear in flux, got 8-bit integers in HDU "
            f"{describe_hdu(image)} with neither WCS nor noise map, which is how pictures "
            "with a nonlinear stretch are stored; use the science FITS file, or pass "
            "allow_nonlinear=True if the values really are counts"
        )

"""What a file is to AstroRIM, and what is missing in it."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import astropy.units as u
import numpy as np

from astrorim.exceptions import ObservationError
from astrorim.observation.asdf_files import read_tree
from astrorim.observation.fits_files import (
    HDUKey,
    choose_image,
    describe_hdu,
    image_hdus,
    merged_header,
    open_fits,
    wcs_of,
)
from astrorim.observation.headers import LAYOUT_KEYWORD, PIXEL_SCALE_HINTS
from astrorim.observation.instruments import find_companions, role_of
from astrorim.observation.lens_observation import LensObservation
from astrorim.observation.reader import read_fits
from astrorim.quantities import parse_unit

if TYPE_CHECKING:
    import os

__all__ = ["ObservationSummary", "describe"]

_OPTIONS = {
    "unit": "--unit / unit=, for example 'electron/s'",
    "pixel scale": "--pixel-scale / pixel_scale=, for example '0.05 arcsec'",
    "noise": "--noise / uncertainty=, a noise map; else it is measured on the blank sky",
    "psf": "--psf / psf=, an odd, square stamp",
    "band": "--band / band=",
    "z_lens": "--z-lens / z_lens=; needed for masses only",
    "z_source": "--z-source / z_source=; needed for masses only",
    "image": "hdu= or band=",
}
"""What may be missing, and the option of the command line / of `read` that supplies it."""

_REQUIRED = ("unit", "pixel scale", "image")


@dataclass(frozen=True)
class ObservationSummary:
    """What a FITS or ASDF file is to us.

    Parameters
    ----------
    path : str
        The file.
    kind : {"FITS", "ASDF"}
        Its format.
    layout : str
        How its parts are arranged.
    hdu : str or None
        The image's HDU, or the key of its ASDF node.
    shape : tuple of int or None
        ``(ny, nx)``.
    unit : str or None
        Unit of the image.
    pixel_scale : `~astropy.units.Quantity` or None
        Side of a pixel, arcsec per pixel.
    orientation : str or None
        Where north and east lie, from the WCS.
    noise, psf : str or None
        What there is of them.
    band : str or None
        Filter.
    z_lens, z_source : float or None
        Redshifts.
    exposure, gain : `~astropy.units.Quantity` or None
        From the header.
    masked_fraction : float or None
        Fraction of pixels that are not used.
    contents : tuple of str
        Every HDU or ASDF node, in words.
    missing : dict
        What is missing, and the option that supplies it.
    problems : tuple of str
        Why the file cannot be read as it is, beyond what is missing.
    """

    path: str
    kind: str
    layout: str
    hdu: str | None = None
    shape: tuple[int, int] | None = None
    unit: str | None = None
    pixel_scale: u.Quantity | None = None
    orientation: str | None = None
    noise: str | None = None
    psf: str | None = None
    band: str | None = None
    z_lens: float | None = None
    z_source: float | None = None
    exposure: u.Quantity | None = None
    gain: u.Quantity | None = None
    masked_fraction: float | None = None
    contents: tuple[str, ...] = ()
    missing: dict[str, str] = field(default_factory=dict)
    problems: tuple[str, ...] = ()

    @property
    def readable(self) -> bool:
        """Whether `LensObservation.read` takes the file without further options."""
        return not self.problems and not any(key in self.missing for key in _REQUIRED)

    def __str__(self) -> str:
        return "\n".join(self.lines())

    def lines(self) -> list[str]:
        """The summary as lines of text for a terminal.

        Returns
        -------
        list of str
        """
        shown: dict[str, Any] = {
            "layout": self.layout,
            "image": self.hdu,
            "shape": None if self.shape is None else "{} x {} (ny, nx)".format(*self.shape),
            "unit": self.unit,
            "pixel scale": None if self.pixel_scale is None else f"{self.pixel_scale:.5g}",
            "orientation": self.orientation,
            "noise": self.noise,
            "psf": self.psf,
            "band": self.band,
            "z_lens": self.z_lens,
            "z_source": self.z_source,
            "exposure": self.exposure,
            "gain": self.gain,
            "masked": None if self.masked_fraction is None else f"{self.masked_fraction:.1%}",
        }
        lines = [f"{self.path}: {self.kind}"]
        lines += [f"  {key:<12} {value}" for key, value in shown.items() if value is not None]
        lines += [f"  contains     {entry}" for entry in self.contents]
        lines += [f"  missing      {key}: pass {how}" for key, how in self.missing.items()]
        lines += [f"  problem      {problem}" for problem in self.problems]
        return lines


def describe(
    path: str | os.PathLike[str], *, hdu: HDUKey | None = None, band: str | None = None
) -> ObservationSummary:
    """Say what a FITS or ASDF file is to us and what is missing in it.

    The file is read by the same code that `LensObservation.read` uses, so that the two
    never disagree; what keeps it from being read is reported and not raised.

    Parameters
    ----------
    path : str or path-like
        The file.
    hdu : int, str or (str, int), optional
        HDU of the image.
    band : str, optional
        Band of the image in a file of several.

    Returns
    -------
    ObservationSummary

    Raises
    ------
    ObservationError
        If there is no such file, or it is neither FITS nor ASDF.
    """
    path = Path(path).expanduser()
    if path.is_file():
        with path.open("rb") as stream:
            if stream.read(5) == b"#ASDF":
                return _describe_asdf(path)
    return _describe_fits(path, hdu, band)


def _describe_fits(path: Path, hdu: HDUKey | None, band: str | None) -> ObservationSummary:
    options: dict[str, Any] = {"hdu": hdu, "band": band, "psf_supersampling": None}
    missing = {}
    with open_fits(path) as hdul:
        contents = tuple(
            f"{number}: {describe_hdu(each)}" + _role_in_words(each)
            for number, each in enumerate(hdul)
        )
        facts: dict[str, Any] = {"path": str(path), "kind": "FITS", "contents": contents}
        try:
            image = choose_image(hdul, hdu=hdu, band=band)
        except ObservationError as error:
            several = bool(image_hdus(hdul))
            return ObservationSummary(
                layout="several images" if several else "no image",
                missing={"image": _OPTIONS["image"]} if several else {},
                problems=(str(error),),
                **facts,
            )
        facts["layout"] = find_companions(hdul, image).layout
        facts["hdu"] = describe_hdu(image)
        header = merged_header(hdul, image)
        try:
            no_wcs = wcs_of(hdul, image, optional=False) is None
        except ObservationError:
            no_wcs = False  # the reader below says what is wrong
    bunit = str(header.get("BUNIT") or "").strip()
    if not bunit and LAYOUT_KEYWORD not in header:
        missing["unit"] = _OPTIONS["unit"]
        options["unit"] = u.dimensionless_unscaled
    if no_wcs and not (LAYOUT_KEYWORD in header and "PIXSCALE" in header):
        hints = [f"{key} = {header[key]}" for key in PIXEL_SCALE_HINTS if key in header]
        advice = f"; the header says {hints[0]}" if hints else ""
        missing["pixel scale"] = _OPTIONS["pixel scale"] + advice
        options["pixel_scale"] = 1 * u.arcsec
    problems: list[str] = []
    if bunit:
        try:
            parse_unit(bunit)
        except ObservationError as error:
            problems.append(str(error))
            options["unit"] = u.dimensionless_unscaled
    try:
        observation = read_fits(path, **options)
    except ObservationError as error:
        problems.append(str(error))
        shape = tuple(header[f"NAXIS{axis}"] for axis in range(header["NAXIS"], 0, -1))
        facts["shape"] = shape if len(shape) == 2 else None
        return ObservationSummary(missing=missing, problems=tuple(problems), **facts)
    facts |= _facts_of(observation)
    if "unit" in options:
        facts["unit"] = None
    if "pixel scale" in missing:
        facts["pixel_scale"] = None
    missing |= _missing_in(observation)
    return ObservationSummary(missing=missing, problems=tuple(problems), **facts)


def _role_in_words(hdu: Any) -> str:
    if not hdu.is_image:
        return f", {type(hdu).__name__}"
    if not hdu.header.get("NAXIS", 0):
        return ", header only"
    role = role_of(hdu.name)
    return f", {'weight (not an uncertainty)' if role == 'weight' else role}"


def _facts_of(observation: LensObservation) -> dict[str, Any]:
    """What an observation that could be read tells about itself."""
    noise = psf = None
    if observation.uncertainty is not None:
        kind = type(observation.uncertainty).__name__
        used = observation.noise[observation.good]
        median = float(np.median(used)) if used.size else float("nan")
        noise = f"{kind}, median {median:.4g}"
    if observation.psf is not None:
        psf = "{} x {}".format(*observation.psf.shape)
        if "PSFSUM" in observation.meta:
            psf += f", sum {observation.meta['PSFSUM']:.4g} normalised to one"
        if observation.psf_supersampling > 1:
            psf += f", {observation.psf_supersampling} elements per pixel"
    orientation = observation.orientation
    return {
        "shape": observation.shape,
        "unit": observation.unit.to_string() or "dimensionless",
        "pixel_scale": observation.pixel_scale,
        "orientation": None if orientation is None else str(orientation),
        "noise": noise,
        "psf": psf,
        "band": observation.band,
        "z_lens": observation.z_lens,
        "z_source": observation.z_source,
        "exposure": observation.exposure,
        "gain": observation.gain,
        "masked_fraction": 1 - float(observation.good.mean()),
    }


def _missing_in(observation: LensObservation) -> dict[str, str]:
    state = {
        "noise": observation.uncertainty,
        "psf": observation.psf,
        "band": observation.band,
        "z_lens": observation.z_lens,
        "z_source": observation.z_source,
    }
    return {key: _OPTIONS[key] for key, value in state.items() if value is None}


def _describe_asdf(path: Path) -> ObservationSummary:
    tree = read_tree(path)
    contents = tuple(f"{key}: {type(value).__name__}" for key, value in tree.items())
    facts: dict[str, Any] = {"path": str(path), "kind": "ASDF", "contents": contents}
    for key, value in tree.items():
        layout = type(value).__name__
        observation = value if isinstance(value, LensObservation) else None
        observation = observation or getattr(value, "observation", None)
        if isinstance(observation, LensObservation):
            facts |= _facts_of(observation) | {"hdu": key, "layout": layout}
            return ObservationSummary(missing=_missing_in(observation), **facts)
    return ObservationSummary(
        layout="no observation",
        problems=(f"neither an observation nor a reconstruction in {path.name!r}",),
        **facts,
    )

"""Observations in a scaled unit, and back: linear, exact, recorded."""

from __future__ import annotations

import warnings
from typing import TYPE_CHECKING

import astropy.units as u
import numpy as np
from astropy.nddata import StdDevUncertainty

from astrorim.exceptions import AstroRIMWarning, ObservationError
from astrorim.interfaces.normalizer import LinearScaling
from astrorim.preparation.records import record
from astrorim.quantities import parse_unit

if TYPE_CHECKING:
    from astrorim.interfaces import Normalizer
    from astrorim.observation import LensObservation

__all__ = ["denormalize", "normalize"]

_KEYWORDS = ("NORMOFF", "NORMSCAL", "NORMUNIT", "NORMNAME")


def normalize(
    observation: LensObservation,
    normalizer: Normalizer,
    *,
    size: int | None = None,
    clip: bool = False,
) -> LensObservation:
    r"""Scale an observation linearly: :math:`x' = (x - o) / s`, :math:`\sigma' = \sigma / s`.

    The frame is cropped first, so that offset and scale are those of what comes out. The
    pixel scale does not change.

    Parameters
    ----------
    observation : LensObservation
        Unchanged itself.
    normalizer : Normalizer
        Finds offset and scale from the unmasked pixels.
    size : int, optional
        Side of the crop about the frame's centre, pixels.
    clip : bool, optional
        Cut off what lies outside 0 to 1. That is not linear: the noise map is dropped, and
        the result is for display and detection.

    Returns
    -------
    LensObservation
        Dimensionless, float64, with ``NORMOFF``, ``NORMSCAL``, ``NORMUNIT`` and
        ``NORMNAME`` in its ``meta``; ``NORMCLIP`` where it was clipped.

    Raises
    ------
    ObservationError
        If the observation was normalised before, or the crop is larger than the frame.
    ValueError
        If no pixel is usable, or all are equal.

    Warns
    -----
    AstroRIMWarning
        If the image is clipped.
    """
    if "NORMSCAL" in observation.meta:
        raise ObservationError(
            f"this observation was normalised before (NORMSCAL = "
            f"{observation.meta['NORMSCAL']:g}); denormalize it first"
        )
    frame = observation if size is None else observation.cutout(size)
    scaling = normalizer.fit(frame.data, ~frame.good)
    data = scaling.apply(np.asarray(frame.data, dtype=np.float64))
    noise = None
    if frame.has_noise and not clip:
        noise = StdDevUncertainty(np.asarray(frame.noise, dtype=np.float64) / scaling.scale)
    meta = frame.meta.copy()
    record(meta, "NORMOFF", scaling.offset, "offset that was taken off")
    record(meta, "NORMSCAL", scaling.scale, "scale that was divided by")
    record(meta, "NORMUNIT", frame.unit.to_string(), "unit before")
    record(meta, "NORMNAME", normalizer.name, "normalizer")
    if clip:
        outside = np.count_nonzero((data < 0) | (data > 1)) / data.size
        warnings.warn(
            f"clipping cut off {outside:.1%} of the pixels; the image is not linear in flux "
            "any more: for display and detection only",
            AstroRIMWarning,
            stacklevel=2,
        )
        data = np.clip(data, 0.0, 1.0)
        record(meta, "NORMCLIP", True, "clipped: not linear, display only")
    return type(frame)(
        data,
        unit=u.dimensionless_unscaled,
        uncertainty=noise,
        mask=frame.mask,
        wcs=frame.wcs,
        meta=meta,
        **frame.attributes(),
    )


def denormalize(observation: LensObservation) -> LensObservation:
    r"""Undo `normalize`: :math:`x = x' s + o`.

    Parameters
    ----------
    observation : LensObservation
        With offset and scale in its ``meta``; unchanged itself.

    Returns
    -------
    LensObservation
        In its former unit, exact to rounding in float64.

    Raises
    ------
    ObservationError
        If nothing is recorded, or the image was clipped.
    """
    missing = [key for key in _KEYWORDS[:3] if key not in observation.meta]
    if missing:
        raise ObservationError(
            f"the header must hold {', '.join(_KEYWORDS[:3])}, but lacks {', '.join(missing)}; "
            "was this image normalised?"
        )
    if observation.meta.get("NORMCLIP"):
        raise ObservationError(
            "a clipped image cannot be undone: what was cut off is lost; use the original file"
        )
    scaling = LinearScaling(
        float(observation.meta["NORMOFF"]), float(observation.meta["NORMSCAL"])
    )
    meta = observation.meta.copy()
    unit = parse_unit(str(meta["NORMUNIT"]) or "dimensionless", name="NORMUNIT")
    for key in _KEYWORDS:
        meta.pop(key, None)
    noise = None
    if observation.has_noise:
        noise = StdDevUncertainty(observation.noise * scaling.scale)
    return type(observation)(
        scaling.invert(np.asarray(observation.data, dtype=np.float64)),
        unit=unit,
        uncertainty=noise,
        mask=observation.mask,
        wcs=observation.wcs,
        meta=meta,
        **observation.attributes(),
    )

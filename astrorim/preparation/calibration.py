r"""Raw CCD frames to calibrated images, with ccdproc, and their noise with them.

The order is that of ccdproc: bias, deviation, dark, gain, flat. The noise of a raw frame
is made after the bias is off, since the bias holds no photons.
"""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from typing import TYPE_CHECKING

import astropy.units as u
import numpy as np
from astropy.nddata import CCDData, StdDevUncertainty

from astrorim.exceptions import ObservationError
from astrorim.preparation.records import record
from astrorim.quantities import parse_quantity

if TYPE_CHECKING:
    from astrorim.observation import LensObservation

__all__ = ["calibrate", "combine_calibration_frames"]


def combine_calibration_frames(
    frames: Sequence[CCDData], *, kind: str, clip: float = 5.0
) -> CCDData:
    """Average bias, dark or flat frames, without outliers.

    Flats are scaled to the same median first. The noise is the scatter of the frames over
    the square root of their number, as `ccdproc.Combiner.average_combine` has it.

    Parameters
    ----------
    frames : sequence of `~astropy.nddata.CCDData`
        At least three, (H, W) in one unit.
    kind : {"bias", "dark", "flat"}
        What they are.
    clip : float, optional
        Distance from the median, in scatters about it by the median absolute deviation,
        beyond which a value is dropped.

    Returns
    -------
    `~astropy.nddata.CCDData`
        With a `~astropy.nddata.StdDevUncertainty`.

    Raises
    ------
    ObservationError
        If there are fewer than three frames, or units or shapes differ.
    """
    from astropy.stats import mad_std
    from ccdproc import Combiner

    if kind not in ("bias", "dark", "flat"):
        raise ObservationError(f"kind must be 'bias', 'dark' or 'flat', got {kind!r}")
    if len(frames) < 3:
        raise ObservationError(
            f"at least three {kind} frames are needed to tell outliers, got {len(frames)}"
        )
    for name in ("unit", "shape"):
        found = {str(getattr(frame, name)) for frame in frames}
        if len(found) > 1:
            raise ObservationError(
                f"all {kind} frames must have one {name}, got {', '.join(sorted(found))}"
            )
    combiner = Combiner(list(frames), dtype=np.float64)
    if kind == "flat":
        combiner.scaling = [1 / np.median(frame.data) for frame in frames]
    combiner.sigma_clipping(
        low_thresh=clip, high_thresh=clip, func=np.ma.median, dev_func=mad_std
    )
    combined = combiner.average_combine()
    return CCDData(
        combined.data,
        unit=u.dimensionless_unscaled if kind == "flat" else frames[0].unit,
        uncertainty=StdDevUncertainty(np.asarray(combined.uncertainty.array)),
        mask=combined.mask,
    )


def calibrate(
    frame: LensObservation,
    *,
    gain: str | u.Quantity,
    read_noise: str | u.Quantity,
    bias: CCDData | None = None,
    dark: CCDData | None = None,
    dark_exposure: str | u.Quantity | None = None,
    flat: CCDData | None = None,
    reject_cosmic_rays: bool = True,
) -> LensObservation:
    r"""Calibrate a raw frame: bias, noise, dark, gain, flat, cosmic rays.

    .. math::

        d = g\,(r - b - t\,D) / f, \qquad
        \sigma^2 = (\max(g\,(r - b), 0) + \sigma_r^2) / f^2 + \ldots

    where the dots are the noise of the calibration frames. Cosmic rays are masked, not
    replaced.

    Parameters
    ----------
    frame : LensObservation
        Raw counts, (H, W), adu, with its exposure time if there is a dark.
    gain : str or `~astropy.units.Quantity`
        Electrons per adu.
    read_noise : str or `~astropy.units.Quantity`
        Electrons.
    bias, dark : `~astropy.nddata.CCDData`, optional
        Of the frame's shape, adu; the dark without its bias, of any exposure.
    dark_exposure : str or `~astropy.units.Quantity`, optional
        Exposure time of the dark; needed with it.
    flat : `~astropy.nddata.CCDData`, optional
        Of the frame's shape; it is divided by its mean.
    reject_cosmic_rays : bool, optional
        Whether hits are looked for and masked.

    Returns
    -------
    LensObservation
        Electrons, with a `~astropy.nddata.StdDevUncertainty`; PSF, WCS and all other
        attributes as before. Its ``gain`` is None, because it is applied.

    Raises
    ------
    ObservationError
        If the frame is not in adu, a shape differs, or an exposure time is missing.
    """
    import ccdproc

    from astrorim.observation.masking import cosmic_ray_mask

    if not frame.unit.is_equivalent(u.adu):
        raise ObservationError(f"a raw frame must be in adu, got {frame.unit}; pass unit='adu'")
    for name, each in (("bias", bias), ("dark", dark), ("flat", flat)):
        if each is not None and each.shape != frame.shape:
            raise ObservationError(
                f"{name} must have the frame's shape {frame.shape}, got {each.shape}; trim the "
                "overscan of both"
            )
    gain = parse_quantity(gain, u.electron / u.adu, name="gain")
    read_noise = parse_quantity(read_noise, u.electron, name="read_noise")
    # ccdproc's steps multiply uncertainties, which wants floating point
    result = frame.copy()
    result.data = np.asarray(frame.data, dtype=np.float64)
    result.uncertainty = None
    if bias is not None:
        result = ccdproc.subtract_bias(result, bias)
    # negative counts after the bias are read noise, not photons
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", message="Negative values in array")
        result = ccdproc.create_deviation(
            result, gain=gain, readnoise=read_noise, disregard_nan=True
        )
    if dark is not None:
        if frame.exposure is None or dark_exposure is None:
            what = "exposure" if frame.exposure is None else "dark_exposure"
            raise ObservationError(
                f"{what} must be known to scale the dark, got None; pass {what}='300 s'"
            )
        result = ccdproc.subtract_dark(
            result, dark, data_exposure=frame.exposure, scale=True,
            dark_exposure=parse_quantity(dark_exposure, u.s, name="dark_exposure"),
        )  # fmt: skip
    result = ccdproc.gain_correct(result, gain)
    if flat is not None:
        result = ccdproc.flat_correct(result, flat)
    result = type(frame)(result)
    result.gain = None
    if not isinstance(result.uncertainty, StdDevUncertainty):
        raise ObservationError(
            f"the noise must be a standard deviation, got {type(result.uncertainty).__name__}; "
            "give calibration frames standard deviations"
        )
    if reject_cosmic_rays:
        hits = cosmic_ray_mask(result)
        old = np.zeros(result.shape, bool) if result.mask is None else np.asarray(result.mask)
        result.mask = old | hits
        record(result.meta, "NCOSMIC", int(hits.sum()), "pixels masked as cosmic rays")
    return result

"""From a telescope's image to an observation that can be reconstructed."""

from __future__ import annotations

import warnings
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import astropy.units as u
import numpy as np
from astropy.coordinates import SkyCoord

from astrorim.exceptions import AstroRIMWarning, ObservationError
from astrorim.observation.masking import cosmic_ray_mask
from astrorim.observation.separate_files import Companion, load_weight
from astrorim.preparation.centring import core_is_saturated, find_lens, offset_arcsec
from astrorim.preparation.noise_model import (
    electrons_per_unit,
    noise_from_header,
    noise_from_sky,
    num_exposures,
    read_noise,
    removed_sky,
)
from astrorim.preparation.records import record
from astrorim.preparation.resampling import resample
from astrorim.preparation.sky import SkyEstimate, estimate_sky, subtract_sky
from astrorim.preparation.weights import noise_from_weight, weight_type_of
from astrorim.quantities import parse_quantity

if TYPE_CHECKING:
    from astrorim.observation import LensObservation

__all__ = ["NOISE_SOURCES", "SKY_MODES", "Preparation", "PreparedLens", "prepare"]

NOISE_SOURCES = ("auto", "file", "header", "sky+photons", "sky")
"""Where a noise map may come from."""

SKY_MODES = ("auto", "subtract", "keep")
"""What may be done with the sky."""

_WORKING_SIDE = 600
"""Sky is measured in a square of at most this side about the lens, pixels."""

_SUBTRACTED = ("BGSUB", "SKYSUB", "BACKSUB", "BKGSUB")
_OFF_CENTRE = 0.15
_SIGNIFICANT = 3.0
_HALO = 10.0
"""A level below this many times its own gradient may be the lens's halo altogether."""

_GRADIENT = 0.5
"""Halo in the sky, in scatters of a pixel, that is worth saying."""

_FINE_PIXELS = 0.6
"""Correlation of neighbours above which pixels are finer than the detector's."""

_WRONG_SCALE = 3.0


@dataclass(frozen=True)
class Preparation:
    """What is to be done to an image.

    Parameters
    ----------
    size : int or str or `~astropy.units.Quantity`, optional
        Side of the cutout, pixels or an angle; the whole frame by default.
    centre : {"auto", "frame"} or tuple of float or `~astropy.coordinates.SkyCoord`, optional
        The lens is found, is where the frame's centre is, or is at ``(column, row)`` or at
        a place on the sky. The middle of the cutout is the nearest pixel: nothing is
        interpolated.
    sky : {"auto", "subtract", "keep"}, optional
        ``auto`` subtracts it where it differs from zero by more than three errors and is
        more than ten times its own gradient, unless the file says that this was done.
    sky_radius : float, optional
        Radius about the lens that is left out of the sky, arcsec.
    noise_source : {"auto", "file", "header", "sky+photons", "sky"}, optional
        ``auto`` takes the first of weight, file, sky with photons, header and sky that is
        possible, and says which.
    read_noise : float, optional
        Of one exposure, electrons; the header's by default.
    sky_electrons : float, optional
        Sky that was taken off before, electrons per pixel, for ``header``.
    weight : path, (path, HDU) or ndarray, optional
        Weight map.
    weight_type : {"ivar", "relative", "exposure", "std", "variance"}, optional
        What its numbers are, where its extension's name does not say.
    pixel_scale : str or `~astropy.units.Quantity`, optional
        Side of the new pixels; the pixels stay as they are by default.
    cosmic_rays : bool, optional
        Whether hits of cosmic rays are found and masked.

    Raises
    ------
    ObservationError
        If a choice is unknown.
    """

    size: int | str | u.Quantity | None = None
    centre: Any = "auto"
    sky: str = "auto"
    sky_radius: float | None = None
    noise_source: str = "auto"
    read_noise: float | None = None
    sky_electrons: float | None = None
    weight: Companion | None = None
    weight_type: str | None = None
    pixel_scale: str | u.Quantity | None = None
    cosmic_rays: bool = False

    def __post_init__(self) -> None:
        for name, value, known in (
            ("noise_source", self.noise_source, NOISE_SOURCES),
            ("sky", self.sky, SKY_MODES),
        ):
            if value not in known:
                raise ObservationError(
                    f"{name} must be one of {', '.join(known)}, got {value!r}"
                )
        if isinstance(self.centre, str) and self.centre not in ("auto", "frame"):
            raise ObservationError(
                f"centre must be 'auto', 'frame', (column, row) or a SkyCoord, got "
                f"{self.centre!r}"
            )


@dataclass(frozen=True)
class PreparedLens:
    """A prepared observation and what was done to it.

    Parameters
    ----------
    observation : LensObservation
        Ready for a reconstruction, but for what ``missing`` lists.
    sky : SkyEstimate or None
        None where the sky could not be measured.
    noise : str
        Where the noise map comes from, in words.
    steps : tuple of str
        What was done, in order.
    advice : tuple of str
        What the user should look at.
    missing : tuple of str
        What a reconstruction will still ask for.
    """

    observation: LensObservation
    sky: SkyEstimate | None
    noise: str
    steps: tuple[str, ...] = ()
    advice: tuple[str, ...] = ()
    missing: tuple[str, ...] = ()


@dataclass
class _Notes:
    steps: list[str] = field(default_factory=list)
    advice: list[str] = field(default_factory=list)


def prepare(observation: LensObservation, options: Preparation | None = None) -> PreparedLens:
    """Prepare an image for a reconstruction.

    The lens is found, the sky around it measured and taken off, a noise map found or made,
    the lens cut out and, if asked for, the pixels made coarser. PSF, mask, WCS and all
    other attributes go along.

    Parameters
    ----------
    observation : LensObservation
        Linear in flux, of one band; unchanged itself.
    options : Preparation, optional
        What to do.

    Returns
    -------
    PreparedLens

    Raises
    ------
    ObservationError
        If a step is impossible; the message says what would help.
    """
    options = options or Preparation()
    notes = _Notes()
    centre = _centre_of(observation, options, notes)
    if core_is_saturated(observation, centre):
        notes.advice.append(
            "the lens's core is saturated: its brightest pixels are equal; mask them"
        )
    if options.cosmic_rays:
        observation = _without_cosmic_rays(observation, notes)
    result, sky = _without_sky(observation, centre, options, notes)
    result, noise = _with_noise(result, sky, options, notes)
    result = _cut(result, centre, options, notes)
    if options.pixel_scale is not None:
        before = result.pixel_scale
        result = resample(result, options.pixel_scale)
        notes.steps.append(
            f"pixels of {before.value:.4g} joined to {result.pixel_scale.value:.4g} arcsec, "
            f"which correlates neighbours by {result.meta['NEIGHCOR']:.3f} more"
        )
    _check_frame(result, notes)
    record(result.meta, "NOISEMAP", noise, "where the noise map comes from")
    if sky is not None:
        record(result.meta, "SKYCORR", sky.correlation, "noise correlation before resampling")
    result.check()
    missing = ("psf",) if result.psf is None else ()
    return PreparedLens(result, sky, noise, tuple(notes.steps), tuple(notes.advice), missing)


def _without_cosmic_rays(observation: LensObservation, notes: _Notes) -> LensObservation:
    hits = cosmic_ray_mask(observation)
    result = observation.copy()
    old = np.zeros(hits.shape, bool) if result.mask is None else np.asarray(result.mask)
    result.mask = old | hits
    notes.steps.append(f"{int(hits.sum())} pixels masked as hits of cosmic rays")
    return result


def _centre_of(
    observation: LensObservation, options: Preparation, notes: _Notes
) -> tuple[float, float]:
    ny, nx = observation.shape
    middle = ((nx - 1) / 2, (ny - 1) / 2)
    choice = options.centre
    if isinstance(choice, str):
        centre = middle if choice == "frame" else find_lens(observation)
    elif isinstance(choice, SkyCoord):
        if observation.wcs is None:
            raise ObservationError(
                f"centre={choice.to_string('hmsdms')!r} needs a WCS, which this image does not "
                "have; pass a pixel coordinate (column, row)"
            )
        x, y = observation.wcs.world_to_pixel(choice)
        centre = (float(x), float(y))
    else:
        centre = (float(choice[0]), float(choice[1]))
    if not (-0.5 <= centre[0] < nx - 0.5 and -0.5 <= centre[1] < ny - 0.5):
        raise ObservationError(
            f"centre must lie in the image of {ny} x {nx} pixels, got (column, row) = "
            f"({centre[0]:.1f}, {centre[1]:.1f})"
        )
    x, y = offset_arcsec(observation, centre)
    notes.steps.append(
        f"lens at column {centre[0]:.2f}, row {centre[1]:.2f}: ({x:+.3f}, {y:+.3f}) arcsec "
        "from the frame's centre"
    )
    far = np.hypot(x, y) > _OFF_CENTRE * min(observation.grid.field_of_view) / 2
    if options.size is None and far:
        notes.advice.append(
            f"the lens is {np.hypot(x, y):.2f} arcsec from the frame's centre; pass size= to "
            "cut the frame about it"
        )
    return centre


def _square_about(
    observation: LensObservation, centre: tuple[float, float], most: int
) -> LensObservation:
    """Largest square about a place that fits, no larger than ``most``."""
    ny, nx = observation.shape
    column, row = (round(c) for c in centre)
    half = min(column, row, nx - 1 - column, ny - 1 - row, most // 2)
    return observation[row - half : row + half + 1, column - half : column + half + 1]


def _without_sky(
    observation: LensObservation,
    centre: tuple[float, float],
    options: Preparation,
    notes: _Notes,
) -> tuple[LensObservation, SkyEstimate | None]:
    working = _square_about(observation, centre, _WORKING_SIDE)
    if min(working.shape) < 0.6 * min(*observation.shape, _WORKING_SIDE):
        working = observation
    try:
        sky = estimate_sky(working, options.sky_radius)
    except ObservationError as error:
        if options.sky == "subtract":
            raise
        notes.advice.append(f"the sky stays as it is: {error}")
        return observation, None
    subtracted = "SKYLEVEL" in observation.meta or any(
        bool(observation.meta.get(key)) for key in _SUBTRACTED
    )
    value = f"{sky.level:.4g} +- {sky.error:.2g} {observation.unit} per pixel"
    if abs(sky.gradient) > _GRADIENT * sky.sigma:
        notes.advice.append(
            f"the sky brightens by {sky.gradient:.3g} {observation.unit} per pixel towards the "
            "lens, whose halo fills the frame: its level is that uncertain; use a larger frame"
        )
    zero = abs(sky.level) <= _SIGNIFICANT * sky.error
    halo = abs(sky.level) <= _HALO * abs(sky.gradient)
    if options.sky == "keep" or (options.sky == "auto" and (subtracted or zero or halo)):
        why = "consistent with none, " if zero else "perhaps the lens's halo, " if halo else ""
        notes.steps.append(f"sky of {value} measured, {why}and kept")
        return observation, sky
    notes.steps.append(f"sky of {value} taken off ({sky.num_pixels} blank pixels)")
    return subtract_sky(observation, sky), sky


def _with_noise(
    observation: LensObservation,
    sky: SkyEstimate | None,
    options: Preparation,
    notes: _Notes,
) -> tuple[LensObservation, str]:
    if options.weight is not None:
        noise, words, empty = _weighted(observation, sky, options)
    else:
        noise, words = _noise_map(observation, sky, options, notes)
        empty = None
    result = observation.copy()
    result.uncertainty = noise
    if empty is not None and empty.any():
        old = np.zeros(result.shape, bool) if result.mask is None else np.asarray(result.mask)
        result.mask = old | empty
    notes.steps.append(f"noise map: {words}")
    if sky is not None:
        _compare_with_sky(result, sky, words, notes)
    return result, words


def _weighted(
    observation: LensObservation, sky: SkyEstimate | None, options: Preparation
) -> tuple[Any, str, np.ndarray]:
    weight, name = load_weight(options.weight, band=observation.band)
    kind = options.weight_type or weight_type_of(name)
    if sky is None:
        raise ObservationError(
            "a weight map needs blank sky to be checked against, and there is none; use a "
            "larger frame, or pass a noise map with uncertainty="
        )
    noise, empty = noise_from_weight(observation, weight, kind, sky)
    return noise, f"weight map ({kind})", empty


def _noise_map(
    observation: LensObservation,
    sky: SkyEstimate | None,
    options: Preparation,
    notes: _Notes,
) -> tuple[Any, str]:
    source = options.noise_source
    if source == "file" and not observation.has_noise:
        raise ObservationError(
            "noise_source='file', but there is no noise map in it; pass one with uncertainty="
        )
    if observation.has_noise and source in ("auto", "file"):
        return observation.uncertainty, "file"
    kept = sky is not None and "SKYLEVEL" not in observation.meta
    level = sky.level if sky is not None and kept else 0.0
    attempts = {
        "sky+photons": lambda: noise_from_sky(observation, _sigma(sky), level=level),
        "header": lambda: _from_header(observation, options),
        "sky": lambda: noise_from_sky(observation, _sigma(sky), photons=False),
    }
    if source != "auto":
        return attempts[source](), source
    reasons = []
    for name, attempt in attempts.items():
        try:
            noise = attempt()
        except ObservationError as error:
            reasons.append(str(error))
        else:
            if name == "sky":
                notes.advice.append(
                    f"the noise map lacks the lens's own photons, because {reasons[0]}"
                )
            return noise, name
    raise ObservationError(f"no noise map can be made: {'; '.join(reasons)}")


def _sigma(sky: SkyEstimate | None) -> float:
    if sky is None:
        raise ObservationError(
            "the sky's scatter could not be measured; use a larger frame, or pass a noise map "
            "with uncertainty="
        )
    return sky.sigma


def _from_header(observation: LensObservation, options: Preparation) -> Any:
    noise = options.read_noise if options.read_noise is not None else read_noise(observation)
    electrons = options.sky_electrons
    if electrons is None:
        electrons = removed_sky(observation)
    if electrons is None and "SKYLEVEL" in observation.meta:
        electrons = max(observation.meta["SKYLEVEL"] * electrons_per_unit(observation), 0.0)
    if noise is None or electrons is None:
        what = "read noise" if noise is None else "sky level"
        option = "read_noise=" if noise is None else "sky_electrons="
        raise ObservationError(f"the header lacks the {what}; pass {option}")
    return noise_from_header(
        observation,
        sky_electrons=electrons,
        read_noise=noise,
        exposures=num_exposures(observation),
    )


def _compare_with_sky(
    observation: LensObservation, sky: SkyEstimate, words: str, notes: _Notes
) -> None:
    usable = observation.noise[observation.good]
    ratio = sky.sigma / float(np.percentile(usable, 25))
    notes.steps.append(
        f"the blank sky scatters by {ratio:.2f} times the noise map, neighbours correlate by "
        f"{sky.correlation:.2f}"
    )
    if sky.correlation > _FINE_PIXELS and ratio < 1:
        notes.steps.append(
            "pixels are finer than the detector's, and scatter less than the noise map has it"
        )
    elif not 1 / _WRONG_SCALE < ratio < _WRONG_SCALE:
        notes.advice.append(
            f"the noise map ({words}) and the blank sky differ by a factor of {ratio:.3g}: "
            "is it floored, in another unit, or another kind of map (uncertainty_type=)?"
        )


def _size_in_pixels(observation: LensObservation, size: int | str | u.Quantity) -> int:
    if isinstance(size, int):
        pixels = size
    else:
        angle = parse_quantity(size, u.arcsec, name="size")
        pixels = round(float(angle.to_value(u.arcsec)) / observation.grid.pixel_scale)
    if pixels < 5:
        raise ObservationError(f"size must be at least 5 pixels, got {pixels}")
    return pixels


def _cut(
    observation: LensObservation,
    centre: tuple[float, float],
    options: Preparation,
    notes: _Notes,
) -> LensObservation:
    if options.size is None:
        return observation
    size = _size_in_pixels(observation, options.size)
    ny, nx = observation.shape
    column, row = (round(c - 0.5 * (size % 2 == 0)) for c in centre)
    low_row, low_column = row - (size - 1) // 2, column - (size - 1) // 2
    inside = (
        low_row >= 0 and low_column >= 0 and low_row + size <= ny and low_column + size <= nx
    )
    if not inside:
        largest = 2 * min(column, row, nx - 1 - column, ny - 1 - row) + 1
        raise ObservationError(
            f"size={size} pixels about column {column}, row {row} reaches beyond the image of "
            f"{ny} x {nx} pixels; the largest that fits is {largest}, and the frame keeps its "
            "size without the option"
        )
    notes.steps.append(f"cut to {size} x {size} of {ny} x {nx} pixels")
    return observation[low_row : low_row + size, low_column : low_column + size]


def _check_frame(observation: LensObservation, notes: _Notes) -> None:
    """Advise where light reaches the frame's edge, or no arc could fit."""
    from astrorim.observation.detection import detect_objects

    half_side = min(observation.grid.field_of_view) / 2
    if half_side < 1.0:
        notes.advice.append(
            f"the frame reaches {half_side:.2f} arcsec from the lens, less than most Einstein "
            "radii: is the pixel scale right, or the frame too small?"
        )
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", AstroRIMWarning)
            found = detect_objects(observation)
    except ObservationError:
        return
    rows, columns = np.indices(observation.shape)
    ny, nx = observation.shape
    distance = np.hypot(rows - (ny - 1) / 2, columns - (nx - 1) / 2)
    labels = np.unique(
        found.segments[(distance < 0.7 * min(ny, nx) / 2) & (found.segments > 0)]
    )
    edge = np.zeros(observation.shape, bool)
    edge[[0, -1], :] = edge[:, [0, -1]] = True
    if np.isin(found.segments[edge], labels).any() and labels.size:
        notes.advice.append(
            "light of the lens or its arcs reaches the frame's edge: use a larger frame"
        )

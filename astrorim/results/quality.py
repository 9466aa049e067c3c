"""Quality flags: a bad fit says that it is bad, and why."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import numpy as np

from astrorim.observation.detection import psf_width
from astrorim.results.fit_quality import (
    MISFIT,
    NOISE_OVERESTIMATED,
    NOISE_UNDERESTIMATED,
    STRUCTURE_CORRELATION,
    STRUCTURE_SIGNIFICANCE,
    UNRESOLVED,
    residual_autocorrelation,
    residual_structure,
    unmodelled_objects,
)
from astrorim.results.parameter_table import LIGHT_PREFIX

if TYPE_CHECKING:
    from collections.abc import Sequence

    from astrorim.observation.sky_noise import SkyNoise
    from astrorim.parameters import Parameter
    from astrorim.results.reconstruction import Reconstruction

__all__ = [
    "ENCODER_DISAGREEMENT",
    "FLAG_ADVICE",
    "LENSING_ODDS",
    "PREDICTED_SHARE",
    "SOURCE_ODDS",
    "TRAINING_DISTANCE",
    "quality_flags",
]

SOURCE_ODDS = "source_log_bayes_factor"
"""Where the provenance keeps ln of the odds of a lensed source over lens light alone."""

LENSING_ODDS = "lensing_log_bayes_factor"
"""Where it keeps ln of the odds of a lens over a galaxy of freer shape with stars beside it."""

PREDICTED_SHARE = "predicted_share"
"""Where it keeps the share of the arcs that the other images of their source predict."""

ENCODER_DISAGREEMENT = "encoder_disagreement"
"""Where it keeps how far the image's likelihood moved the lens from the encoder's posterior."""

TRAINING_DISTANCE = "training_distance"
"""Where it keeps how many deviations of the training population a lens is from its mean."""

FLAG_ADVICE = {
    "arc-misfit": (
        "the arcs are not fitted: look at the residual; a ring-shaped one points to the PSF, "
        "one at the arcs to the lens model"
    ),
    "image-misfit": (
        "chi-square is high over the frame: check the flux scale, the noise map, the "
        "background and unmasked neighbours"
    ),
    "noise-overestimated": (
        "the blank sky scatters less than the noise map says, so chi-square below one is no "
        "proof of a good fit and the intervals are too wide"
    ),
    "noise-underestimated": (
        "the blank sky scatters more than the noise map says, so chi-square above one is no "
        "proof of a bad fit and the intervals are too narrow: check the noise map's unit, "
        "exposure and background"
    ),
    "residual-structure": (
        "neighbouring residuals are alike where they should be independent: light is fitted "
        "in the wrong place; ring-shaped, it points to the PSF, along the arcs to the lens "
        "model or a source too smooth, at the centre to the lens's light"
    ),
    "unmodelled-neighbour": (
        "an object stands out of the residual away from the arcs: mask it, for example with "
        "neighbour_mask"
    ),
    "mass-offset": (
        "the lens's mass has its centre beside its light, where real galaxies have both "
        "within some hundredths of an arcsecond: the fit may be in a wrong solution, or the "
        "mass more complex than its model"
    ),
    "ring-outside-frame": (
        "the Einstein radius reaches beyond the image: use a larger cutout; or the lens "
        "galaxy's outskirts were taken for arcs"
    ),
    "source-offset": (
        "the source lies outside the Einstein radius, where it has one image only: check "
        "the pixel scale, the WCS and the centring of the cutout, or the image may show a "
        "neighbour and no arc"
    ),
    "low-signal": (
        "the arcs are faint: lens parameters and convergence are noisy, rely on their "
        "intervals only"
    ),
    "unresolved": (
        "the Einstein radius is smaller than the PSF is wide: images and lens galaxy merge, "
        "and shape and source are not constrained"
    ),
    "no-arcs": (
        "no arc stands out of the noise: lens parameters and source are not constrained by "
        "these data"
    ),
    "no-source-needed": (
        "the lens galaxy's light alone explains the image as well: no arcs are seen, and lens "
        "parameters and source mean nothing"
    ),
    "lensing-not-needed": (
        "a lens galaxy that is not quite shaped like its model, with stars beside it, explains "
        "the image as well without any lens: look for arcs in the residual of its light; mask "
        "stars, or choose a richer --light"
    ),
    "images-unrelated": (
        "the images do not come from one source: what was taken for an arc is not predicted "
        "by the others, and may be a neighbour or a star, to be masked, or part of the galaxy"
    ),
    "outside-training": (
        "the lens is unlike those that the networks were trained on, and their intervals are "
        "not to be trusted: refine it (--refine map), or use networks trained on such lenses"
    ),
    "parameter-at-bound": "a parameter stopped at the edge of its range; do not trust it",
    "source-at-edge": (
        "the source reaches the edge of its frame, so a part of it may be missing"
    ),
    "arcs-at-frame-edge": "arcs reach the edge of the image: use a larger cutout",
    "negative-source": "the source has significant negative flux: check background and light",
}
"""Every flag with the advice that goes with it."""

_FEWEST_PIXELS = 200
_EDGE_FRACTION = 0.15
_NEGATIVE_FRACTION = 0.1
_LOWEST_SIGNAL = 20.0
_LEAST_ODDS = 5.0  # ln of the Bayes factor: very strong (Kass & Raftery 1995, JASA 90, 773)
_LEAST_LENSING_ODDS = 25.0  # the same; what no galaxy of simple shape reached
_LEAST_PREDICTED = 0.75  # of the arcs' chi-square
_MOST_DISAGREEMENT = 1.75  # root mean square of what an honest posterior makes one
_LONGEST_DISTANCE = 3.0  # of the training population's deviations
_LARGEST_OFFSET = 0.1  # arcsec, or a pixel where that is larger


def _blank_sky(result: Reconstruction) -> np.ndarray:
    """Pixels far from lens and arcs, (H, W) bool; none where they are too few."""
    model = np.abs(result.forward_image - result.background)
    noise = np.where(result.observation.good, result.observation.noise, np.inf)
    blank = np.isfinite(result.normalised_residual) & (model < 0.2 * noise)
    return blank if blank.sum() >= _FEWEST_PIXELS else np.zeros_like(blank)


def _sky_scatter(result: Reconstruction, sky: SkyNoise | None) -> float:
    """Scatter of the normalised residual on blank sky; NaN where all is lens."""
    if sky is not None and sky.noise_ratio is not None:
        return sky.noise_ratio
    blank = _blank_sky(result)
    if not blank.any():
        return math.nan
    low, high = np.percentile(result.normalised_residual[blank], [15.865, 84.135])
    return float(high - low) / 2


def quality_flags(
    result: Reconstruction,
    parameters: Sequence[Parameter] = (),
    *,
    sky: SkyNoise | None = None,
) -> dict[str, str]:
    """Judge a reconstruction from what it measured.

    Parameters
    ----------
    result : Reconstruction
        What to judge.
    parameters : sequence of Parameter, optional
        Declarations of its lens and light parameters (``light_`` prefixed), for their
        supports.
    sky : SkyNoise, optional
        From `~astrorim.observation.sky_noise.measure_sky`; by default scatter and
        correlation of the noise are those of the residual away from lens and arcs.

    Returns
    -------
    dict of str to str
        Name of each flag that applies, with advice and the number behind it.

    Notes
    -----
    Reduced chi-square is compared with its expectation for this noise map: the squared
    scatter of the residual on blank sky in units of the noise, where there is enough
    blank sky, else one.
    """
    flags = {}
    scatter = _sky_scatter(result, sky)
    expected = scatter**2 if math.isfinite(scatter) else 1.0
    arc, whole = result.arc_reduced_chi2, result.reduced_chi2
    if not math.isfinite(arc):
        flags["no-arcs"] = FLAG_ADVICE["no-arcs"]
    elif arc > MISFIT * expected:
        flags["arc-misfit"] = (
            f"{FLAG_ADVICE['arc-misfit']} (reduced chi-square {arc:.2f} in the arcs, "
            f"expected {expected:.2f})"
        )
    flags.update(_lensing_flags(result))
    flags.update(_training_flag(result))
    if whole > MISFIT * expected:
        flags["image-misfit"] = (
            f"{FLAG_ADVICE['image-misfit']} (reduced chi-square {whole:.2f}, "
            f"expected {expected:.2f})"
        )
    wrong = None
    if scatter < NOISE_OVERESTIMATED:
        wrong = "noise-overestimated"
    elif scatter > NOISE_UNDERESTIMATED:
        wrong = "noise-underestimated"
    if wrong:
        flags[wrong] = f"{FLAG_ADVICE[wrong]} (scatter {scatter:.2f} of the noise map)"
    at_bound = [
        p.name
        for p in parameters
        if (value := _value_of(result, p.name)) is not None and _is_at_bound(p, value)
    ]
    if at_bound:
        flags["parameter-at-bound"] = (
            f"{FLAG_ADVICE['parameter-at-bound']} ({', '.join(at_bound)})"
        )
    flags.update(_offset_flag(result))
    grid = result.observation.grid
    half = min(grid.shape) / 2 * grid.pixel_scale
    if result.lens.get("theta_E", 0.0) > half:
        flags["ring-outside-frame"] = (
            f"{FLAG_ADVICE['ring-outside-frame']} ({result.lens['theta_E']:.3g} arcsec "
            f"against {half:.3g} arcsec from its middle to its edge)"
        )
    flags.update(_residual_flags(result, sky))
    flags.update(_source_flags(result))
    return flags


def _lensing_flags(result: Reconstruction) -> dict[str, str]:
    """Flags of an image that needs no source, no lens, or more than one source."""
    judged = (
        ("no-source-needed", SOURCE_ODDS, _LEAST_ODDS, "ln of the odds of a source {:.1f}"),
        ("lensing-not-needed", LENSING_ODDS, _LEAST_LENSING_ODDS, "ln of the odds {:.1f}"),
        ("images-unrelated", PREDICTED_SHARE, _LEAST_PREDICTED, "{:.0%} predicted"),
    )
    return {
        name: f"{FLAG_ADVICE[name]} ({text.format(value)})"
        for name, key, least, text in judged
        if (value := result.provenance.get(key)) is not None and value < least
    }


def _training_flag(result: Reconstruction) -> dict[str, str]:
    """Flag of a lens that the networks were not trained for."""
    moved = result.provenance.get(ENCODER_DISAGREEMENT, 0.0)
    distance = result.provenance.get(TRAINING_DISTANCE, 0.0)
    if moved <= _MOST_DISAGREEMENT and distance <= _LONGEST_DISTANCE:
        return {}
    return {
        "outside-training": (
            f"{FLAG_ADVICE['outside-training']} (moved by {moved:.1f} of the encoder's "
            f"deviations, {distance:.1f} deviations from the training population's mean)"
        )
    }


def _value_of(result: Reconstruction, name: str) -> float | None:
    if name.startswith(LIGHT_PREFIX):
        return result.light.get(name.removeprefix(LIGHT_PREFIX))
    return result.lens.get(name)


def _is_at_bound(parameter: Parameter, value: float) -> bool:
    """Whether a value was stopped by its support; an amplitude may well be zero."""
    if parameter.linear:
        return False
    low, high = parameter.support
    # float32 arithmetic leaves a stopped value within a few units of the last place.
    return value <= low + 1e-5 * max(1, abs(low)) or value >= high - 1e-5 * max(1, abs(high))


def _offset_flag(result: Reconstruction) -> dict[str, str]:
    """Flag of a mass that is not where its light is."""
    names = ("x0", "y0")
    if not (set(names) <= result.lens.keys() and set(names) <= result.light.keys()):
        return {}
    offset = math.hypot(*(result.lens[name] - result.light[name] for name in names))
    if offset <= max(_LARGEST_OFFSET, result.observation.grid.pixel_scale):
        return {}
    return {"mass-offset": f"{FLAG_ADVICE['mass-offset']} ({offset:.2f} arcsec)"}


def _residual_flags(result: Reconstruction, sky: SkyNoise | None) -> dict[str, str]:
    flags = {}
    residual, arcs = result.normalised_residual, result.arc_mask
    correlation = None if sky is None else sky.correlation
    blank = _blank_sky(result)
    if correlation is None and blank.any():
        correlation = residual_autocorrelation(residual, ~blank)
    lens = ~blank & np.isfinite(residual)
    if lens.sum() >= _FEWEST_PIXELS and np.ptp(residual[lens]) > 0:
        excess, significance = residual_structure(
            residual, ~lens, noise_correlation=correlation
        )
        if excess > STRUCTURE_CORRELATION and significance > STRUCTURE_SIGNIFICANCE:
            flags["residual-structure"] = (
                f"{FLAG_ADVICE['residual-structure']} (neighbours correlate by "
                f"{excess:.2f} more than the noise, {significance:.0f} sigma)"
            )
    number = unmodelled_objects(residual, None, arcs)
    if number:
        flags["unmodelled-neighbour"] = (
            f"{FLAG_ADVICE['unmodelled-neighbour']} ({number} found)"
        )
    radius = result.lens.get("theta_E", math.inf)
    if result.observation.psf is not None:
        width = psf_width(result.observation) * result.observation.grid.pixel_scale
        if radius < UNRESOLVED * width:
            flags["unresolved"] = (
                f"{FLAG_ADVICE['unresolved']} ({radius:.3g} arcsec against a width of "
                f"{width:.3g} arcsec)"
            )
    return flags


def _is_singly_imaged(result: Reconstruction) -> bool:
    """Whether the source's bright half lies beyond the Einstein radius."""
    if not {"theta_E", "x0", "y0"} <= result.lens.keys():
        return False
    x, y = result.source_grid.coordinates()
    bright = np.where(result.source > result.source.max() / 2, result.source, 0)
    offset = (
        float(np.sum(position * bright) / bright.sum()) - result.lens[name]
        for position, name in ((x, "x0"), (y, "y0"))
    )
    return math.hypot(*offset) > result.lens["theta_E"]


def _source_flags(result: Reconstruction) -> dict[str, str]:
    flags = {}
    source = result.source
    peak = float(source.max())
    if peak > 0:
        edge = np.concatenate([source[0], source[-1], source[:, 0], source[:, -1]])
        if float(edge.max()) > _EDGE_FRACTION * peak:
            flags["source-at-edge"] = FLAG_ADVICE["source-at-edge"]
        negative = -float(source[source < 0].sum())
        if negative > _NEGATIVE_FRACTION * float(source[source > 0].sum()):
            flags["negative-source"] = FLAG_ADVICE["negative-source"]
        if _is_singly_imaged(result):
            flags["source-offset"] = FLAG_ADVICE["source-offset"]
    arcs = result.arc_mask
    if arcs.any():
        ratio = result.arcs[arcs] / result.observation.noise[arcs]
        signal = float(np.sqrt(np.sum(ratio**2)))
        if signal < _LOWEST_SIGNAL:
            flags["low-signal"] = (
                f"{FLAG_ADVICE['low-signal']} (signal to noise {signal:.0f} of all arcs)"
            )
    border = np.ones_like(arcs)
    border[3:-3, 3:-3] = False
    if (arcs & border).sum() > 0.02 * max(1, arcs.sum()):
        flags["arcs-at-frame-edge"] = FLAG_ADVICE["arcs-at-frame-edge"]
    return flags

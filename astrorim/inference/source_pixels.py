"""The pixel source: its frame, from the arcs or a solution, and its expected brightness."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import torch

from astrorim.lensing.interpolation import SourceFrames, SourceSampler
from astrorim.rim.source_frames import frames_from_arcs

if TYPE_CHECKING:
    from torch import Tensor

    from astrorim.inference.lens_fit import ExpectedSource, LensFit
    from astrorim.inference.refinement import RefinementState
    from astrorim.lensing.forward import ForwardModel

__all__ = ["expected_like", "frames_of_source", "source_frames"]

_WIDEST = 1.4  # half a frame of the source at most, in Einstein radii
_WIDE = 1.2  # the same, where the evidence chooses
_WIDER = 1.5  # each frame of the source that is tried than the one before
_STRETCHES = (0.0, 2.5, 6.0, 15.0, 40.0)


def source_frames(
    model: ForwardModel, values: Tensor, size: int, largest: float = _WIDEST
) -> SourceFrames:
    """Frame of the source at some parameters, the lens light in them subtracted.

    Parameters
    ----------
    model : ForwardModel
        Of the images.
    values : Tensor, (B, P)
        Parameters.
    size : int
        Side of the source image, pixels.
    largest : float, optional
        Half a frame at most, in Einstein radii.

    Returns
    -------
    SourceFrames
    """
    names = model.system.parameters.names
    place = [names.index(name) for name in ("x0", "y0")]
    frames = frames_from_arcs(
        model,
        values,
        model.lens_light(values),
        size,
        theta_e=values[:, names.index("theta_E")],
        centre=values[:, place],
    )
    limit = 2 * largest * values[:, names.index("theta_E")] / size
    return SourceFrames(frames.centre, torch.minimum(frames.pixel_scale, limit), size)


def frames_of_source(fit: LensFit, state: RefinementState, size: int) -> SourceFrames:
    """Frame around the source of a solution, as wide and as stretched as the evidence has it.

    A wide frame holds the faint outskirts of the arcs, or what the fit of the lens galaxy's
    light would take for its own; a stretched one resolves the source's core as well.

    Parameters
    ----------
    fit : LensFit
        What the solution is of.
    state : RefinementState
        The solution.
    size : int
        Side of the source image, pixels.

    Returns
    -------
    SourceFrames
    """
    centre = _middle(fit, state)[0]
    old = state.source_frames
    theta_e = state.values[:, fit.model.system.parameters.index_of("theta_E")]
    widest = torch.maximum(_WIDE * theta_e, old.half)
    best, best_evidence = SourceFrames(centre, 2 * old.half / fit.size, fit.size), -math.inf
    strength: float | None = None
    half = old.half
    while True:
        improved = False
        first = max(0, _STRETCHES.index(best.stretch) - 1)
        for stretch in _STRETCHES[first:]:
            frames = SourceFrames(centre, 2 * half / fit.size, fit.size, stretch)
            problem = fit.problem(state.values, frames)
            strength = problem.best_strength(strength, tolerance=0.3)
            evidence = problem.invert(strength).log_evidence
            if evidence > best_evidence:
                best, best_evidence, improved = frames, evidence, True
            elif best.half is half:
                break
        if not improved or bool(half >= widest):
            break
        half = torch.minimum(half * _WIDER, widest)
    return best._replace(pixel_scale=2 * best.half / size, size=size)


def _middle(fit: LensFit, state: RefinementState) -> tuple[Tensor, Tensor]:
    """Centre (1, 2) and root mean square radius (1,) of the squared source, arcsec.

    Squared, what the lens galaxy's light leaves over at the frame's edges counts little.
    """
    frames = state.source_frames
    x, y = frames.coordinates()
    slopes = frames.pixels_per_arcsec(x, y)
    weight = fit.source(state.inversion).clamp_min(0) ** 2 / (slopes[0] * slopes[1])
    weight = weight / weight.sum().clamp_min(1e-30)
    centre = torch.stack([(weight * x).sum(), (weight * y).sum()])
    variance = (weight * ((x - centre[0]) ** 2 + (y - centre[1]) ** 2)).sum()
    return centre[None], variance.sqrt()[None]


def expected_like(fit: LensFit, state: RefinementState) -> ExpectedSource:
    """Brightness at any position as in a solution, the mean over 3 x 3 pixels taken.

    Parameters
    ----------
    fit : LensFit
        What the solution is of.
    state : RefinementState
        The solution.

    Returns
    -------
    callable
        For `LensFit`.
    """
    source = fit.source(state.inversion)
    pool = torch.nn.functional.avg_pool2d
    smooth = pool(source[:, None], 3, 1, 1, count_include_pad=False)[:, 0].clamp_min(0)
    frames = state.source_frames

    def brightness(x: Tensor, y: Tensor) -> Tensor:
        return SourceSampler(x, y, frames).apply(smooth)

    return brightness

"""The whole refinement of one image: start, coarse descent, fine descent."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

import torch

from astrorim.inference.blind_start import (
    StartOptions,
    arc_radii,
    frames_of_source,
    incredibility,
    ranked,
    search_starts,
    source_frames,
)
from astrorim.inference.coarse_images import central_model, coarse_model
from astrorim.inference.lens_fit import LensFit
from astrorim.inference.light_fit import fit_light, refit_light
from astrorim.inference.refinement import RefinementOptions, refine

if TYPE_CHECKING:
    from torch import Tensor

    from astrorim.inference.refinement import RefinementState
    from astrorim.lensing.forward import ForwardModel

__all__ = ["SearchOptions", "fit_lens"]

_AROUND = (0.75, 1.33)  # of the Einstein radius of a start: where others are looked for
_OUTERMOST = 2.2  # Einstein radii within which the arcs lie
_WORTH_FOLLOWING = 0.7  # behind the best in credibility


@dataclass(frozen=True)
class SearchOptions:
    """How to find a lens.

    Parameters
    ----------
    source_size : int, optional
        Side of the source image, pixels.
    start : StartOptions, optional
        How to search for a start where none is given.
    num_followed : int, optional
        Starts to follow on the image's own pixels.
    max_steps : int, optional
        Evaluations with the PSF at its own sampling.
    """

    source_size: int = 32
    start: StartOptions = field(default_factory=StartOptions)
    num_followed: int = 3
    max_steps: int = 12


@torch.no_grad()
def fit_lens(
    model: ForwardModel,
    used: Tensor,
    values: Tensor | None = None,
    options: SearchOptions | None = None,
) -> tuple[LensFit, RefinementState]:
    """Fit one image.

    Parameters
    ----------
    model : ForwardModel
        Of one image.
    used : Tensor, (H, W), bool
        Which pixels count.
    values : Tensor, (1, P), optional
        Start; with it only Einstein radii near its own are searched.
    options : SearchOptions, optional
        How.

    Returns
    -------
    fit : LensFit
        The fit, at the PSF's own sampling, of the part of the image that holds arcs.
    state : RefinementState
        The solution.
    """
    options = options or SearchOptions()
    index = model.system.parameters.index_of("theta_E")
    light = fit_light(model, used, values)
    wanted = options.start
    if values is not None:
        low, high = (float(values[0, index]) * factor for factor in _AROUND)
        wanted = replace(wanted, theta_e_range=(low, high), num_peaks=min(2, wanted.num_peaks))
        values = light
    starts = [s.values for s in search_starts(model, used, light, wanted, values)]
    starts = starts[: options.num_followed]
    model, used = central_model(model, used, _reach(model, used, light, starts))
    best = _best_of(model, used, starts, round(0.75 * options.source_size))
    fit = LensFit(model, used, options.source_size)
    frames = best.source_frames
    size = options.source_size
    frames = frames._replace(pixel_scale=2 * frames.half / size, size=size)
    steps = RefinementOptions(max_steps=options.max_steps, tolerance=0.2, tempered=False)
    return fit, refine(fit, best.values, frames, options=steps)


def _reach(model: ForwardModel, used: Tensor, light: Tensor, starts: list[Tensor]) -> float:
    """Radius, arcsec, that holds the arcs and where they have their counter-images."""
    index = model.system.parameters.index_of("theta_E")
    theta_e = [float(start[0, index]) for start in starts]
    radius = 1.3 * max(theta_e)
    found = arc_radii(model, used, light, (0.5, 0.9))
    if found is not None:
        radius = max(radius, 1.5 * found[0], 1.1 * found[1])
    return min(radius, _OUTERMOST * theta_e[0]) + 6 * float(model.data.pixel_scale[0])


def _best_of(
    model: ForwardModel, used: Tensor, starts: list[Tensor], size: int
) -> RefinementState:
    """The most credible start, followed on the image's own pixels."""
    middle = coarse_model(model, 1)
    fit = LensFit(middle, used, size)
    steps = RefinementOptions(max_steps=8, tolerance=1.0)
    states = []
    for values in starts:
        frames = source_frames(middle, values, size, 0.8)
        states.append(refine(fit, values, frames, options=steps))
    least = min(incredibility(fit, state) for state in states)
    steps = replace(steps, tempered=False)
    followed = [
        refine(fit, refit_light(fit, state), frames_of_source(fit, state, size), options=steps)
        for state in states
        if incredibility(fit, state) < least + _WORTH_FOLLOWING
    ]
    return ranked(fit, followed)[0]

"""The whole refinement of one image: start, coarse descent, fine descent."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import torch

from astrorim.inference.blind_start import (
    StartOptions,
    fit_light,
    search_starts,
    source_frames,
)
from astrorim.inference.coarse_images import coarse_model
from astrorim.inference.lens_fit import LensFit
from astrorim.inference.refinement import RefinementOptions, refine

if TYPE_CHECKING:
    from torch import Tensor

    from astrorim.inference.refinement import RefinementState
    from astrorim.lensing.forward import ForwardModel

__all__ = ["SearchOptions", "fit_lens"]


@dataclass(frozen=True)
class SearchOptions:
    """How to find a lens.

    Parameters
    ----------
    source_size : int, optional
        Side of the source image, pixels.
    start : StartOptions, optional
        How to search for a start where none is given.
    max_steps : int, optional
        Evaluations with the PSF at its own sampling.
    """

    source_size: int = 32
    start: StartOptions = field(default_factory=StartOptions)
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
        Start; searched for without it.
    options : SearchOptions, optional
        How.

    Returns
    -------
    fit : LensFit
        The fit, at the PSF's own sampling.
    state : RefinementState
        The solution.
    """
    options = options or SearchOptions()
    if values is None:
        values = search_starts(model, used, fit_light(model, used), options.start)[0].values
    middle = coarse_model(model, 1)
    size = round(0.75 * options.source_size)
    fit = LensFit(middle, used, size)
    for tempered in (True, False):
        frames = source_frames(middle, values, size)
        steps = RefinementOptions(max_steps=12, tolerance=1.0, tempered=tempered)
        values = refine(fit, values, frames, options=steps).values
    fit = LensFit(model, used, options.source_size)
    frames = source_frames(model, values, options.source_size)
    steps = RefinementOptions(max_steps=options.max_steps, tolerance=0.2, tempered=False)
    return fit, refine(fit, values, frames, options=steps)

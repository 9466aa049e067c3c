"""The whole refinement of one image: starts, descents on fast pixels, the last on fine ones."""

from __future__ import annotations

import math
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

import torch

from astrorim.exceptions import AstroRIMError
from astrorim.inference.arcs import arc_radii
from astrorim.inference.blind_start import (
    StartOptions,
    centre_prior,
    following_light,
    search_starts,
)
from astrorim.inference.coarse_images import central_model, coarse_model
from astrorim.inference.lens_fit import LensFit
from astrorim.inference.refinement import RefinementOptions, parameter_prior, refine
from astrorim.inference.richer_lens import with_richer_lens
from astrorim.inference.source_pixels import expected_like, frames_of_source, source_frames
from astrorim.rim.parameter_step import is_positive

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray
    from torch import Tensor

    from astrorim.inference.compact_source import CompactState
    from astrorim.inference.refinement import RefinementState
    from astrorim.lensing.forward import ForwardModel
    from astrorim.lensing.system import LensSystem

__all__ = ["SearchOptions", "fit_lens"]

_AROUND = (0.85, 1.18)  # of the Einstein radius of a start: where others are looked for
_OUTERMOST = 2.2  # Einstein radii within which the arcs lie
_COMPACT = 0.8  # half a frame of the source at most, in Einstein radii, to begin with
_EARLY_SIZE = 24  # source pixels along a side, to begin with
_POOR = 1.3  # reduced chi-square of the best start above which others are tried
_TRACED = 4  # sub-pixels along the side of a pixel in the last descent
_FINER = 1.5  # times as many pixels along a side where the first ones leave a misfit
_BRIGHT = 2.0  # of the noise: the arcs' pixels that a misfit is looked for in
_SIGNIFICANT = 2.5  # standard deviations of chi-square there that are one
_LIGHT_WIDTH = 10.0  # of the priors of its sizes and indices, in declared ones
_DARKEST = 0.001  # of the source's maximum, where a solution leaves it dark
_CONVOLVED = 4  # elements of the PSF's grid there, at most; with 2 a cusp leaves up to 5 sigma


@dataclass(frozen=True)
class SearchOptions:
    """How to find a lens.

    Parameters
    ----------
    source_size : int, optional
        Side of the source image, pixels.
    start : StartOptions, optional
        How to search for a start.
    early_steps : int, optional
        Evaluations of each descent on fast pixels.
    max_steps : int, optional
        Evaluations with the PSF at its own sampling.
    adaptive : bool, optional
        Whether to take a source of half as many pixels again along a side where the first
        one leaves a misfit, and keep it if the evidence does.
    """

    source_size: int = 32
    start: StartOptions = field(default_factory=StartOptions)
    early_steps: int = 8
    max_steps: int = 12
    adaptive: bool = True


@torch.no_grad()
def fit_lens(
    model: ForwardModel,
    used: Tensor,
    values: Tensor | None = None,
    options: SearchOptions | None = None,
    correlation: NDArray[np.floating] | None = None,
    richer: LensSystem | None = None,
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
    correlation : ndarray, (2 k + 1, 2 k + 1), optional
        Of the noise, as for `~astrorim.inference.lens_fit.LensFit`; the search of starts
        leaves it out.
    richer : LensSystem, optional
        Models to go on to where those of ``model`` leave a misfit, whatever the pixels of
        the source, and to keep if the evidence does.

    Returns
    -------
    fit : LensFit
        The fit, at the PSF's own sampling, of the part of the image that holds arcs.
    state : RefinementState
        The solution; its notes name the starts and the finer pixels that failed.

    Raises
    ------
    AstroRIMError
        If every start fails, with the last one's reason.
    """
    options = options or SearchOptions()
    wanted = options.start
    if values is not None and wanted.theta_e_range is None:
        radius = float(values[0, model.system.parameters.index_of("theta_E")])
        low, high = (radius * factor for factor in _AROUND)
        wanted = replace(wanted, theta_e_range=(low, high), num_radii=4)
    starts = search_starts(model, used, values, wanted)
    model, used = central_model(model, used, _reach(model, used, starts))
    fit, best = _best_of(model, used, starts, options, correlation)
    fine = model.changed(supersampling=_TRACED, sampling=_CONVOLVED)
    last, state = _on_pixels(fine, fit, best, options.source_size, options.max_steps)
    last, state = _better_on_pixels(
        fine, (last, state), options.source_size, options.max_steps, _DARKEST
    )
    if options.adaptive and _misfit(last, state) > _SIGNIFICANT:
        size = round(_FINER * options.source_size)
        last, state = _better_on_pixels(fine, (last, state), size, options.max_steps)
    if richer is not None and _misfit(last, state) > _SIGNIFICANT:
        simple = last
        last, state = with_richer_lens(last, state, richer, options.max_steps)
        if last is not simple:
            # The source that was bent to the wrong lens is not one to place pixels by.
            fine = last.model
            last, state = _better_on_pixels(fine, (last, state), last.size, options.max_steps)
    return last, state


def _on_pixels(
    model: ForwardModel,
    fit: LensFit,
    state: RefinementState,
    size: int,
    max_steps: int,
    faintest: float | None = None,
) -> tuple[LensFit, RefinementState]:
    """A solution descended further with ``size`` x ``size`` pixels that follow its source."""
    frames = frames_of_source(fit, state, size)
    finer = fit.changed(
        model=model,
        size=size,
        expected=expected_like(fit, state),
        known=_wide_light(model.system, state.values) | fit.known,
        faintest=fit.faintest if faintest is None else faintest,
    )
    steps = RefinementOptions(max_steps=max_steps, tolerance=0.2, tempered=False)
    other = refine(finer, state.values, frames, options=steps)
    return finer, replace(other, notes=state.notes)


def _better_on_pixels(
    model: ForwardModel,
    found: tuple[LensFit, RefinementState],
    size: int,
    max_steps: int,
    faintest: float | None = None,
) -> tuple[LensFit, RefinementState]:
    """The same on other pixels, or under another prior, if its evidence is larger."""
    fit, state = found
    try:
        other = _on_pixels(model, fit, state, size, max_steps, faintest)
    except AstroRIMError as error:
        # What was found is kept, and judged by its flags.
        tried = f"a source of {size} x {size} pixels"
        if faintest is not None:
            tried += f" that may be as faint as {faintest:g} of its peak"
        return fit, replace(state, notes=(*state.notes, f"{tried} failed: {error}"))
    if other[1].inversion.log_evidence > state.inversion.log_evidence:
        return other
    return found


def _wide_light(system: LensSystem, values: Tensor) -> dict[str, tuple[float, float]]:
    """Priors of the light's sizes and indices that leave them to the data.

    The declared ones hold a search together. Where the arcs hide the galaxy's outskirts they
    would draw all galaxies to their middle.
    """
    light = list(system.parameters)[system.num_lens :]
    light = [p for p in light if not p.linear]
    positive = is_positive(light, values)
    mean, precision = parameter_prior(light, positive, values)
    return {
        p.name: (float(mean[i]), _LIGHT_WIDTH / float(precision[i]) ** 0.5)
        for i, p in enumerate(light)
        if bool(positive[i])
    }


def _misfit(fit: LensFit, state: RefinementState) -> float:
    """Chi-square over what so many degrees of freedom give, in standard deviations.

    Of the pixels that the arcs outshine the noise in: what too few pixels of the source leave
    is all there, and would drown in the scatter of the whole image.
    """
    inversion, number = state.inversion, fit.size**2
    arcs = inversion.problem.design.first(number) @ inversion.mean[:number]
    bright = arcs.abs() > _BRIGHT
    freedom = float(bright.sum()) - inversion.effective_parameters - len(fit.nonlinear)
    chi2 = float(inversion.residual[bright].double().square().sum())
    return (chi2 - freedom) / math.sqrt(2 * max(freedom, 1.0))


def _reach(model: ForwardModel, used: Tensor, starts: CompactState) -> float:
    """Radius, arcsec, that holds the arcs and where they have their counter-images."""
    index = model.system.parameters.index_of("theta_E")
    radius = 1.3 * float(starts.values[:, index].amax())
    found = arc_radii(model, used, starts.values[:1], (0.5, 0.97))
    if found is not None:
        radius = max(radius, 1.5 * found[0], 1.1 * found[1])
    largest = _OUTERMOST * float(starts.values[0, index])
    return min(radius, largest) + 6 * float(model.data.pixel_scale[0])


def _best_of(
    model: ForwardModel,
    used: Tensor,
    starts: CompactState,
    options: SearchOptions,
    correlation: NDArray[np.floating] | None,
) -> tuple[LensFit, RefinementState]:
    """The start of the most evident source, followed with the PSF on the image's pixels."""
    fast = coarse_model(model, 1)
    known = centre_prior(model, starts.values[:1], options.start.centre_width)
    steps = RefinementOptions(max_steps=options.early_steps, tolerance=1.0)
    found: list[tuple[LensFit, RefinementState]] = []
    notes: list[str] = []
    failure = AstroRIMError("the search of a lens must have a start, got none")
    place = model.system.parameters.index_of("theta_E")

    def follow(start: CompactState, values: Tensor) -> None:
        nonlocal failure
        fit = LensFit(
            fast,
            used,
            _EARLY_SIZE,
            expected=start.brightness,
            known=known,
            correlation=correlation,
        )
        frames = source_frames(fast, values, _EARLY_SIZE, _COMPACT)
        try:
            found.append((fit, refine(fit, values, frames, options=steps)))
        except AstroRIMError as error:
            failure = error  # of this start; another may do
            radius = float(values[0, place])
            notes.append(f"the start at theta_E {radius:.3g} arcsec failed: {error}")

    several = [starts.select(torch.tensor([i])) for i in range(len(starts.values))]
    for start in several:
        follow(start, start.values)
    if found and all(state.inversion.chi2 > _POOR * fit.num_pixels for fit, state in found):
        # A source of few Gaussians can bend its lens: let go of that.
        for start in several:
            follow(start, following_light(model, start.values))
    if not found:
        raise failure
    fit, best = max(found, key=lambda pair: pair[1].inversion.log_evidence)
    frames = frames_of_source(fit, best, _EARLY_SIZE)
    fit = fit.changed(expected=expected_like(fit, best))
    steps = replace(steps, tempered=False)
    state = refine(fit, best.values, frames, options=steps)
    return fit, replace(state, notes=tuple(notes))

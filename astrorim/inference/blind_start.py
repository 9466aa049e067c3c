r"""Starts for the refinement without a network: a search on coarse pixels.

First the lens galaxy's light is fitted, with what it leaves over, the arcs, masked. Then for
a range of Einstein radii and a few shapes of the lens the source is inverted on coarse
pixels, without negative light, and the evidence tells which of them to descend from.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import torch
from scipy.ndimage import gaussian_filter

from astrorim.inference.coarse_images import coarse_mask, coarse_model
from astrorim.inference.lens_fit import LensFit
from astrorim.inference.light_fit import smoothed
from astrorim.inference.refinement import RefinementOptions, evaluate, refine
from astrorim.lensing.interpolation import SourceFrames
from astrorim.lensing.system import LIGHT_PREFIX
from astrorim.rim.source_frames import frames_from_arcs

if TYPE_CHECKING:
    from torch import Tensor

    from astrorim.inference.refinement import RefinementState
    from astrorim.lensing.forward import ForwardModel

__all__ = [
    "StartOptions",
    "arc_map",
    "arc_radii",
    "frames_of_source",
    "incredibility",
    "ranked",
    "search_starts",
    "source_frames",
    "theta_e_range",
]


_COMPACT = 0.7  # half a frame of the source at most, in Einstein radii, to begin with
_ROUNDER = 0.5  # ellipticity of the mass over that of the light, to begin with
_LEAST_RADIUS, _LARGEST_RADIUS = 0.5, 1.4  # of theta_E over the median radius of arcs
_NEIGHBOURHOOD = 0.5  # arcsec: arcs are narrower than this Gaussian is wide
_LIGHT_ERROR = 0.03  # of the lens galaxy, that its fit may be wrong by
_INNERMOST = 3  # pixels: arcs closer to the centre are lost in the lens galaxy
_SHEAR = ("gamma1", "gamma2")
_COMPACTNESS = 2.0  # of ln chi-square, for a source larger by an Einstein radius
_WIDEST = 1.4  # half a frame of the source at most, in Einstein radii
_WIDE = 1.2  # the same, where the frame is stretched to resolve the core
_WIDER = 1.5  # each frame of the source that is tried than the one before
_STRETCHES = (0.0, 2.5, 6.0, 15.0, 40.0)


@dataclass(frozen=True)
class StartOptions:
    """How to search for starts.

    Parameters
    ----------
    theta_e_range : tuple of float, optional
        Einstein radii to search, arcsec; without it those that fit the radius of the arcs.
    num_radii : int, optional
        Einstein radii to try between them, in equal ratios.
    num_peaks : int, optional
        Peaks of the evidence over the Einstein radius that are descended from.
    reach : float, optional
        Fraction of the Einstein radius by which the first descent may change it.
    ellipticity : float, optional
        Modulus of the ellipticity of the lenses that are tried, in eight directions.
    num_shapes : int, optional
        Shapes of the lens that are descended from at each peak.
    source_size : int, optional
        Side of the coarse source, pixels.
    coarse_size : int, optional
        Coarse pixels along the frame, about.
    max_steps : int, optional
        Evaluations of each of the two descents from a start.
    """

    theta_e_range: tuple[float, float] | None = None
    num_radii: int = 20
    num_peaks: int = 4
    reach: float = 0.12
    ellipticity: float = 0.2
    num_shapes: int = 1
    source_size: int = 16
    coarse_size: int = 66
    max_steps: int = 20


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


@torch.no_grad()
def search_starts(
    model: ForwardModel,
    used: Tensor,
    values: Tensor,
    options: StartOptions | None = None,
    also: Tensor | None = None,
) -> list[RefinementState]:
    """Search Einstein radius and shape of the lens, and descend on coarse pixels.

    Parameters
    ----------
    model : ForwardModel
        Of one image, of a lens model with parameters ``theta_E``, ``x0`` and ``y0``.
    used : Tensor, (H, W), bool
        Which pixels count.
    values : Tensor, (1, P)
        Shape of the lens light, for example from `fit_light`; shear and other parameters
        of the lens to begin with.
    options : StartOptions, optional
        How.
    also : Tensor, (1, P), optional
        Parameters to descend from besides those found.

    Returns
    -------
    list of RefinementState
        Most credible first, on coarse pixels; see `ranked`.
    """
    options = options or StartOptions()
    factor = max(2, round(max(model.shape) / options.coarse_size))
    coarse = coarse_model(model, factor)
    fit = LensFit(coarse, coarse_mask(used, factor), options.source_size)
    steps = RefinementOptions(max_steps=options.max_steps, tolerance=1)
    limits = options.theta_e_range or theta_e_range(coarse, fit.used, values)
    states = []
    trials = _trials(fit, values, limits, options)
    for trial in trials if also is None else [also, *trials]:
        radius = float(trial[0, coarse.system.parameters.index_of("theta_E")])
        near = (
            max(limits[0], radius * (1 - options.reach)),
            min(limits[1], radius * (1 + options.reach)),
        )
        state: RefinementState | None = None
        # Shear and ellipticity do much the same: the ellipticity first.
        for held, interval in ((_SHEAR, near), ((), limits)):
            values = trial if state is None else state.values
            frames = source_frames(coarse, values, options.source_size, _COMPACT)
            state = refine(
                fit, values, frames, held=held, within={"theta_E": interval}, options=steps
            )
        if state is not None:
            states.append(state)
    return ranked(fit, states)


def ranked(fit: LensFit, states: list[RefinementState]) -> list[RefinementState]:
    r"""Order solutions from the most credible.

    An Einstein radius too small or too large leaves a large source, drawn like the arcs
    themselves, that a flexible source fits as well as the true one, or better where the
    lens is more complex than its model. So a compact source speaks for a solution: the
    order is that of :math:`\ln \chi^2 + 2 \, r / \theta_\mathrm{E}` with r the root mean
    square radius of the source.

    Parameters
    ----------
    fit : LensFit
        What the solutions are of.
    states : list of RefinementState
        The solutions.

    Returns
    -------
    list of RefinementState
    """
    return sorted(states, key=lambda state: incredibility(fit, state))


def incredibility(fit: LensFit, state: RefinementState) -> float:
    """What `ranked` orders by: least for the most credible solution."""
    return math.log(max(state.inversion.chi2, 1e-30)) + _COMPACTNESS * _extent(fit, state)


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


def _extent(fit: LensFit, state: RefinementState) -> float:
    """Root mean square radius of the squared source, in Einstein radii."""
    theta_e = float(state.values[0, fit.model.system.parameters.index_of("theta_E")])
    return float(_middle(fit, state)[1]) / theta_e


def _trials(
    fit: LensFit, values: Tensor, limits: tuple[float, float], options: StartOptions
) -> list[Tensor]:
    """Parameters (1, P) to descend from: peaks of the evidence, in several shapes."""
    names = fit.model.system.parameters.names
    place = names.index("theta_E")
    shape = [names.index(name) for name in ("e1", "e2") if name in names]
    start = values.clone()
    light = [f"{LIGHT_PREFIX}{name}" for name in ("e1", "e2", "x0", "y0")]
    if set(light) <= set(names):
        # Mass follows light, and is rounder: Bolton et al. (2008, ApJ 682, 964), section 5.
        own = [names.index(name.removeprefix(LIGHT_PREFIX)) for name in light]
        start[0, own] = values[0, [names.index(name) for name in light]]
        start[0, shape] *= _ROUNDER
    low, high = limits
    ratio = (high / low) ** (1 / (options.num_radii - 1))

    def score(radius: float, form: list[float]) -> tuple[float, Tensor]:
        trial = start.clone()
        trial[0, place] = radius
        trial[0, shape] = trial.new_tensor(form)
        return _score(fit, trial), trial

    own_shape = start[0, shape].tolist()
    scores = [score(low * ratio**i, own_shape)[0] for i in range(options.num_radii)]
    around = [-math.inf, *scores, -math.inf]
    peaks = [i for i in range(len(scores)) if scores[i] == max(around[i : i + 3])]
    peaks.sort(key=lambda i: -scores[i])
    shapes = [own_shape]
    for i in range(8 if shape else 0):
        angle = i * math.pi / 4
        shapes.append([options.ellipticity * f(angle) for f in (math.cos, math.sin)])
    trials = []
    for i in peaks[: options.num_peaks]:
        tried = [score(low * ratio**i, form) for form in shapes]
        tried.sort(key=lambda item: -item[0])
        trials += [trial for _, trial in tried[: options.num_shapes]]
    return trials


def arc_map(model: ForwardModel, used: Tensor, values: Tensor) -> Tensor:
    """Brightness of what is narrow and stands out from the lens galaxy: the arcs.

    What the fit of the galaxy leaves over, less its own mean over the neighbourhood: arcs
    are narrow, while the halo of a galaxy that no ellipse fits is wide. Counted where it
    exceeds twice the noise of a pixel and three per cent of the galaxy, the mean over
    3 x 3 pixels taken.

    Parameters
    ----------
    model : ForwardModel
        Of one image.
    used : Tensor, (H, W), bool
        Which pixels count.
    values : Tensor, (1, P)
        The lens galaxy's light, for example from `fit_light`.

    Returns
    -------
    Tensor, (H, W), flux per pixel
        Zero where there is no arc.
    """
    data = model.data
    light, noise = model.lens_light(values)[0], data.noise[0]
    excess = torch.where(used, data.image[0] - light, 0.0)
    width = _NEIGHBOURHOOD / float(data.pixel_scale[0])
    around = gaussian_filter(torch.stack([excess, used.to(excess)]).numpy(), (0, width, width))
    wide = torch.from_numpy(around[0] / np.maximum(around[1], 1e-3)).to(excess)
    narrow = smoothed(excess) - wide
    arcs = used & (narrow > torch.hypot(2 * noise, _LIGHT_ERROR * light))
    return torch.where(arcs, narrow, 0.0)


def arc_radii(
    model: ForwardModel, used: Tensor, values: Tensor, levels: tuple[float, ...]
) -> list[float] | None:
    """Radii, arcsec, that hold given fractions of the arcs' light; None without arcs.

    Parameters
    ----------
    model : ForwardModel
        Of one image.
    used : Tensor, (H, W), bool
        Which pixels count.
    values : Tensor, (1, P)
        The lens galaxy's light, for example from `fit_light`.
    levels : tuple of float
        The fractions.

    Returns
    -------
    list of float or None
    """
    m = model.margin
    names = model.system.parameters.names
    prefix = LIGHT_PREFIX if f"{LIGHT_PREFIX}x0" in names else ""
    x0, y0 = (float(values[0, names.index(prefix + name)]) for name in ("x0", "y0"))
    inner = (0, slice(m, m + model.shape[0]), slice(m, m + model.shape[1]))
    x, y = (position[inner] for position in model.positions(1))
    radius = torch.hypot(x - x0, y - y0).flatten()
    outside = radius > _INNERMOST * float(model.data.pixel_scale[0])
    weight = torch.where(outside, arc_map(model, used, values).flatten(), 0.0)
    if float(weight.sum()) <= 0:
        return None
    order = radius.argsort()
    share = weight[order].cumsum(0) / weight.sum()
    return [float(radius[order][share >= level * 0.999][0]) for level in levels]


def theta_e_range(model: ForwardModel, used: Tensor, values: Tensor) -> tuple[float, float]:
    """Einstein radii, arcsec, that the median radius of the arcs' light leaves possible.

    Of an isothermal lens it lies between one and two Einstein radii; where the inner images
    are lost in the lens galaxy, nearer to two.

    Parameters
    ----------
    model : ForwardModel
        Of one image.
    used : Tensor, (H, W), bool
        Which pixels count.
    values : Tensor, (1, P)
        The lens galaxy's light.

    Returns
    -------
    tuple of float
        The smallest and the largest.
    """
    scale = float(model.data.pixel_scale[0])
    low, high = _INNERMOST * scale, 0.85 * min(model.shape) / 2 * scale
    radii = arc_radii(model, used, values, (0.5,))
    if radii is None:
        return low, high
    return max(low, _LEAST_RADIUS * radii[0]), min(high, _LARGEST_RADIUS * radii[0])


def _score(fit: LensFit, values: Tensor) -> float:
    """Log evidence of a source without negative light, the noise tempered to the misfit."""
    frames = source_frames(fit.model, values, fit.size, _COMPACT)
    problem = fit.problem(values, frames)
    strength = problem.best_strength(tolerance=0.2)
    signed = problem.invert(strength)
    state = evaluate(fit, values, frames, strength)
    return signed.log_evidence - 0.5 * (state.objective - signed.objective)

"""The pixel source: its frame, from the arcs or a solution, and its expected brightness."""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch

from astrorim.lensing.interpolation import SourceFrames, SourceSampler
from astrorim.lensing.pixel_density import equidistributed
from astrorim.rim.source_frames import frames_from_arcs

if TYPE_CHECKING:
    from torch import Tensor

    from astrorim.inference.inversion import Inversion
    from astrorim.inference.lens_fit import ExpectedSource, LensFit
    from astrorim.inference.refinement import RefinementState
    from astrorim.lensing.forward import ForwardModel

__all__ = ["bright_centre", "expected_like", "frames_of_source", "source_frames"]

_WIDEST = 1.4  # half a frame of the source at most, in Einstein radii
_SIGNIFICANT = 5.0  # standard deviations of what the residual asks of a pixel
_WIDE = 1.2  # the same, at least, where its pixels follow the source


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
    """Frame around the source of a solution, its pixels close where the source is steep.

    It is wide enough to hold the faint outskirts of the arcs, which the fit of the lens
    galaxy's light would take for its own.

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
    theta_e = state.values[:, fit.model.system.parameters.index_of("theta_E")]
    centre = bright_centre(state.source_frames, fit.source(state.inversion))
    half = torch.maximum(_WIDE * theta_e, state.source_frames.half)
    density = equidistributed(expected_like(fit, state), centre, half)
    return SourceFrames(centre, 2 * half / size, size, density=density)


def bright_centre(frames: SourceFrames, source: Tensor) -> Tensor:
    """Centre of the squared source, by area.

    Squared, what the lens galaxy's light leaves over at the frame's edges counts little.

    Parameters
    ----------
    frames : SourceFrames
        Of one lens.
    source : Tensor, (1, n, n), flux per arcsec^2
        On them; negative values count as zero.

    Returns
    -------
    Tensor, (1, 2), arcsec
    """
    x, y = frames.coordinates()
    slopes = frames.pixels_per_arcsec(x, y)
    weight = source.clamp_min(0) ** 2 / (slopes[0] * slopes[1])
    weight = weight / weight.sum().clamp_min(1e-30)
    return torch.stack([(weight * x).sum(), (weight * y).sum()])[None]


def expected_like(fit: LensFit, state: RefinementState) -> ExpectedSource:
    """Brightness at any position as in a solution, the mean over 3 x 3 pixels taken.

    Where the residual holds images of a pixel that the solution left dark, a companion too
    small for the pixels around it for instance, the pixel is expected as bright as they ask.

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
    source = fit.source(state.inversion) + _unexplained(fit, state.inversion)
    pool = torch.nn.functional.avg_pool2d
    smooth = pool(source[:, None], 3, 1, 1, count_include_pad=False)[:, 0].clamp_min(0)
    frames = state.source_frames

    def brightness(x: Tensor, y: Tensor) -> Tensor:
        return SourceSampler(x, y, frames).apply(smooth)

    return brightness


def _unexplained(fit: LensFit, inversion: Inversion) -> Tensor:
    """Brightness (1, n, n) of each source pixel alone that would fit the residual best.

    Zero where that is noise.
    """
    number = fit.size**2
    images = inversion.problem.design.first(number)
    seen = inversion.problem.gram.diagonal()[:number].clamp_min(1e-30)
    asked = images.transposed(inversion.residual).double()
    missing = torch.where(asked > _SIGNIFICANT * seen.sqrt(), asked / seen, 0.0)
    return missing.reshape(1, fit.size, fit.size).to(fit.data)

"""The same lens solved on other pixels of the source: what their choice does to it.

A source that is steep between its pixels leaves a misfit that depends on where they are, and
the lens parameters follow it. Frames are moved by up to a pixel, made somewhat wider or
narrower, and their pixels spread somewhat more evenly; on each the solution moves by one
Gauss-Newton step.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import torch

from astrorim.inference.refinement import evaluate, newton_step
from astrorim.inference.source_pixels import expected_like
from astrorim.lensing.interpolation import SourceFrames
from astrorim.lensing.pixel_density import PixelDensity

if TYPE_CHECKING:
    from torch import Tensor

    from astrorim.inference.lens_fit import LensFit
    from astrorim.inference.refinement import RefinementState

__all__ = ["PixelChoices", "other_frames", "solve_on_other_pixels"]

_SIDES = (0.97, 1.08)  # of the frame, in its own
_MOST_EVEN = 0.15  # of the pixels, spread evenly besides those that are


@dataclass(frozen=True)
class PixelChoices:
    """Solutions on other pixels of the source.

    Parameters
    ----------
    places : Tensor, (K, Q)
        Non-linear parameters in step coordinates.
    covariances : Tensor, (K, Q, Q)
        Inverse curvature of half the objective on those pixels.
    """

    places: Tensor
    covariances: Tensor

    @property
    def scatter(self) -> Tensor:
        """Standard deviation of the solutions, (Q,), in that of the mean posterior."""
        inside = self.covariances.diagonal(dim1=1, dim2=2).mean(0).clamp_min(1e-300).sqrt()
        return self.places.std(0) / inside


def other_frames(frames: SourceFrames, generator: torch.Generator) -> SourceFrames:
    """Draw a frame like another one, its pixels elsewhere.

    Parameters
    ----------
    frames : SourceFrames
        Of one lens, with a density.
    generator : torch.Generator
        Of the random numbers, on the CPU.

    Returns
    -------
    SourceFrames
        Of as many pixels.

    Raises
    ------
    ValueError
        If the frame has no density.
    """
    if frames.density is None:
        raise ValueError("frames must have a density of pixels, got even or stretched ones")
    shift_x, shift_y, side, even = torch.rand(4, generator=generator).tolist()
    half = frames.half * (_SIDES[0] + (_SIDES[1] - _SIDES[0]) * side)
    step = frames.pixel_scale[:, None] * (2 * torch.tensor([[shift_x, shift_y]]) - 1)
    # The density is as the frame's own at the same offsets, in shares of the new frame.
    density = frames.density.values
    share = _MOST_EVEN * even
    density = (1 - share) * density + share * density.mean(dim=-1, keepdim=True)
    centre = frames.centre + step.to(frames.centre)
    return SourceFrames(centre, 2 * half / frames.size, frames.size, 0.0, PixelDensity(density))


@torch.no_grad()
def solve_on_other_pixels(
    fit: LensFit, state: RefinementState, generator: torch.Generator, number: int = 4
) -> PixelChoices:
    """Solve a lens on other pixels of its source.

    Parameters
    ----------
    fit : LensFit
        Image and models.
    state : RefinementState
        The solution, with a source.
    generator : torch.Generator
        Of the random numbers, on the CPU.
    number : int, optional
        How many choices K, at least 2.

    Returns
    -------
    PixelChoices

    Raises
    ------
    ValueError
        If fewer than two choices are asked for.
    """
    if number < 2:
        raise ValueError(f"number must be at least 2, got {number}")
    expected = expected_like(fit, state)
    other = fit.changed(expected=expected)
    places, covariances = [], []
    for _ in range(number):
        frames = other_frames(state.source_frames, generator)
        inversion = state.inversion
        moved = evaluate(
            other, state.values, frames, inversion.strength, passive=inversion.free
        )
        place, covariance = newton_step(other, moved)
        places.append(place)
        covariances.append(covariance)
    return PixelChoices(torch.stack(places), torch.stack(covariances))

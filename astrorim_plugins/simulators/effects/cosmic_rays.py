r"""Tracks of charged particles through the detector.

A particle crosses a sensitive layer of thickness T in a straight line at zenith angle
:math:`\theta`, and its track in the image has the length :math:`\ell = T \tan\theta`. Where
particles come from all directions alike, those that cross a horizontal layer have
:math:`p(\theta) \propto \cos\theta \sin\theta` (the factor :math:`\cos\theta` is the layer
seen from the side), hence :math:`P(> \theta) = \cos^2\theta` and

.. math:: P(> \ell) = \frac{1}{1 + (\ell / T)^2} .

This is the distribution behind Groom 2002 (Experimental Astronomy 14, 45) for straight
tracks; secondary electrons, the curved worms of thick detectors, and diffusion of the
charge are left out.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, fields
from typing import TYPE_CHECKING

import torch

if TYPE_CHECKING:
    from torch import Tensor

    from astrorim_plugins.simulators.random_streams import RandomStreams

__all__ = [
    "HIT",
    "LENGTHS",
    "MAX_TRACKS",
    "THICKNESS",
    "CosmicRays",
    "deposit",
    "draw_cosmic_rays",
    "track_length",
]

MAX_TRACKS = 5
"""Most tracks in one frame."""

LENGTHS = (1.0, 15.0)
"""Shortest and longest track, pixels."""

THICKNESS = 1.0
"""Thickness of the sensitive layer, pixels: thinned detectors are as thick as a pixel is
wide, both about 15 micrometres."""

HIT = 1.0
"""Charge from which on a pixel counts as hit, electrons."""

_STREAMS = tuple(f"cosmic_ray_{name}" for name in ("x", "y", "length", "angle", "deposit"))
_PARALLEL = 1e-6


def track_length(
    uniform: Tensor,
    *,
    thickness: float = THICKNESS,
    lengths: tuple[float, float] = LENGTHS,
) -> Tensor:
    r"""Length of a track in the image, from a uniform number.

    Quantile of :math:`P(> \ell) = 1 / (1 + (\ell / T)^2)` between two bounds (see the
    module): with :math:`c = P(> \ell)` uniform between its values at the bounds,
    :math:`\ell = T \sqrt{1 / c - 1}`.

    Parameters
    ----------
    uniform : Tensor, (...)
        In [0, 1].
    thickness : float, optional
        Thickness T of the sensitive layer, pixels.
    lengths : tuple of float, optional
        Shortest and longest track, pixels.

    Returns
    -------
    Tensor, (...), pixels
        Rises with ``uniform``.
    """
    most, least = (1 / (1 + (length / thickness) ** 2) for length in lengths)
    exceeding = most + (least - most) * uniform
    return thickness * torch.sqrt(1 / exceeding - 1)


@dataclass(frozen=True)
class CosmicRays:
    """Tracks of a batch of frames; pixel i of an axis reaches from i - 1/2 to i + 1/2.

    Parameters
    ----------
    x, y : Tensor, (B, M), pixels
        Middle of each track: column and row.
    length : Tensor, (B, M), pixels
        Length in the image.
    angle : Tensor, (B, M), radian
        From +x towards +y.
    electrons : Tensor, (B, M), electrons
        Charge of the whole track; zero for a track that there is not.
    """

    x: Tensor
    y: Tensor
    length: Tensor
    angle: Tensor
    electrons: Tensor

    @classmethod
    def draw(
        cls,
        streams: RandomStreams,
        shape: tuple[int, int],
        number: Tensor,
        density: tuple[Tensor | float, Tensor | float],
        *,
        thickness: float = THICKNESS,
    ) -> CosmicRays:
        r"""Draw tracks: middle and angle uniform, length by `track_length`.

        The charge is the drawn density times the path in the layer, which is
        :math:`\sqrt{\ell^2 + T^2}`.

        Parameters
        ----------
        streams : RandomStreams
            Random numbers of the B lenses.
        shape : tuple of int
            Frame, ``(ny, nx)``, pixels.
        number : Tensor, (B,)
            Whole number of tracks in each frame, from 0 to `MAX_TRACKS`.
        density : tuple of Tensor or float, each (B,) or a number, electrons per pixel
            Least and largest charge per pixel of path, between which it is uniform.
        thickness : float, optional
            Thickness T of the sensitive layer, pixels.

        Returns
        -------
        CosmicRays
            M = `MAX_TRACKS`, float64. A frame with more tracks has those of a frame with
            fewer, and others.
        """
        ny, nx = shape
        uniform = streams.uniform(dict.fromkeys(_STREAMS, MAX_TRACKS))
        x, y, length, angle, charge = (uniform[name] for name in _STREAMS)
        low, high = (
            torch.as_tensor(bound, dtype=charge.dtype, device=charge.device).reshape(-1, 1)
            for bound in density
        )
        length = track_length(length, thickness=thickness)
        path = torch.sqrt(length**2 + thickness**2)
        there = torch.arange(MAX_TRACKS, device=charge.device) < number[:, None]
        return cls(
            x=nx * x - 0.5,
            y=ny * y - 0.5,
            length=length,
            angle=2 * math.pi * angle,
            electrons=(low + (high - low) * charge) * path * there,
        )


def deposit(rays: CosmicRays, shape: tuple[int, int]) -> Tensor:
    """Charge that tracks leave in each pixel, by the exact length of track inside it.

    A straight track meets each column of pixels in one interval, each row in another, and
    a pixel in what the two have in common. A track that runs along an axis to better than
    1e-6 pixels is tilted to that, so that the intervals exist.

    Parameters
    ----------
    rays : CosmicRays, (B, M)
        Tracks.
    shape : tuple of int
        Frame, ``(ny, nx)``, pixels.

    Returns
    -------
    Tensor, (B, ny, nx), electrons
        Sums to the charge of the tracks, less what lies outside the frame.
    """
    ny, nx = shape
    step_x = rays.length * torch.cos(rays.angle)
    step_y = rays.length * torch.sin(rays.angle)
    columns = _crossings(rays.x, step_x, nx)
    rows = _crossings(rays.y, step_y, ny)
    electrons = rays.electrons.new_zeros((len(rays.x), ny, nx))
    for m in range(rays.x.shape[1]):
        (enter_x, leave_x), (enter_y, leave_y) = (
            (enter[:, m], leave[:, m]) for enter, leave in (columns, rows)
        )
        enter = torch.maximum(enter_x[:, None, :], enter_y[:, :, None])
        leave = torch.minimum(leave_x[:, None, :], leave_y[:, :, None])
        inside = (leave - enter).clamp(min=0)
        electrons = electrons + rays.electrons[:, m, None, None] * inside
    return electrons


def _crossings(middle: Tensor, step: Tensor, number: int) -> tuple[Tensor, Tensor]:
    """Where along a track, 0 to 1, it enters and leaves each pixel of an axis, (B, M, n)."""
    tilt = torch.where(step < 0, -_PARALLEL, _PARALLEL)
    step = torch.where(step.abs() < _PARALLEL, tilt, step)
    edges = torch.arange(number + 1, dtype=middle.dtype, device=middle.device) - 0.5
    passed = ((edges - middle[..., None]) / step[..., None] + 0.5).clamp(0, 1)
    first, second = passed[..., :-1], passed[..., 1:]
    return torch.minimum(first, second), torch.maximum(first, second)


def draw_cosmic_rays(
    streams: RandomStreams,
    shape: tuple[int, int],
    number: Tensor,
    density: tuple[Tensor | float, Tensor | float],
    *,
    thickness: float = THICKNESS,
    dtype: torch.dtype = torch.float32,
) -> tuple[Tensor, Tensor]:
    """Charge of cosmic rays in a batch of frames, and which pixels they hit.

    Parameters
    ----------
    streams : RandomStreams
        Random numbers of the B lenses.
    shape : tuple of int
        Frame, ``(ny, nx)``, pixels.
    number : Tensor, (B,)
        Whole number of tracks in each frame, from 0 to `MAX_TRACKS`.
    density : tuple of Tensor or float, each (B,) or a number, electrons per pixel
        Least and largest charge per pixel of path, between which it is uniform.
    thickness : float, optional
        Thickness of the sensitive layer, pixels.
    dtype : torch.dtype, optional
        Of the charge.

    Returns
    -------
    electrons : Tensor, (B, ny, nx), electrons
        To be added to the electrons of the photons.
    hit : Tensor, (B, ny, nx), bool
        Pixels with at least one electron from a cosmic ray.

    Raises
    ------
    ValueError
        If a number of tracks is below 0 or above `MAX_TRACKS`.
    """
    most = int(number.max())
    if most > MAX_TRACKS or int(number.min()) < 0:
        raise ValueError(
            f"number of tracks must be from 0 to {MAX_TRACKS} for every lens, "
            f"got {number.tolist()}"
        )
    if most == 0:
        electrons = torch.zeros((len(number), *shape), dtype=dtype, device=number.device)
        return electrons, torch.zeros_like(electrons, dtype=torch.bool)
    rays = CosmicRays.draw(streams, shape, number, density, thickness=thickness)
    present = CosmicRays(
        *(getattr(rays, field.name)[:, :most].to(dtype) for field in fields(rays))
    )
    electrons = deposit(present, shape)
    return electrons, electrons >= HIT

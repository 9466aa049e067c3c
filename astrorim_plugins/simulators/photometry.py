"""Magnitudes, counts and the visibility of arcs."""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch

if TYPE_CHECKING:
    from torch import Tensor

__all__ = [
    "ZERO_POINT",
    "arc_visibility",
    "counts_from_magnitude",
    "first_accepted",
    "magnitude_from_counts",
]

ZERO_POINT = 25.94
"""AB magnitude of one count per second."""


def counts_from_magnitude(magnitude: Tensor, exposure: Tensor) -> Tensor:
    r"""Counts of a component, :math:`t\,10^{-0.4 (m - 25.94)}`.

    Parameters
    ----------
    magnitude : Tensor, (...), AB mag
        Magnitude of the whole profile, not of the part inside a frame.
    exposure : Tensor, (...), s
        Exposure time t.

    Returns
    -------
    Tensor, (...), counts
    """
    return exposure * 10 ** (-0.4 * (magnitude - ZERO_POINT))


def magnitude_from_counts(counts: Tensor, exposure: Tensor) -> Tensor:
    """Magnitude of a component; the inverse of `counts_from_magnitude`.

    Parameters
    ----------
    counts : Tensor, (...), counts
        Positive.
    exposure : Tensor, (...), s
        Exposure time.

    Returns
    -------
    Tensor, (...), AB mag
    """
    return ZERO_POINT - 2.5 * torch.log10(counts / exposure)


def arc_visibility(arcs: Tensor, lens_light: Tensor) -> Tensor:
    """Ratio of the 99th percentiles of the arcs and of the lens light.

    Parameters
    ----------
    arcs, lens_light : Tensor, (B, H, W)
        Images after the PSF, in the same unit.

    Returns
    -------
    Tensor, (B,)
    """
    return _percentile_99(arcs) / _percentile_99(lens_light)


def _percentile_99(image: Tensor) -> Tensor:
    """99th percentile of each image, as `numpy.percentile` interpolates it."""
    flat = image.flatten(1)
    position = 0.99 * (flat.shape[1] - 1)
    rank = int(position)
    # Only the brightest hundredth is sorted.
    top = torch.topk(flat, flat.shape[1] - rank, dim=1, sorted=True).values
    low = top[:, -1]
    high = top[:, -2] if top.shape[1] > 1 else low
    return low + (high - low) * (position - rank)


def first_accepted(accepted: Tensor) -> tuple[Tensor, Tensor]:
    """Pick the first of several draws that is accepted, else the last.

    Parameters
    ----------
    accepted : Tensor, (B, n), bool
        Whether each of the n draws is accepted.

    Returns
    -------
    chosen : Tensor, (B,), int64
        Number of the draw that is kept.
    found : Tensor, (B,), bool
        Whether that draw is accepted.
    """
    found = accepted.any(dim=1)
    first = accepted.to(torch.uint8).argmax(dim=1)
    last = torch.full_like(first, accepted.shape[1] - 1)
    return torch.where(found, first, last), found

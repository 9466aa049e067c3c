"""Effective Einstein radius of any lens model, for a batch of lenses."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import TYPE_CHECKING

import torch

from astrorim_plugins.simulators.deflection import deflection_of_present

if TYPE_CHECKING:
    from torch import Tensor

    from astrorim.interfaces import LensModel

__all__ = ["effective_einstein_radius"]

_RADII = (1e-4, 20.0, 48)
_NUM_ANGLES = 48
_FINER = 8
"""Intervals that the one with the crossing is cut into, twice."""


def effective_einstein_radius(model: LensModel, params: Mapping[str, Tensor]) -> Tensor:
    r"""Radius of the circle about the lens inside which the mean convergence is one.

    By Gauss's theorem the mean convergence inside R is
    :math:`\langle\alpha_r\rangle(R) / R`, the mean of the radial deflection over the
    circle. The outermost of 47 intervals from 0.0001 to 20 arcsec over which it crosses
    one is cut into eight, twice, and the crossing is interpolated linearly in the
    logarithms, which is exact for power laws and good to 1e-5 for sums.

    Parameters
    ----------
    model : LensModel
        The mass.
    params : mapping of str to Tensor, (B,)
        Its parameters; the circle is centred on ``x0``, ``y0`` where they exist.

    Returns
    -------
    Tensor, (B,), arcsec
        NaN where the mean convergence does not cross one.
    """
    like = next(iter(params.values()))
    own = {name: value[:, None, None] for name, value in params.items()}
    low, high, number = _RADII
    log_radius = torch.linspace(
        math.log(low), math.log(high), number, dtype=like.dtype, device=like.device
    ).expand(len(like), -1)
    log_mean = _log_mean(model, own, log_radius)
    crosses = (log_mean[:, :-1] >= 0) & (log_mean[:, 1:] < 0)
    found = crosses.any(dim=1)
    for _ in range(2):
        start, stop = _bracket(log_radius, log_mean)
        share = torch.linspace(0, 1, _FINER + 1, dtype=like.dtype, device=like.device)
        log_radius = start + (stop - start) * share
        log_mean = _log_mean(model, own, log_radius)
    start, stop = _bracket(log_radius, log_mean)
    inner, outer = _bracket(log_mean, log_mean)
    crossing = start + (stop - start) * inner / (inner - outer)
    return torch.where(found, torch.exp(crossing[:, 0]), torch.nan)


def _log_mean(model: LensModel, own: Mapping[str, Tensor], log_radius: Tensor) -> Tensor:
    """Logarithm of the mean convergence inside radii, (B, n)."""
    radius = torch.exp(log_radius)[..., None]
    angle = torch.arange(_NUM_ANGLES, dtype=radius.dtype, device=radius.device) * (
        2 * math.pi / _NUM_ANGLES
    )
    cosine, sine = torch.cos(angle), torch.sin(angle)
    zero = torch.zeros_like(radius[:, :1])
    x = own.get("x0", zero) + radius * cosine
    y = own.get("y0", zero) + radius * sine
    alpha_x, alpha_y = deflection_of_present(model, x, y, own)
    mean = (alpha_x * cosine + alpha_y * sine).mean(dim=-1) / radius[..., 0]
    return torch.log(mean.clamp(min=1e-30))


def _bracket(values: Tensor, log_mean: Tensor) -> tuple[Tensor, Tensor]:
    """Values (B, 1) at both ends of the outermost interval where the mean crosses one."""
    crosses = (log_mean[:, :-1] >= 0) & (log_mean[:, 1:] < 0)
    place = torch.arange(crosses.shape[1], device=values.device)
    inner = torch.where(crosses, place, -1).amax(dim=1).clamp(min=0)[:, None]
    return values.gather(1, inner), values.gather(1, inner + 1)

"""Effective Einstein radius of any lens model, for a batch of lenses."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import TYPE_CHECKING

import torch

if TYPE_CHECKING:
    from torch import Tensor

    from astrorim.interfaces import LensModel

__all__ = ["effective_einstein_radius"]

_RADII = (0.02, 10.0, 48)
_NUM_ANGLES = 48


def effective_einstein_radius(model: LensModel, params: Mapping[str, Tensor]) -> Tensor:
    r"""Radius of the circle about the lens inside which the mean convergence is one.

    By Gauss's theorem the mean convergence inside R is
    :math:`\langle\alpha_r\rangle(R) / R`, the mean of the radial deflection over the
    circle. The outermost radius where it crosses one is interpolated between 48 radii
    from 0.02 to 10 arcsec, linearly in the logarithms, which is exact for power laws.

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
    low, high, number = _RADII
    log_radius = torch.linspace(
        math.log(low), math.log(high), number, dtype=like.dtype, device=like.device
    )
    radius = torch.exp(log_radius)
    angle = torch.arange(_NUM_ANGLES, dtype=like.dtype, device=like.device) * (
        2 * math.pi / _NUM_ANGLES
    )
    cosine, sine = torch.cos(angle), torch.sin(angle)
    own = {name: value[:, None, None] for name, value in params.items()}
    zero = torch.zeros_like(like)[:, None, None]
    x = own.get("x0", zero) + radius[:, None] * cosine
    y = own.get("y0", zero) + radius[:, None] * sine
    alpha_x, alpha_y = model.deflection(x, y, own)
    mean = (alpha_x * cosine + alpha_y * sine).mean(dim=-1) / radius
    log_mean = torch.log(mean.clamp(min=1e-30))

    crosses = (log_mean[:, :-1] >= 0) & (log_mean[:, 1:] < 0)
    place = torch.arange(number - 1, device=like.device)
    last = torch.where(crosses, place, -1).amax(dim=1)
    inner = last.clamp(min=0)[:, None]
    start, stop = (log_mean.gather(1, inner + i)[:, 0] for i in (0, 1))
    step = log_radius[1] - log_radius[0]
    crossing = log_radius[inner[:, 0]] + step * start / (start - stop)
    return torch.where(last >= 0, torch.exp(crossing), torch.nan)

"""Where the arcs are, once the lens galaxy's light is known, and what radius they allow."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import torch
from scipy.ndimage import gaussian_filter

from astrorim.inference.light_fit import smoothed
from astrorim.lensing.system import LIGHT_PREFIX

if TYPE_CHECKING:
    from torch import Tensor

    from astrorim.lensing.forward import ForwardModel

__all__ = ["arc_map", "arc_radii", "theta_e_range"]

_NEIGHBOURHOOD = 0.5  # arcsec: arcs are narrower than this Gaussian is wide
_LIGHT_ERROR = 0.03  # of the lens galaxy, that its fit may be wrong by
_INNERMOST = 3  # pixels: arcs closer to the centre are lost in the lens galaxy
_LEAST_RADIUS, _LARGEST_RADIUS = 0.5, 1.4  # of theta_E over the median radius of arcs


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

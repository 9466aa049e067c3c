r"""Shape of the convergence: axis ratio and axis of its contours against radius.

For each radius the contour is followed on which the convergence equals its mean on the
circle of that radius. The shape is that of the second moments :math:`Q` of the area
inside, which for an ellipse is its own, exactly:

.. math::
    e_1 + i e_2 = \frac{Q_{xx} - Q_{yy} + 2 i Q_{xy}}
        {Q_{xx} + Q_{yy} + 2 \sqrt{Q_{xx} Q_{yy} - Q_{xy}^2}}

(Bartelmann & Schneider 2001, Phys. Rep. 340, 291, section 4.2). External shear has no
convergence and does not show.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import TYPE_CHECKING

import numpy as np

from astrorim.results.apertures import ring_convergence
from astrorim.results.lens_fields import lens_fields, parameter_tensors

if TYPE_CHECKING:
    from astrorim.interfaces import LensModel

__all__ = ["contour_ellipticity", "convergence_on_circle", "critical_radius"]

_NUM_ANGLES = 64
_WIDEST = 6.0
"""Contours are looked for from the radius over this to the radius times this."""


def _rays(
    params: Mapping[str, np.ndarray], angles: np.ndarray, radii: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    x0, y0 = (
        np.asarray(params.get(n, 0.0), dtype=float).reshape(-1, 1, 1) for n in ("x0", "y0")
    )
    return x0 + radii * np.cos(angles), y0 + radii * np.sin(angles)


def convergence_on_circle(
    model: LensModel,
    params: Mapping[str, np.ndarray],
    radius: np.ndarray | float,
    angles: np.ndarray,
) -> np.ndarray:
    """Convergence at angles on a circle about the lens.

    Parameters
    ----------
    model : LensModel
        Any lens model.
    params : mapping of str to ndarray, (S,)
        Lens parameters of each sample.
    radius : ndarray, (S, R, 1) or float, arcsec
        Radii, which broadcast against the angles.
    angles : ndarray, (P,), rad
        Counter-clockwise from +x.

    Returns
    -------
    ndarray, (S, R, P), dimensionless
    """
    import torch

    number = max(np.size(v) for v in params.values())
    shape = np.broadcast_shapes(np.shape(radius), (number, 1, angles.size))
    x, y = _rays(params, angles, np.broadcast_to(radius, shape))
    with torch.no_grad():
        kappa = model.convergence(
            torch.from_numpy(x), torch.from_numpy(y), parameter_tensors(params)
        )
    return np.array(np.broadcast_to(kappa.numpy(), shape))


def contour_ellipticity(
    model: LensModel, params: Mapping[str, np.ndarray], radii: np.ndarray
) -> np.ndarray:
    """Ellipticity of the contours of the convergence; see the module's formula.

    Parameters
    ----------
    model : LensModel
        Any lens model.
    params : mapping of str to ndarray, (S,)
        Lens parameters of each sample.
    radii : ndarray, (R,), arcsec
        Radii.

    Returns
    -------
    ndarray, (S, R), complex
        e1 + i e2 = (1 - q)/(1 + q) exp(2 i phi); NaN where no contour closes.
    """
    number = max(np.size(v) for v in params.values())
    radius = np.broadcast_to(radii, (number, len(radii)))
    level = ring_convergence(model, params, radius)[..., None]
    angles = 2 * math.pi * np.arange(_NUM_ANGLES) / _NUM_ANGLES
    low = np.broadcast_to(
        np.log(radius / _WIDEST)[..., None], (*radius.shape, _NUM_ANGLES)
    ).copy()
    high = low + 2 * math.log(_WIDEST)

    def above(log_radius: np.ndarray) -> np.ndarray:
        return convergence_on_circle(model, params, np.exp(log_radius), angles) > level

    found = (above(low) & ~above(high)).all(axis=-1)
    for _ in range(36):
        middle = 0.5 * (low + high)
        inside = above(middle)
        low, high = np.where(inside, middle, low), np.where(inside, high, middle)
    fourth = np.exp(2 * (low + high))
    difference = (fourth * np.exp(2j * angles)).mean(axis=-1) / 2
    total = fourth.mean(axis=-1) / 2
    # (Qxx + Qyy)^2 = |Qxx - Qyy + 2 i Qxy|^2 + 4 det Q
    root = np.sqrt(np.maximum(total**2 - np.abs(difference) ** 2, 0.0))
    # moments about the contour's own angle: Q of the area is the mean of r^4 n n / 4
    return np.where(found, 2 * difference / (2 * total + 2 * root), np.nan)


def critical_radius(
    model: LensModel,
    params: Mapping[str, np.ndarray],
    angles: np.ndarray,
    guess: np.ndarray,
) -> np.ndarray:
    """Distance of the outermost tangential critical point from the lens, ray by ray.

    Parameters
    ----------
    model : LensModel
        Any lens model.
    params : mapping of str to ndarray, (S,)
        Lens parameters of each sample.
    angles : ndarray, (P,), rad
        Counter-clockwise from +x.
    guess : ndarray, (S,), arcsec
        Looked for from a quarter of this to four times this.

    Returns
    -------
    ndarray, (S, P), arcsec
        NaN where a ray meets no critical point.
    """

    def inside(radius: np.ndarray) -> np.ndarray:
        return lens_fields(model, params, *_rays(params, angles, radius)).tangential < 0

    number = len(guess)
    params = {name: np.broadcast_to(value, (number,)) for name, value in params.items()}
    steps = np.geomspace(0.25, 4.0, 25)
    radius = guess[:, None, None] * steps[:, None]
    negative = np.stack(
        [inside(np.broadcast_to(r, (number, 1, angles.size)))[:, 0] for r in
         radius.transpose(1, 0, 2)[:, :, None]], axis=1
    )  # fmt: skip
    crossing = negative[:, :-1] & ~negative[:, 1:]
    last = crossing.shape[1] - 1 - np.argmax(crossing[:, ::-1], axis=1)
    low, high = guess[:, None] * steps[last], guess[:, None] * steps[last + 1]
    for _ in range(30):
        middle = 0.5 * (low + high)
        within = inside(middle[:, None])[:, 0]
        low, high = np.where(within, middle, low), np.where(within, high, middle)
    return np.where(crossing.any(axis=1), 0.5 * (low + high), np.nan)

r"""Mean convergence in circles, Einstein radius and critical curve of any lens model.

By Gauss's theorem the mean convergence inside a circle follows from the deflection on it,
whatever the model and however singular its centre:

.. math::

    \bar\kappa(<R) = \frac{1}{\pi R^2} \int_{<R} \kappa \, d^2\theta
                   = \frac{1}{2 \pi R} \oint \boldsymbol\alpha \cdot \hat n \, d\varphi

(Schneider, Ehlers & Falco 1992, Gravitational Lenses, eq. 8.9 for circular lenses; here
:math:`\nabla \cdot \boldsymbol\alpha = 2 \kappa`). External shear does not contribute.
Equally spaced points integrate a smooth periodic function to spectral accuracy; where a
singular component of its own centre lies on the circle, the error is of the order of its
share of the deflection divided by the number of points.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import TYPE_CHECKING

import astropy.units as u
import numpy as np

if TYPE_CHECKING:
    from torch import Tensor

    from astrorim.interfaces import LensModel

__all__ = [
    "RADIUS_RANGE",
    "check_radii",
    "critical_curve",
    "effective_einstein_radius",
    "mean_convergence_inside",
    "ring_convergence",
]

RADIUS_RANGE = (1e-3, 1e2)
"""Radii between which Einstein radii are looked for, arcsec."""

_NUM_ANGLES = 256
_CHUNK = 100_000  # evaluations at a time: bounds the memory, not the result


def check_radii(radii: u.Quantity) -> np.ndarray:
    """Radii as a list of plain numbers.

    Parameters
    ----------
    radii : `~astropy.units.Quantity`, (R,)
        Angular radii.

    Returns
    -------
    ndarray, (R,), arcsec

    Raises
    ------
    ValueError
        If they are not a list of positive angles.
    """
    radius = np.atleast_1d(u.Quantity(radii).to_value(u.arcsec)).astype(float)
    if radius.ndim != 1 or not np.all(radius > 0):
        raise ValueError(
            f"radii must be a list of positive angles, got {radii!r}; for example "
            "np.linspace(0.1, 3, 50) * u.arcsec"
        )
    return radius


def _angles(number: int) -> np.ndarray:
    return 2 * math.pi * np.arange(number) / number


def _tensors(params: Mapping[str, np.ndarray]) -> dict[str, Tensor]:
    import torch

    return {
        name: torch.as_tensor(np.asarray(value, dtype=float)).reshape(-1, 1, 1)
        for name, value in params.items()
    }


def _on_circles(
    params: Mapping[str, np.ndarray], radii: np.ndarray, number: int
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Angles (P,) and positions (S, R, P), arcsec, on circles about the lens."""
    phi = _angles(number)
    centre = [
        np.asarray(params.get(axis, 0.0), dtype=float).reshape(-1, 1, 1)
        for axis in ("x0", "y0")
    ]
    x = centre[0] + radii[..., None] * np.cos(phi)
    y = centre[1] + radii[..., None] * np.sin(phi)
    return phi, x, y


def _chunks(number: int, each: int) -> list[slice]:
    step = max(1, _CHUNK // max(each, 1))
    return [slice(start, start + step) for start in range(0, number, step)]


def mean_convergence_inside(
    model: LensModel,
    params: Mapping[str, np.ndarray],
    radii: np.ndarray,
    *,
    num_angles: int = _NUM_ANGLES,
) -> np.ndarray:
    """Mean convergence inside circles about the lens.

    Parameters
    ----------
    model : LensModel
        Any lens model.
    params : mapping of str to ndarray, (S,)
        Lens parameters of each sample, in their declared units.
    radii : ndarray, (S, R), arcsec
        Radii of the circles, positive.
    num_angles : int, optional
        Points on each circle.

    Returns
    -------
    ndarray, (S, R), dimensionless
    """
    import torch

    result = np.empty(radii.shape)
    for part in _chunks(len(radii), radii.shape[1] * num_angles):
        own = {name: np.asarray(value)[part] for name, value in params.items()}
        phi, x, y = _on_circles(own, radii[part], num_angles)
        with torch.no_grad():
            ax, ay = model.deflection(torch.from_numpy(x), torch.from_numpy(y), _tensors(own))
        outward = ax.numpy() * np.cos(phi) + ay.numpy() * np.sin(phi)
        result[part] = outward.mean(axis=-1) / radii[part]
    return result


def ring_convergence(
    model: LensModel,
    params: Mapping[str, np.ndarray],
    radii: np.ndarray,
    *,
    num_angles: int = _NUM_ANGLES,
) -> np.ndarray:
    r"""Mean convergence **on** circles about the lens, :math:`\kappa(R)`.

    Parameters
    ----------
    model : LensModel
        Any lens model.
    params : mapping of str to ndarray, (S,)
        Lens parameters of each sample, in their declared units.
    radii : ndarray, (S, R), arcsec
        Radii of the circles, positive.
    num_angles : int, optional
        Points on each circle.

    Returns
    -------
    ndarray, (S, R), dimensionless
    """
    import torch

    result = np.empty(radii.shape)
    for part in _chunks(len(radii), radii.shape[1] * num_angles):
        own = {name: np.asarray(value)[part] for name, value in params.items()}
        _, x, y = _on_circles(own, radii[part], num_angles)
        with torch.no_grad():
            kappa = model.convergence(torch.from_numpy(x), torch.from_numpy(y), _tensors(own))
        result[part] = kappa.numpy().mean(axis=-1)
    return result


def effective_einstein_radius(
    model: LensModel, params: Mapping[str, np.ndarray], *, num_angles: int = _NUM_ANGLES
) -> np.ndarray:
    r"""Radius of the circle about the lens inside which the mean convergence is 1.

    The outermost solution of :math:`\bar\kappa(<R) = 1` inside `RADIUS_RANGE`, bracketed
    on a logarithmic grid and refined by the Illinois method (Dowell & Jarratt 1971, BIT
    11, 168) to a relative 1e-12. For an isothermal lens the local convergence there is
    1/2, not 1.

    Parameters
    ----------
    model : LensModel
        Any lens model, the whole of it.
    params : mapping of str to ndarray, (S,)
        Lens parameters of each sample, in their declared units.
    num_angles : int, optional
        Points on each circle.

    Returns
    -------
    ndarray, (S,), arcsec
        NaN where the mean convergence does not cross 1.
    """
    number = max(np.size(value) for value in params.values())
    low, high = np.log(RADIUS_RANGE)
    scan = np.linspace(low, high, 47)
    radii = np.broadcast_to(np.exp(scan), (number, scan.size))
    above = mean_convergence_inside(model, params, radii, num_angles=64) >= 1
    crossing = above[:, :-1] & ~above[:, 1:]
    found = crossing.any(axis=1)
    last = crossing.shape[1] - 1 - np.argmax(crossing[:, ::-1], axis=1)

    def excess(log_radius: np.ndarray) -> np.ndarray:
        mean = mean_convergence_inside(
            model, params, np.exp(log_radius)[:, None], num_angles=num_angles
        )
        return mean[:, 0] - 1

    a, b = scan[last], scan[last + 1]
    fa, fb = excess(a), excess(b)
    for _ in range(60):
        step = np.where(fb == fa, 0.0, fb * (b - a) / np.where(fb == fa, 1.0, fb - fa))
        c = b - step
        fc = excess(c)
        crossed = fc * fb < 0
        # Illinois: halve the value of an end that stays, so that it does not stick
        a, fa = np.where(crossed, b, a), np.where(crossed, fb, 0.5 * fa)
        b, fb = c, fc
        if np.all((np.abs(step) < 1e-12) | ~found):
            break
    return np.where(found, np.exp(b), np.nan)


def _tangential_eigenvalue(
    model: LensModel, params: Mapping[str, Tensor], x: np.ndarray, y: np.ndarray
) -> np.ndarray:
    r""":math:`1 - \kappa - |\gamma|` at positions (1, P, 1), arcsec."""
    import torch

    px = torch.from_numpy(x).requires_grad_()
    py = torch.from_numpy(y).requires_grad_()
    ax, ay = model.deflection(px, py, params)
    axx, axy = torch.autograd.grad(ax.sum(), (px, py), retain_graph=True)
    ayx, ayy = torch.autograd.grad(ay.sum(), (px, py))
    shear = torch.hypot((axx - ayy) / 2, (axy + ayx) / 2)
    return (1 - (axx + ayy) / 2 - shear).numpy()


def critical_curve(
    model: LensModel, params: Mapping[str, float], *, num_angles: int = _NUM_ANGLES
) -> np.ndarray:
    r"""Tangential critical curve: where :math:`1 - \kappa - |\gamma| = 0`.

    Looked for along rays from the lens's centre, from far outside inwards, so that one
    outermost curve around the lens is found; detached loops about other components are
    not.

    Parameters
    ----------
    model : LensModel
        Any lens model.
    params : mapping of str to float
        Lens parameters, in their declared units.
    num_angles : int, optional
        Number P of rays.

    Returns
    -------
    ndarray, (P, 2), arcsec
        Positions (x, y) in order of angle; NaN on rays that meet no critical point.
    """
    tensors = _tensors({name: np.array([value]) for name, value in params.items()})
    centre = [float(params.get(name, 0.0)) for name in ("x0", "y0")]
    phi = _angles(num_angles)

    def eigenvalue(log_radius: np.ndarray) -> np.ndarray:
        radius = np.exp(log_radius)
        x = centre[0] + radius * np.cos(phi)[:, None]
        y = centre[1] + radius * np.sin(phi)[:, None]
        return _tangential_eigenvalue(model, tensors, x[None], y[None])[0]

    scan = np.linspace(math.log(RADIUS_RANGE[0]), math.log(RADIUS_RANGE[1]), 185)
    inside = eigenvalue(np.broadcast_to(scan, (num_angles, scan.size))) < 0
    crossing = inside[:, :-1] & ~inside[:, 1:]
    found = crossing.any(axis=1)
    last = crossing.shape[1] - 1 - np.argmax(crossing[:, ::-1], axis=1)
    low, high = scan[last], scan[last + 1]
    for _ in range(44):
        middle = 0.5 * (low + high)
        below = eigenvalue(middle[:, None])[:, 0] < 0
        low, high = np.where(below, middle, low), np.where(below, high, middle)
    radius = np.where(found, np.exp(0.5 * (low + high)), np.nan)
    return np.stack(
        [centre[0] + radius * np.cos(phi), centre[1] + radius * np.sin(phi)], axis=-1
    )

r"""Deflection, convergence, shear and magnification of any lens model, as arrays.

All follow from the deflection and its exact derivatives, which automatic differentiation
of the model gives: with :math:`\partial_i \alpha_j`,

.. math::
    \kappa = \tfrac12 (\partial_x \alpha_x + \partial_y \alpha_y), \quad
    \gamma_1 = \tfrac12 (\partial_x \alpha_x - \partial_y \alpha_y), \quad
    \gamma_2 = \tfrac12 (\partial_x \alpha_y + \partial_y \alpha_x), \quad
    \mu^{-1} = (1 - \kappa)^2 - |\gamma|^2

(Bartelmann & Schneider 2001, Phys. Rep. 340, 291, section 3.1). The eigenvalues of the
Jacobian of the lens mapping are :math:`1 - \kappa \mp |\gamma|`, the tangential and the
radial one.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from torch import Tensor

    from astrorim.interfaces import LensModel

__all__ = ["LensFields", "lens_centres", "lens_fields", "parameter_tensors", "potential"]


@dataclass(frozen=True)
class LensFields:
    """What a lens does at given positions.

    Parameters
    ----------
    alpha_x, alpha_y : ndarray, (...), arcsec
        Deflection.
    kappa : ndarray, (...), dimensionless
        Convergence.
    gamma1, gamma2 : ndarray, (...), dimensionless
        Shear.
    """

    alpha_x: np.ndarray
    alpha_y: np.ndarray
    kappa: np.ndarray
    gamma1: np.ndarray
    gamma2: np.ndarray

    @property
    def tangential(self) -> np.ndarray:
        r"""Tangential eigenvalue, :math:`1 - \kappa - |\gamma|`, (...)."""
        return 1 - self.kappa - np.hypot(self.gamma1, self.gamma2)

    @property
    def radial(self) -> np.ndarray:
        r"""Radial eigenvalue, :math:`1 - \kappa + |\gamma|`, (...)."""
        return 1 - self.kappa + np.hypot(self.gamma1, self.gamma2)

    @property
    def magnification(self) -> np.ndarray:
        r"""Signed magnification :math:`\mu`, negative where the parity is, (...)."""
        with np.errstate(divide="ignore"):
            return 1 / (self.tangential * self.radial)


def parameter_tensors(params: Mapping[str, np.ndarray | float]) -> dict[str, Tensor]:
    """Lens parameters as tensors (S, 1, 1) in double precision.

    Parameters
    ----------
    params : mapping of str to ndarray, (S,)
        Lens parameters in their declared units.

    Returns
    -------
    dict of str to Tensor, (S, 1, 1)
    """
    import torch

    return {
        name: torch.from_numpy(np.array(value, dtype=float)).reshape(-1, 1, 1)
        for name, value in params.items()
    }


def lens_fields(
    model: LensModel, params: Mapping[str, np.ndarray | float], x: np.ndarray, y: np.ndarray
) -> LensFields:
    """Deflection, convergence and shear at positions.

    At the centre of a singular profile, within
    `~astrorim.lensing.special.MIN_RADIUS`, the values are those of the model's guard and
    mean nothing.

    Parameters
    ----------
    model : LensModel
        Any lens model.
    params : mapping of str to ndarray, (S,)
        Lens parameters in their declared units; plain numbers for one lens.
    x, y : ndarray, (S, H, W) or (H, W), arcsec
        Positions on the image.

    Returns
    -------
    LensFields
        Arrays (S, H, W), or of the shape of ``x`` where the parameters are plain numbers.
    """
    import torch

    tensors = parameter_tensors(params)
    single = all(np.ndim(value) == 0 for value in params.values())
    number = max((np.size(value) for value in params.values()), default=1)
    # every sample needs positions of its own, for the gradient to be its own
    flat = (1, 1, -1) if single else np.broadcast_shapes(np.shape(x), (number, 1, 1))
    place = np.reshape if single else np.broadcast_to
    px, py = (
        torch.from_numpy(np.array(place(a, flat)))
        .to(torch.float64)
        .clone()
        .requires_grad_()
        for a in (np.asarray(x, dtype=float), np.asarray(y, dtype=float))
    )
    # a component that does not depend on the position, such as a uniform deflection, has
    # no gradient: the zero below keeps the graph
    with torch.enable_grad():
        ax, ay = model.deflection(px, py, tensors)
        nothing = 0 * (px + py)
        ax, ay = ax + nothing, ay + nothing
        axx, axy = torch.autograd.grad(ax.sum(), (px, py), retain_graph=True)
        ayx, ayy = torch.autograd.grad(ay.sum(), (px, py))
    shape = np.shape(x) if single else tuple(ax.shape)
    arrays = (ax, ay, (axx + ayy) / 2, (axx - ayy) / 2, (axy + ayx) / 2)
    return LensFields(*(np.reshape(a.detach().numpy(), shape) for a in arrays))


def potential(
    model: LensModel, params: Mapping[str, float], x: np.ndarray, y: np.ndarray
) -> np.ndarray:
    r"""Lensing potential :math:`\psi` of one lens, up to a constant.

    Parameters
    ----------
    model : LensModel
        Any lens model.
    params : mapping of str to float
        Lens parameters in their declared units.
    x, y : ndarray, (...), arcsec
        Positions on the image.

    Returns
    -------
    ndarray, (...), arcsec^2
    """
    import torch

    shape = np.shape(x)
    px, py = (torch.from_numpy(np.array(a, dtype=float).reshape(1, 1, -1)) for a in (x, y))
    with torch.no_grad():
        psi = model.potential(px, py, parameter_tensors(params))
    return (psi + 0 * px).numpy().reshape(shape)


def lens_centres(params: Mapping[str, float]) -> np.ndarray:
    """Centres of the components of a lens: where a profile may be singular.

    Parameters
    ----------
    params : mapping of str to float
        Lens parameters; centres are ``x0`` and ``y0``, with the labels of a sum.

    Returns
    -------
    ndarray, (C, 2), arcsec
        Without repetitions, the unlabelled one first; the origin where there is none.
    """
    labels = [name.removeprefix("x0") for name in params if name.split("_")[0] == "x0"]
    centres: list[tuple[float, float]] = []
    for label in sorted(labels, key=len):
        centre = (float(params[f"x0{label}"]), float(params.get(f"y0{label}", 0.0)))
        if all(np.hypot(centre[0] - x, centre[1] - y) > 1e-9 for x, y in centres):
            centres.append(centre)
    return np.array(centres or [(0.0, 0.0)])

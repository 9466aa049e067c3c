r"""What an encoder is taught about lenses that are more than its model.

Where a halo, a second galaxy or substructure adds to the deflection, the image determines the
radius inside which the whole has a mean convergence of one, and not the Einstein radius of
the main galaxy alone.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import torch

if TYPE_CHECKING:
    from torch import Tensor

    from astrorim.interfaces import SimulatedLenses
    from astrorim.lensing.system import LensSystem

__all__ = ["encoder_labels", "with_effective_radius"]

_NUM_ANGLES = 48
_NUM_UPDATES = 3
_EFFECTIVE = "effective_einstein_radius"


def with_effective_radius(system: LensSystem, values: Tensor, radius: Tensor) -> Tensor:
    r"""Parameters with the ``theta_E`` that gives an effective Einstein radius.

    By Gauss's theorem the mean convergence inside R about the centre is the mean radial
    deflection over R. The Einstein radius is divided by it three times: once is exact for
    isothermal lenses, whose deflection is proportional to it.

    Parameters
    ----------
    system : LensSystem
        With parameters ``theta_E``, ``x0`` and ``y0``.
    values : Tensor, (B, P)
        Parameters.
    radius : Tensor, (B,), arcsec
        Radius R inside which the mean convergence is to be one. Where it is not finite the
        parameters stay.

    Returns
    -------
    Tensor, (B, P)
    """
    names = system.parameters.names
    column, x0, y0 = (names.index(name) for name in ("theta_E", "x0", "y0"))
    found = torch.isfinite(radius)
    ring = torch.where(found, radius, 1.0)[:, None, None]
    angle = torch.arange(_NUM_ANGLES, dtype=values.dtype, device=values.device)
    angle = angle * (2 * math.pi / _NUM_ANGLES)
    cosine, sine = angle.cos(), angle.sin()
    x = values[:, x0, None, None] + ring * cosine
    y = values[:, y0, None, None] + ring * sine
    changed = values.clone()
    for _ in range(_NUM_UPDATES):
        alpha_x, alpha_y = system.lens.deflection(x, y, system.lens_params(changed))
        mean = (alpha_x * cosine + alpha_y * sine).mean(dim=-1) / ring[..., 0]
        changed[:, column] = changed[:, column] / mean[:, 0]
    return torch.where(found[:, None], changed, values)


def encoder_labels(system: LensSystem, simulated: SimulatedLenses) -> Tensor:
    """Parameters of an encoder's model that simulated lenses are to be described by.

    Parameters
    ----------
    system : LensSystem
        The encoder's model; its parameters are among those that the simulator draws.
    simulated : SimulatedLenses
        Where they have components beyond the model, and their metadata give the effective
        Einstein radius of the whole, ``theta_E`` is that of the galaxy of the same shape
        that has this radius on its own. All others keep what was drawn.

    Returns
    -------
    Tensor, (B, P)
    """
    values = system.stack(simulated.lens, simulated.light)
    if simulated.lens_model == system.lens.name or _EFFECTIVE not in simulated.metadata:
        return values
    return with_effective_radius(system, values, simulated.metadata[_EFFECTIVE])

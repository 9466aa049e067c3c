"""Deflection by a sum of lens models of which most lenses lack most components."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

import torch

from astrorim.lensing.system import SumLens
from astrorim_plugins.simulators.selection import rows_set

if TYPE_CHECKING:
    from torch import Tensor

    from astrorim.interfaces import LensModel

__all__ = ["STRENGTHS", "deflection_of_present"]

STRENGTHS = ("theta_E", "kappa_s")
"""Parameters that a component is proportional to: zero where a lens does not have it."""


def deflection_of_present(
    model: LensModel, x: Tensor, y: Tensor, params: Mapping[str, Tensor]
) -> tuple[Tensor, Tensor]:
    """Deflection of every lens by the components that it has.

    Parameters
    ----------
    model : LensModel
        A model, or a sum of which components of strength zero are left out.
    x, y : Tensor, (B, H, W), arcsec
        Positions.
    params : mapping of str to Tensor, (B, 1, 1)
        Parameters.

    Returns
    -------
    alpha_x, alpha_y : Tensor, (B, H, W), arcsec
        What ``model.deflection`` gives.
    """
    if not isinstance(model, SumLens):
        return model.deflection(x, y, params)
    alpha_x, alpha_y = None, None
    components = model.each(params)
    strengths = [
        next((own[name] for name in STRENGTHS if name in own), None) for _, own in components
    ]
    known = [strength.view(-1) for strength in strengths if strength is not None]
    present = iter(rows_set(torch.stack(known, dim=1) != 0) if known else [])
    for (component, own), strength in zip(components, strengths, strict=True):
        rows = slice(None) if strength is None else next(present)
        if not isinstance(rows, slice) and len(rows) == len(x):
            rows = slice(None)
        if not isinstance(rows, slice) and not len(rows):
            continue
        part_x, part_y = component.deflection(
            x[rows], y[rows], {name: value[rows] for name, value in own.items()}
        )
        if alpha_x is None or alpha_y is None:
            if isinstance(rows, slice):
                alpha_x, alpha_y = part_x, part_y
                continue
            alpha_x, alpha_y = x * 0, y * 0
        if isinstance(rows, slice):
            alpha_x, alpha_y = alpha_x + part_x, alpha_y + part_y
        else:
            alpha_x = alpha_x.index_add(0, rows, part_x)
            alpha_y = alpha_y.index_add(0, rows, part_y)
    if alpha_x is None or alpha_y is None:
        return x * 0, y * 0
    return alpha_x, alpha_y

r"""Whether the images of a lensed source predict one another.

What marks a lens is that several images come from one source. The image is cut into sectors
around the lens, and what each shows is predicted by the source that the others alone give,
at the lens of the solution. With the residuals of the light alone, of the prediction and of
the whole fit, in units of the noise, the share that is predicted is

.. math::
    f = \frac{\sum_k \chi^2_k(\mathrm{light}) - \chi^2_k(\mathrm{predicted})}
             {\sum_k \chi^2_k(\mathrm{light}) - \chi^2_k(\mathrm{fit})} .

It is near one behind a lens, whatever the signal to noise, and near or below zero for a
neighbour that the source was made to look like: no other image knows of it. It is a
cross-validation by blocks (Geisser 1975, J. Am. Stat. Assoc. 70, 320). The light is that of
the solution; what the solution leaves over and a galaxy may show that is not shaped like its
model (`~astrorim.inference.unlensed.light_deviations`) counts as light, not as arcs.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import torch

from astrorim.inference.unlensed import light_deviations

if TYPE_CHECKING:
    from torch import Tensor

    from astrorim.inference.lens_fit import LensFit
    from astrorim.inference.refinement import RefinementState

__all__ = ["predicted_share"]

_TURNS = 18  # of the sectors, of which that one is taken that cuts the least light
_BORDER = 1.5  # pixels along which a sector's edge cuts light


@torch.no_grad()
def predicted_share(fit: LensFit, state: RefinementState, num_sectors: int = 4) -> float:
    """Share of the arcs' chi-square that the other images predict.

    Parameters
    ----------
    fit : LensFit
        Image and models.
    state : RefinementState
        The solution, with a source.
    num_sectors : int, optional
        Sectors of equal angle around the lens, 2 or more; turned so that their edges cut
        the least light.

    Returns
    -------
    float
        One at most, but for rounding; negative where predictions are worse than none; 0
        where the source explains nothing.

    Raises
    ------
    ValueError
        If there are fewer than two sectors, or the solution has no source.
    """
    if num_sectors < 2:
        raise ValueError(f"num_sectors must be at least 2, got {num_sectors}")
    inversion, number = state.inversion, fit.size**2
    if not number:
        raise ValueError("the solution must have a source, got none")
    columns = inversion.problem.design.first(number)
    arcs = columns @ inversion.mean[:number]
    residual = inversion.residual - _deviation(fit, state)
    alone = residual + arcs
    sector = _sectors(fit, state, arcs, num_sectors)
    precision = inversion.strength * inversion.problem.smoothness
    gained, possible = 0.0, 0.0
    for k in range(num_sectors):
        held = sector == k
        if not bool(held.any()) or bool(held.all()):
            continue
        others = columns.rows(~held)
        system = others.gram(number) + precision
        right = others.transposed(alone[~held].double())
        source = torch.cholesky_solve(right[:, None], torch.linalg.cholesky(system))[:, 0]
        left = alone[held] - columns.rows(held) @ source
        before = float(alone[held].double().square().sum())
        gained += before - float(left.double().square().sum())
        possible += before - float(residual[held].double().square().sum())
    return gained / possible if possible > 0 else 0.0


def _deviation(fit: LensFit, state: RefinementState) -> Tensor:
    """What of a solution's residual the galaxy's light may be, (N,)."""
    columns = light_deviations(fit, state.values).double()
    system = columns @ columns.mT + torch.eye(len(columns), dtype=torch.float64)
    right = columns @ state.inversion.residual.double()
    return (columns.mT @ torch.linalg.solve(system, right)).to(state.inversion.residual)


def _sectors(fit: LensFit, state: RefinementState, arcs: Tensor, number: int) -> Tensor:
    """Sector of each fitted pixel, (N,) integer, edges where the arcs (N,) are faint."""
    names = fit.model.system.parameters.names
    x0, y0 = (
        float(state.values[0, names.index(name)]) if name in names else middle
        for name, middle in zip(("x0", "y0"), fit.model.middle, strict=True)
    )
    x, y = fit.positions
    angle = torch.atan2(y - y0, x - x0)
    radius = torch.hypot(x - x0, y - y0) / float(fit.model.data.pixel_scale[0])
    width = 2 * math.pi / number
    best, least = torch.zeros_like(angle).long(), math.inf
    for i in range(_TURNS):
        place = angle / width - i / _TURNS
        edge = ((place - place.round()).abs() * width).clamp_max(math.pi / 2).sin() * radius
        light = float(arcs[edge < _BORDER].square().sum())
        if light < least:
            best, least = place.floor().long() % number, light
    return best

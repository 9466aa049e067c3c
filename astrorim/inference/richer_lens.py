"""A richer lens model for an image that a simpler one leaves a misfit in."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import torch

from astrorim.inference.model_evidence import log_model_evidence
from astrorim.inference.refinement import RefinementOptions, refine

if TYPE_CHECKING:
    from torch import Tensor

    from astrorim.inference.lens_fit import LensFit
    from astrorim.inference.refinement import RefinementState
    from astrorim.lensing.system import LensSystem

__all__ = ["carried_over", "with_richer_lens"]

_DECISIVE = 5.0  # ln of the odds; Kass & Raftery 1995, JASA 90, 773: "very strong"


def carried_over(values: Tensor, system: LensSystem, other: LensSystem) -> Tensor:
    """Parameters (1, P) of a system as those (1, P') of another one, by their names.

    What the first lacks is at the middle of its prior: the slope of a power law is that of
    an isothermal lens.
    """
    result = values.new_empty(1, len(other.parameters))
    known = dict(zip(system.parameters.names, values[0], strict=True))
    for i, parameter in enumerate(other.parameters):
        result[0, i] = known.get(parameter.name, sum(parameter.prior) / 2)
    return result


@torch.no_grad()
def with_richer_lens(
    fit: LensFit, state: RefinementState, system: LensSystem, max_steps: int
) -> tuple[LensFit, RefinementState]:
    """Descend further with more parameters of the lens, and keep them if the evidence does.

    Parameters
    ----------
    fit : LensFit
        Image and models.
    state : RefinementState
        The solution, with a source, whose pixels stay.
    system : LensSystem
        The richer models, with the same light.
    max_steps : int
        Evaluations of the descent.

    Returns
    -------
    fit : LensFit
        Of the richer models, or the one given.
    state : RefinementState
        Its solution where the odds for it are at least :math:`e^5`
        (`~astrorim.inference.model_evidence.log_model_evidence`).
    """
    richer = fit.changed(model=fit.model.changed(system=system))
    values = carried_over(state.values, fit.model.system, system)
    options = RefinementOptions(max_steps=max_steps, tempered=False)
    strength = state.inversion.strength
    other = refine(richer, values, state.source_frames, strength=strength, options=options)
    if log_model_evidence(richer, other) > log_model_evidence(fit, state) + _DECISIVE:
        return richer, replace(other, notes=state.notes)
    return fit, state

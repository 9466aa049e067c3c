r"""Evidence of a whole model, the non-linear parameters marginalised too.

With :math:`\hat\theta` the most probable of Q non-linear parameters in their step
coordinates, :math:`\Pi` the precision of their Gaussian prior of mean :math:`\theta_0` and C
the inverse curvature of half the objective,

.. math::
    \ln Z = \ln p(d | \hat\theta) - \tfrac12 |\hat\theta - \theta_0|^2_\Pi
        + \tfrac12 \ln |\Pi| + \tfrac12 \ln |C|,

to second order (MacKay 2003, *Information Theory, Inference, and Learning Algorithms*,
chapter 27), :math:`p(d | \theta)` the evidence of `~astrorim.inference.inversion`. Models of
the same pixels, of lens, light, source or the noise's correlation, are compared by its
differences.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch

from astrorim.inference.lens_fit import LensFit
from astrorim.inference.refinement import RefinementOptions, parameter_prior, refine
from astrorim.rim.parameter_step import is_positive, to_coordinates

if TYPE_CHECKING:
    from torch import Tensor

    from astrorim.inference.refinement import RefinementState

__all__ = ["lens_occam_factor", "log_model_evidence", "source_log_bayes_factor"]


def log_model_evidence(fit: LensFit, state: RefinementState) -> float:
    """Natural logarithm of the evidence of a model, to second order around its solution.

    Parameters
    ----------
    fit : LensFit
        Image and model.
    state : RefinementState
        The solution. Parameters that were held count as known.

    Returns
    -------
    float

    Raises
    ------
    ValueError
        If the solution has no covariance.
    """
    if state.covariance is None:
        raise ValueError("the solution must have a covariance, as refine gives; got none")
    parameters = [fit.model.system.parameters[i] for i in fit.nonlinear]
    positive = is_positive(parameters, state.values)
    _, precision = parameter_prior(parameters, positive, state.values, fit.known)
    volume = _log_volume(state.covariance, precision)
    penalty = state.objective - state.inversion.objective
    density = state.inversion.log_evidence + fit.log_whitening
    return density - 0.5 * penalty + 0.5 * volume


def lens_occam_factor(fit: LensFit, state: RefinementState) -> float:
    r"""What a lens's own parameters cost: the part of ln Z that their prior has.

    Parameters
    ----------
    fit : LensFit
        Image and model.
    state : RefinementState
        The solution.

    Returns
    -------
    float
        :math:`-\tfrac12 |\hat\theta - \theta_0|^2_\Pi + \tfrac12 \ln |\Pi C|` over the
        lens parameters, those of the light marginalised.

    Raises
    ------
    ValueError
        If the solution has no covariance.
    """
    if state.covariance is None:
        raise ValueError("the solution must have a covariance, as refine gives; got none")
    system = fit.model.system
    columns = [i for i in fit.nonlinear if i < system.num_lens]
    parameters = [system.parameters[i] for i in columns]
    positive = is_positive(parameters, state.values)
    mean, precision = parameter_prior(parameters, positive, state.values, fit.known)
    place = to_coordinates(state.values[0, columns].double(), positive)
    covariance = state.covariance[: len(columns), : len(columns)]
    volume = _log_volume(covariance, precision)
    return 0.5 * (volume - float((precision * (place - mean) ** 2).sum()))


def _log_volume(covariance: Tensor, precision: Tensor) -> float:
    """Logarithm of |covariance| |prior precision| of the parameters that moved."""
    moved = covariance.diagonal() > 0
    if not bool(moved.any()):
        return 0.0
    shrunk = precision.sqrt()[moved]
    ratio = covariance[moved][:, moved] * shrunk * shrunk[:, None]
    return float(torch.linalg.slogdet(ratio)[1])


@torch.no_grad()
def source_log_bayes_factor(fit: LensFit, state: RefinementState) -> float:
    """Logarithm of the odds of lens and source over the lens galaxy's light alone.

    The light is fitted anew without a source, from where the solution has it. Where the
    light model does not fit the galaxy, the source makes up for it and the odds say little.

    Parameters
    ----------
    fit : LensFit
        Image and models.
    state : RefinementState
        The solution with a source.

    Returns
    -------
    float
    """
    bare = fit.changed(size=0)
    held = tuple(p.name for p in fit.model.system.lens.parameters)
    options = RefinementOptions(tempered=False)
    alone = refine(bare, state.values, None, held=held, options=options)
    return log_model_evidence(fit, state) - log_model_evidence(bare, alone)

r"""Gaussian samples around a solution: the posterior to second order.

With :math:`C` the inverse curvature of the marginal objective in the step coordinates of the
non-linear parameters and :math:`S` the precision of source and amplitudes given them,

.. math::
    \delta \sim N(0, C), \qquad
    x = \hat x - S^{-1} A^T J \, \delta + \epsilon, \quad \epsilon \sim N(0, S^{-1}),

since source and amplitudes follow the other parameters (MacKay 2003, *Information Theory,
Inference, and Learning Algorithms*, chapter 27).

The pixels of the source are a choice, and where the source is steep the solution depends on
it by more than C says (Etherington et al. 2022, MNRAS 517, 3275, discuss the same of other
pixels). With solutions on several choices the draws are of all their Gaussians alike.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch

from astrorim.rim.parameter_step import from_coordinates, is_positive, to_coordinates

if TYPE_CHECKING:
    from torch import Tensor

    from astrorim.inference.lens_fit import LensFit
    from astrorim.inference.pixel_choices import PixelChoices
    from astrorim.inference.refinement import RefinementState

__all__ = ["WIDENED", "laplace_samples"]

WIDENED = 1.2
"""Deviations of the samples in those of the Gaussian."""


@torch.no_grad()
def laplace_samples(
    fit: LensFit,
    state: RefinementState,
    number: int,
    generator: torch.Generator,
    choices: PixelChoices | None = None,
) -> Tensor:
    """Draw parameters from the Gaussian around a solution, or around several.

    Parameters
    ----------
    fit : LensFit
        Image and models.
    state : RefinementState
        The solution.
    number : int
        Draws.
    generator : torch.Generator
        Of the random numbers, on the CPU.
    choices : PixelChoices, optional
        Solutions on other pixels of the source; each of them and ``state`` has the same
        share of the draws.

    Returns
    -------
    Tensor, (number, P)
        Within the supports; amplitudes that the solution holds at zero stay there.

    Raises
    ------
    ValueError
        If the solution has no covariance.
    """
    if state.covariance is None:
        raise ValueError("the solution must have a covariance, as refine gives; got none")
    system, inversion, values = fit.model.system, state.inversion, state.values
    positive = is_positive([system.parameters[i] for i in fit.nonlinear], values)
    point = values[0, fit.nonlinear].double()
    place = to_coordinates(point, positive)
    noise = torch.randn(number, len(place), generator=generator, dtype=torch.float64)
    noise = WIDENED * noise
    delta = noise @ _root(state.covariance).mT
    if choices is not None:
        for i, (other, covariance) in enumerate(
            zip(choices.places, choices.covariances, strict=True), start=1
        ):
            turn = slice(i, None, len(choices.places) + 1)
            delta[turn] = other - place + noise[turn] @ _root(covariance).mT
    draws = values.double().repeat(number, 1)
    draws[:, fit.nonlinear] = from_coordinates(place + delta, positive)
    if fit.linear:
        first = fit.size**2
        jacobian = fit.jacobian(values, state.frames, inversion)
        jacobian = jacobian * torch.where(positive, point, 1.0).to(jacobian)
        response = inversion.solve(inversion.problem.design.transposed(jacobian))[first:]
        spread = _root(inversion.covariance()[first:, first:])
        noise = torch.randn(number, len(fit.linear), generator=generator, dtype=torch.float64)
        draws[:, fit.linear] = inversion.mean[first:] - delta @ response.mT
        draws[:, fit.linear] += WIDENED * noise @ spread.mT
    low, high = system.supports(values)
    return torch.minimum(torch.maximum(draws.to(values), low), high)


def _root(covariance: Tensor) -> Tensor:
    """A matrix whose product with its transpose is the covariance, however singular."""
    eigenvalues, vectors = torch.linalg.eigh(covariance.double())
    return vectors * eigenvalues.clamp_min(0).sqrt()

r"""Samples of the exact posterior of lens, lens light and source of one image.

Given the non-linear parameters :math:`\theta` the linear ones x, source pixels and light
amplitudes, are Gaussian, and go out of the posterior in closed form. What is left is the
evidence of the linear problem (Suyu et al. 2006, MNRAS 371, 983),

.. math::
    \ln p(\theta | d) = -\tfrac12 |d - A \hat x|^2 - \tfrac12 \hat x^T R \hat x
        - \tfrac12 \ln \det S - \tfrac12 (\theta - \theta_0)^T \Pi (\theta - \theta_0)
        + \mathrm{const}, \qquad S = A^T A + R,

at the strength of largest evidence and without the limit that no source pixel be negative.
Hamiltonian Monte Carlo (`~astrorim.inference.sampling.sample_hmc`) draws the fifteen or so
:math:`\theta` from it, with the curvature at the maximum as mass matrix; x follows from its
Gaussian, draw by draw. The force is :math:`J^T r` less the prior's: the slope of the
determinant, some hundredths for each standard deviation, is left to the Metropolis test,
which makes the draws exact whatever the force is.

The pixels of the source are a choice that the posterior depends on. Each chain has its own
(`~astrorim.inference.pixel_choices`), and the samples are of all of them alike.
"""

from __future__ import annotations

import copy
from dataclasses import dataclass
from typing import TYPE_CHECKING

import torch

from astrorim.inference.chain_diagnostics import size_and_agreement
from astrorim.inference.pixel_choices import other_frames
from astrorim.inference.refinement import (
    RefinementOptions,
    evaluate,
    newton_step,
    parameter_prior,
    refine,
)
from astrorim.inference.sampling import sample_hmc
from astrorim.inference.source_pixels import expected_like
from astrorim.rim.parameter_step import from_coordinates, is_positive, to_coordinates

if TYPE_CHECKING:
    import numpy as np
    from torch import Tensor

    from astrorim.inference.lens_fit import LensFit
    from astrorim.inference.refinement import RefinementState
    from astrorim.lensing.interpolation import SourceFrames

__all__ = ["LensSamples", "SamplingOptions", "sample_lens"]

_FIRST_STEPS = 2  # of a trajectory: acceptance 0.83, with one 0.58


@dataclass(frozen=True)
class SamplingOptions:
    """How to sample.

    Parameters
    ----------
    num_chains : int, optional
        Chains, each on its own pixels of the source; the first on the solution's.
    num_warmup : int, optional
        Draws of each chain that are thrown away.
    num_draws : int, optional
        Draws of each chain that are kept, at most; at least 10.
    target_ess : float, optional
        Stop when every non-linear parameter has this effective sample size.
    """

    num_chains: int = 5
    num_warmup: int = 12
    num_draws: int = 200
    target_ess: float | None = 400.0


@dataclass(frozen=True)
class LensSamples:
    """Samples of the parameters, and what they are worth.

    Parameters
    ----------
    values : Tensor, (S, P)
        Parameters in the order of the system's; chains one after the other.
    ess : ndarray, (P,)
        Effective sample size, the smaller one of bulk and tail, summed over the chains.
    r_hat : ndarray, (P,)
        Rank-normalised split R-hat, the largest of the chains'.
    acceptance : float
        Mean acceptance probability.
    num_evaluations : int
        Gradients, each of all chains together.
    pixel_scatter : float
        What the choice of the source's pixels adds: standard deviation of the chains' means
        of a lens parameter in that of a chain's draws, the largest.
    """

    values: Tensor
    ess: np.ndarray
    r_hat: np.ndarray
    acceptance: float
    num_evaluations: int
    pixel_scatter: float


@torch.no_grad()
def sample_lens(
    fit: LensFit,
    state: RefinementState,
    generator: torch.Generator,
    options: SamplingOptions | None = None,
) -> LensSamples:
    """Sample the posterior around a solution.

    Parameters
    ----------
    fit : LensFit
        Image and models.
    state : RefinementState
        The solution; with a source.
    generator : torch.Generator
        Of the random numbers, on the CPU.
    options : SamplingOptions, optional
        How.

    Returns
    -------
    LensSamples

    Raises
    ------
    ValueError
        If the solution has no source.
    """
    options = options or SamplingOptions()
    signed = RefinementOptions(max_steps=8, tolerance=0.05, nonnegative=False, tempered=False)
    state = refine(fit, state.values, state.source_frames, options=signed)
    targets = [_Posterior(fit, state, state.source_frames)]
    other = fit.changed(expected=expected_like(fit, state))
    targets.extend(
        _Posterior(copy.copy(other), state, other_frames(state.source_frames, generator))
        for _ in range(options.num_chains - 1)
    )
    places, covariances = zip(*(target.maximum(state) for target in targets), strict=True)
    centre, covariance = torch.stack(places), torch.stack(covariances)
    noise = torch.randn(centre.shape, generator=generator, dtype=torch.float64)
    start = centre + (torch.linalg.cholesky(covariance) @ noise[..., None])[..., 0]
    start = torch.stack([t.inside(place) for t, place in zip(targets, start, strict=True)])

    def density(places: Tensor) -> tuple[Tensor, Tensor]:
        found = [target(place) for target, place in zip(targets, places, strict=True)]
        logarithms, slopes = zip(*found, strict=True)
        return torch.tensor(logarithms).to(places), torch.stack(slopes)

    chains = sample_hmc(
        density,
        start,
        covariance,
        num_warmup=options.num_warmup,
        num_samples=options.num_draws,
        generator=generator,
        target_ess=options.target_ess,
        centre=centre,
        alike=False,
        first_num_steps=_FIRST_STEPS,
    )
    values = torch.stack(
        [t.values(draws, generator) for t, draws in zip(targets, chains.samples, strict=True)]
    )
    ess, r_hat = size_and_agreement(values.numpy(), alike=False)
    return LensSamples(
        values=values.flatten(0, 1),
        ess=ess,
        r_hat=r_hat,
        acceptance=chains.acceptance,
        num_evaluations=chains.num_evaluations,
        pixel_scatter=_scatter(values[..., : fit.model.system.num_lens]),
    )


def _scatter(values: Tensor) -> float:
    """Of the means of chains (C, S, L), in deviations of a chain; the largest."""
    if len(values) == 1:
        return 0.0
    width = values.std(dim=1).square().mean(dim=0).sqrt()
    return float((values.mean(dim=1).std(dim=0) / width).max())


class _Posterior:
    """Log density of one chain in the step coordinates (Q,), and the force there.

    Parameters
    ----------
    fit : LensFit
        Image and models.
    state : RefinementState
        The solution, whose strength of the source's prior is kept.
    frames : SourceFrames
        The chain's pixels of the source.
    """

    def __init__(self, fit: LensFit, state: RefinementState, frames: SourceFrames) -> None:
        system = fit.model.system
        self.fit, self.frames, self.strength = fit, frames, state.inversion.strength
        parameters = [system.parameters[i] for i in fit.nonlinear]
        self.positive = is_positive(parameters, state.values)
        self.mean, self.precision = parameter_prior(
            parameters, self.positive, state.values, fit.known
        )
        self.template = state.values
        low, high = system.supports(state.values)
        self.low, self.high = low[fit.nonlinear].double(), high[fit.nonlinear].double()
        self._seen: list[tuple[Tensor, Tensor, Tensor]] = []

    def maximum(self, state: RefinementState) -> tuple[Tensor, Tensor]:
        """About where the density is largest, (Q,), and its inverse curvature, (Q, Q)."""
        place, _ = newton_step(self.fit, self._solved(state.values))
        place, covariance = newton_step(self.fit, self._solved(self._parameters(place)))
        return place, (covariance + covariance.mT) / 2

    def inside(self, place: Tensor) -> Tensor:
        """A place brought a little inside the supports."""
        values = from_coordinates(place, self.positive)
        edge = 1e-6 * (self.high - self.low).clamp_max(1.0)
        values = torch.minimum(torch.maximum(values, self.low + edge), self.high - edge)
        return to_coordinates(values, self.positive)

    def values(self, places: Tensor, generator: torch.Generator) -> Tensor:
        """Parameters (S, P) at places (S, Q) that have been met, amplitudes drawn."""
        met = torch.stack([place for place, _, _ in self._seen])
        result = torch.cat([self._parameters(place) for place in places])
        low, high = self.fit.model.system.supports(self.template)
        for row, place in zip(result, places, strict=True):
            nearest = int((met - place).abs().amax(dim=1).argmin())
            _, mean, root = self._seen[nearest]
            noise = torch.randn(len(mean), generator=generator, dtype=torch.float64)
            row[self.fit.linear] = (mean + root @ noise).to(row)
        return torch.minimum(torch.maximum(result, low), high)

    def _parameters(self, place: Tensor) -> Tensor:
        """Parameters (1, P) at a place, with the template's amplitudes."""
        result = self.template.clone()
        result[0, self.fit.nonlinear] = from_coordinates(place, self.positive).to(result)
        return result

    def _solved(self, values: Tensor) -> RefinementState:
        return evaluate(self.fit, values, self.frames, self.strength, nonnegative=False)

    def __call__(self, place: Tensor) -> tuple[float, Tensor]:
        point = from_coordinates(place, self.positive)
        if bool(((point < self.low) | (point > self.high)).any()):
            return -torch.inf, torch.zeros_like(place)
        values = self._parameters(place)
        solution = self._solved(values).inversion
        first = self.fit.size**2
        # The last rows of the factor of S are that of the amplitudes, the source summed out.
        root = torch.linalg.inv(solution.factor[first:, first:]).mT
        self._seen.append((place, solution.mean[first:], root))
        away = place - self.mean
        density = solution.log_evidence - 0.5 * float((self.precision * away**2).sum())
        slope = self.fit.misfit_slope(values, self.frames, solution)
        slope = slope * torch.where(self.positive, point, 1.0)
        return density, -slope - self.precision * away

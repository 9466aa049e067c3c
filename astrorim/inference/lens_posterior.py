r"""Samples of the exact posterior of lens, lens light and source of one image.

All unknowns are sampled together: the non-linear parameters :math:`\theta` in their step
coordinates, and the linear ones x, source pixels and light amplitudes, from

.. math::
    \ln p(\theta, x | d) = -\tfrac12 |d - A(\theta) x|^2 - \tfrac12 x^T R x
        - \tfrac12 |\theta - \theta_0|^2_\Pi + \mathrm{const},

data and design in units of the noise, the source's prior at the strength of largest evidence
(Suyu et al. 2006, MNRAS 371, 983), without the limit that no source pixel be negative. Given
:math:`\theta` it is Gaussian in x. With J the derivatives of the image, :math:`S = A^T A + R`
and :math:`B = S^{-1} A^T J`, its curvature at the maximum inverts to

.. math::
    C = \left( J^T J + \Pi - J^T A B \right)^{-1}, \qquad
    \mathrm{Cov} = \begin{pmatrix} C & - C B^T \\ - B C & S^{-1} + B C B^T \end{pmatrix} ,

the mass matrix of `~astrorim.inference.sampling.sample_hmc`. A rendering and its reverse are
a gradient: nothing is inverted on the way.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import torch

from astrorim.inference.refinement import RefinementOptions, parameter_prior, refine
from astrorim.inference.sampling import sample_hmc
from astrorim.lensing.interpolation import SourceSampler
from astrorim.rim.parameter_step import from_coordinates, is_positive, to_coordinates

if TYPE_CHECKING:
    from torch import Tensor

    from astrorim.inference.inversion import Inversion
    from astrorim.inference.lens_fit import LensFit
    from astrorim.inference.refinement import RefinementState

__all__ = ["LensSamples", "SamplingOptions", "sample_lens"]


@dataclass(frozen=True)
class SamplingOptions:
    """How to sample.

    Parameters
    ----------
    num_chains : int, optional
        Chains, all evaluated together.
    num_warmup : int, optional
        Draws of each chain that are thrown away.
    num_draws : int, optional
        Draws of each chain that are kept, at most.
    target_ess : float, optional
        Stop when every parameter of lens and lens light has this effective sample size.
    """

    num_chains: int = 4
    num_warmup: int = 40
    num_draws: int = 300
    target_ess: float | None = 400.0


@dataclass(frozen=True)
class LensSamples:
    """Samples of the parameters, and what they are worth.

    Parameters
    ----------
    values : Tensor, (S, P)
        Parameters in the order of the system's; chains one after the other.
    ess : ndarray, (P,)
        Effective sample size, the smaller one of bulk and tail.
    r_hat : ndarray, (P,)
        Rank-normalised split R-hat.
    acceptance : float
        Mean acceptance probability.
    num_evaluations : int
        Gradients, each of all chains together.
    """

    values: Tensor
    ess: np.ndarray
    r_hat: np.ndarray
    acceptance: float
    num_evaluations: int


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
        If the solution has no source, or the posterior no maximum there.
    """
    options = options or SamplingOptions()
    signed = RefinementOptions(max_steps=8, tolerance=0.05, nonnegative=False, tempered=False)
    state = refine(fit, state.values, state.source_frames, options=signed)
    target = _Posterior(fit, state, options.num_chains)
    covariance = target.covariance(state.inversion, state)
    centre = target.centre(state)
    noise = torch.randn(
        options.num_chains, len(centre), generator=generator, dtype=torch.float64
    )
    start = centre + noise @ torch.linalg.cholesky(covariance).mT
    start = target.inside(start)
    q, m = len(fit.nonlinear), fit.size**2
    chains = sample_hmc(
        target,
        start,
        covariance,
        num_warmup=options.num_warmup,
        num_samples=options.num_draws,
        generator=generator,
        target_ess=options.target_ess,
        centre=centre,
        monitored=[*range(q), *range(q + m, len(centre))],
    )
    drawn = chains.samples.reshape(-1, len(centre))
    columns = [*fit.nonlinear, *fit.linear]
    ess, r_hat = np.empty(len(columns)), np.empty(len(columns))
    ess[columns], r_hat[columns] = chains.ess, chains.r_hat
    return LensSamples(
        values=target.values(drawn),
        ess=ess,
        r_hat=r_hat,
        acceptance=chains.acceptance,
        num_evaluations=chains.num_evaluations,
    )


class _Posterior:
    """Log density of chains (C, Q + n^2 + K) and its gradient, by reverse differentiation."""

    def __init__(self, fit: LensFit, state: RefinementState, num_chains: int) -> None:
        system = fit.model.system
        self.fit, self.frames = fit, state.source_frames
        everywhere = torch.zeros(num_chains, dtype=torch.long)
        self.model = fit.model.select(everywhere)
        self.many_frames = self.frames.select(everywhere)
        parameters = [system.parameters[i] for i in fit.nonlinear]
        self.positive = is_positive(parameters, state.values)
        self.mean, self.precision = parameter_prior(
            parameters, self.positive, state.values, fit.known
        )
        self.linear_precision = state.inversion.problem.prior_precision(
            state.inversion.strength
        )
        self.template = state.values
        low, high = system.supports(state.values)
        self.low, self.high = low[fit.nonlinear].double(), high[fit.nonlinear].double()

    def centre(self, state: RefinementState) -> Tensor:
        """Where the solution is, (Q + n^2 + K,)."""
        point = state.values[0, self.fit.nonlinear].double()
        return torch.cat([to_coordinates(point, self.positive), state.inversion.mean])

    def covariance(self, inversion: Inversion, state: RefinementState) -> Tensor:
        """Inverse curvature of the log density, see the module."""
        if state.covariance is None:
            raise ValueError("the solution must have a covariance, as refine gives; got none")
        values = state.values[0, self.fit.nonlinear].double()
        jacobian = self.fit.jacobian(state.values, self.frames, inversion)
        jacobian = jacobian * torch.where(self.positive, values, 1.0).to(jacobian)
        response = inversion.solve(inversion.problem.design.transposed(jacobian))
        crossed = -response @ state.covariance
        below = inversion.covariance() - crossed @ response.mT
        top = torch.cat([state.covariance, crossed.mT], dim=1)
        result = torch.cat([top, torch.cat([crossed, below], dim=1)])
        return (result + result.mT) / 2

    def inside(self, places: Tensor) -> Tensor:
        """Places (C, ...) with their parameters brought a little inside their supports."""
        q = len(self.fit.nonlinear)
        values = from_coordinates(places[:, :q], self.positive)
        edge = 1e-6 * (self.high - self.low).clamp_max(1.0)
        values = torch.minimum(torch.maximum(values, self.low + edge), self.high - edge)
        return torch.cat([to_coordinates(values, self.positive), places[:, q:]], dim=1)

    def values(self, places: Tensor) -> Tensor:
        """Parameters (S, P) at places (S, Q + n^2 + K)."""
        fit, q = self.fit, len(self.fit.nonlinear)
        result = self.template.repeat(len(places), 1)
        nonlinear = from_coordinates(places[:, :q], self.positive).to(result)
        linear = places[:, q + fit.size**2 :].to(result)
        columns = torch.tensor([*fit.nonlinear, *fit.linear])
        return result.index_copy(1, columns, torch.cat([nonlinear, linear], dim=1))

    def __call__(self, places: Tensor) -> tuple[Tensor, Tensor]:
        fit, q, n = self.fit, len(self.fit.nonlinear), self.fit.size
        with torch.enable_grad():
            places = places.detach().requires_grad_()
            values = self.values(places)
            source = places[:, q : q + n * n].reshape(-1, n, n).to(values)
            sampler = SourceSampler(*self.model.trace(values), self.many_frames)
            image = self.model.observe(sampler.apply(source), self.model.supersampling)
            if self.model.system.light is not None:
                image = image + self.model.lens_light(values)
            misfit = fit.whitened_residual(image).double().square().sum(dim=1)
            x = places[:, q:]
            misfit = misfit + ((x @ self.linear_precision) * x).sum(dim=1)
            away = places[:, :q] - self.mean
            log_density = -0.5 * (misfit + (away.square() * self.precision).sum(dim=1))
            (gradient,) = torch.autograd.grad(log_density.sum(), places)
        point = from_coordinates(places.detach()[:, :q], self.positive)
        outside = ((point < self.low) | (point > self.high)).any(dim=1)
        return log_density.detach().masked_fill(outside, -torch.inf), gradient

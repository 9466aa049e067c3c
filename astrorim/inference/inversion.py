r"""Linear inversion: the source and the linear light amplitudes that fit an image best.

With the data d and the design matrix A in units of the noise, a Gaussian prior of precision
:math:`R = \mathrm{diag}(\lambda H, \rho)` on the source (strength :math:`\lambda`) and the
amplitudes, and :math:`S = A^T A + R` (Suyu et al. 2006, MNRAS 371, 983):

.. math::
    \hat x = S^{-1} A^T d, \qquad \mathrm{Cov}\, x = S^{-1}, \qquad
    \ln p(d) = -\tfrac12 |d - A \hat x|^2 - \tfrac12 \hat x^T R \hat x
        - \tfrac12 \ln|S| + \tfrac12 \ln|R| - \tfrac N2 \ln 2\pi .

The strength is where the evidence :math:`p(d)` is largest. Densities are per unit of the
noise; a constant, the product of the noise, is left out.
"""

from __future__ import annotations

import itertools
import math
from dataclasses import dataclass, replace
from functools import cached_property
from typing import TYPE_CHECKING

import torch
from scipy.optimize import minimize_scalar

from astrorim.exceptions import AstroRIMError
from astrorim.inference.design_matrix import DesignMatrix

if TYPE_CHECKING:
    from torch import Tensor

__all__ = ["Inversion", "LinearProblem", "nonnegative_solution"]

_MAX_EXCHANGES = 1000
_SETTLED = 1e-3  # of the objective, left to gain by further exchanges
_PATIENCE = 3  # exchanges of many unknowns that need not lower the number of wrong ones
_NO_EVIDENCE = 1e30  # minus its logarithm
_NEGLIGIBLE = 1e-9  # of the largest part of the right side, scaled to a unit diagonal
_STRENGTH_RANGE = 1e5


@dataclass(frozen=True)
class LinearProblem:
    """Data that depend linearly on a source and on amplitudes, all in units of the noise.

    Parameters
    ----------
    design : DesignMatrix, (N, n)
        Image of each unknown; the source's pixels first.
    data : Tensor, (N,)
        Data.
    smoothness : Tensor, (m, m)
        Prior precision of the m source pixels at unit strength.
    log_determinant : float
        Logarithm of its determinant.
    amplitude_precision : Tensor, (n - m,)
        Prior precision of the other unknowns.
    """

    design: DesignMatrix
    data: Tensor
    smoothness: Tensor
    log_determinant: float
    amplitude_precision: Tensor

    @property
    def num_source(self) -> int:
        """Number of source pixels."""
        return self.smoothness.shape[0]

    @cached_property
    def gram(self) -> Tensor:
        """A^T A, (n, n), float64."""
        return self.design.gram(self.num_source)

    @cached_property
    def projected(self) -> Tensor:
        """A^T d, (n,), float64."""
        return self.design.transposed(self.data.double())

    def with_smoothness(self, smoothness: Tensor, log_determinant: float) -> LinearProblem:
        """The same problem under another prior of the source, products shared.

        Parameters
        ----------
        smoothness : Tensor, (m, m)
            Prior precision of the source at unit strength.
        log_determinant : float
            Logarithm of its determinant.

        Returns
        -------
        LinearProblem
        """
        other = replace(self, smoothness=smoothness, log_determinant=log_determinant)
        other.__dict__.update(gram=self.gram, projected=self.projected)
        return other

    def prior_precision(self, strength: float) -> Tensor:
        """R, (n, n), float64."""
        return self._with_prior(torch.zeros_like(self.gram), strength)

    def _with_prior(self, matrix: Tensor, strength: float) -> Tensor:
        """A matrix (n, n) to which R is added in place."""
        m = self.num_source
        matrix[:m, :m].add_(self.smoothness, alpha=strength)
        matrix.diagonal()[m:] += self.amplitude_precision.double()
        return matrix

    def prior_times(self, unknowns: Tensor, strength: float) -> Tensor:
        """R x of unknowns (n,), float64."""
        m = self.num_source
        source = strength * (self.smoothness @ unknowns[:m])
        return torch.cat([source, self.amplitude_precision.double() * unknowns[m:]])

    def invert(
        self,
        strength: float,
        *,
        nonnegative: bool = False,
        passive: Tensor | None = None,
    ) -> Inversion:
        """Maximise the posterior of the unknowns.

        Parameters
        ----------
        strength : float
            Of the smoothness prior; positive.
        nonnegative : bool, optional
            Whether no unknown may be negative; the evidence is then that of the unknowns
            that are not zero, the others held there.
        passive : Tensor, (n,), bool, optional
            Guess of the unknowns that are not zero, from a similar problem.

        Returns
        -------
        Inversion

        Raises
        ------
        ValueError
            If the strength is not positive and finite.
        """
        if not (strength > 0 and math.isfinite(strength)):
            raise ValueError(f"strength must be positive and finite, got {strength}")
        system = self._with_prior(self.gram.clone(), strength)
        n = system.shape[0]
        free = torch.ones(n, dtype=torch.bool, device=system.device)
        if not nonnegative:
            factor = torch.linalg.cholesky(system)
            mean = torch.cholesky_solve(self.projected[:, None], factor)[:, 0]
        else:
            if passive is not None:
                free = passive.clone()
            mean, factor, free = nonnegative_solution(
                system, self.projected, free, tolerance=_SETTLED
            )
        # One step of iterative refinement undoes the rounding of a float32 Gram matrix.
        residual = self.data - self.design @ mean
        gradient = self.design.transposed(residual).double()
        gradient = gradient - self.prior_times(mean, strength)
        step = torch.zeros_like(mean)
        step[free] = torch.cholesky_solve(gradient[free][:, None], factor)[:, 0]
        better = mean + step
        if not nonnegative or bool((better[free] >= 0).all()):
            mean = better
            residual = self.data - self.design @ mean
        return Inversion(self, strength, mean, factor, free, residual)

    def best_strength(
        self, start: float | None = None, *, nonnegative: bool = False, tolerance: float = 0.2
    ) -> float:
        """Strength of largest evidence, by Brent's method in its logarithm.

        Parameters
        ----------
        start : float, optional
            Guess to search around, by a factor of a hundred either way; a range of ten
            decades around the ratio of the diagonals without it.
        nonnegative : bool, optional
            As for `invert`; the strength is still that of the Gaussian problem.
        tolerance : float, optional
            Of the logarithm.

        Returns
        -------
        float
        """
        m = self.num_source
        if start is None:
            middle = float(self.gram.diagonal()[:m].mean() / self.smoothness.diagonal().mean())
            middle, reach = max(middle, 1e-30), math.log(_STRENGTH_RANGE)
        else:
            middle, reach = start, math.log(100.0)
        centre = math.log(middle)

        def loss(log_strength: float) -> float:
            try:
                return -self.invert(math.exp(log_strength)).log_evidence
            except torch.linalg.LinAlgError:  # type: ignore[attr-defined]
                # Too weak for pixels that the data do not see: singular to rounding.
                return _NO_EVIDENCE

        found = minimize_scalar(
            loss,
            bounds=(centre - reach, centre + reach),
            method="bounded",
            options={"xatol": tolerance},
        )
        return math.exp(found.x)


@dataclass(frozen=True)
class Inversion:
    """The posterior of the unknowns of a `LinearProblem`.

    Parameters
    ----------
    problem : LinearProblem
        What was solved.
    strength : float
        Of the smoothness prior.
    mean : Tensor, (n,), float64
        Most probable unknowns.
    factor : Tensor, (f, f), float64
        Lower Cholesky factor of S for the f unknowns that are not held at zero.
    free : Tensor, (n,), bool
        Which those are.
    residual : Tensor, (N,)
        Data minus model, in units of the noise.
    """

    problem: LinearProblem
    strength: float
    mean: Tensor
    factor: Tensor
    free: Tensor
    residual: Tensor

    @cached_property
    def chi2(self) -> float:
        """Squared norm of the residual."""
        return float(self.residual.double().square().sum())

    @cached_property
    def penalty(self) -> float:
        """The prior's part of the objective, x^T R x."""
        return float(self.mean @ self.problem.prior_times(self.mean, self.strength))

    @property
    def objective(self) -> float:
        """Chi-square plus penalty."""
        return self.chi2 + self.penalty

    @cached_property
    def log_evidence(self) -> float:
        """Natural logarithm of p(d) at this strength; see the module."""
        problem, m = self.problem, self.problem.num_source
        if bool(self.free.all()):
            prior = m * math.log(self.strength) + problem.log_determinant
            prior += float(problem.amplitude_precision.double().log().sum())
        else:
            precision = problem.prior_precision(self.strength)[self.free][:, self.free]
            prior = 2 * float(torch.linalg.cholesky(precision).diagonal().log().sum())
        posterior = 2 * float(self.factor.diagonal().log().sum())
        norm = len(problem.data) * math.log(2 * math.pi)
        return -0.5 * (self.objective + posterior - prior + norm)

    @property
    def effective_parameters(self) -> float:
        """Number of unknowns that the data determine: tr(S^-1 A^T A) (MacKay 1992)."""
        gram = self.problem.gram[self.free][:, self.free]
        return float(torch.cholesky_solve(gram, self.factor).trace())

    def covariance(self) -> Tensor:
        """Posterior covariance S^-1, (n, n), zero where held at zero."""
        result = torch.zeros_like(self.problem.gram)
        places = self.free.nonzero()[:, 0]
        result[places[:, None], places] = torch.cholesky_inverse(self.factor)
        return result

    def solve(self, right: Tensor) -> Tensor:
        """S^-1 applied to (n, k), zero where held at zero; float64."""
        result = torch.zeros_like(right, dtype=torch.float64)
        result[self.free] = torch.cholesky_solve(right[self.free].double(), self.factor)
        return result

    def without_problem(self) -> Inversion:
        """The same, its matrices dropped to free their memory."""
        empty = DesignMatrix(None, self.problem.design.dense[:0, :0])
        problem = replace(self.problem, design=empty)
        return replace(self, problem=problem, factor=self.factor[:0, :0])


def nonnegative_solution(
    system: Tensor, projected: Tensor, free: Tensor, *, tolerance: float = 0.0
) -> tuple[Tensor, Tensor, Tensor]:
    """Minimise a convex quadratic over non-negative unknowns by block principal pivoting.

    Unknowns that came out negative are held at zero and those at zero whose gradient points
    inwards are let go, all of them at once as long as their number falls (Portugal, Judice &
    Vicente 1994, Math. Comput. 63, 625), one by one from there on.

    Parameters
    ----------
    system : Tensor, (n, n)
        Symmetric and positive definite.
    projected : Tensor, (n,)
        Right side b of the unconstrained system.
    free : Tensor, (n,), bool
        Guess of the unknowns that are not zero.
    tolerance : float, optional
        Stop where further exchanges would lower :math:`x^T S x - 2 b^T x` by about so much:
        the squares of the negative unknowns and of the inward gradients, each unknown scaled
        to a unit diagonal. Without it only rounding is left.

    Returns
    -------
    mean : Tensor, (n,)
        The minimum of :math:`x^T S x / 2 - b^T x`.
    factor : Tensor, (f, f)
        Lower Cholesky factor for the unknowns that are free there.
    free : Tensor, (n,), bool
        Which those are.

    Raises
    ------
    AstroRIMError
        If the exchanges do not end.
    """
    scale = system.diagonal().sqrt()
    scaled, right = system / scale / scale[:, None], projected / scale
    small = _NEGLIGIBLE * float(right.abs().max())
    fewest, patience, best = len(right) + 1, _PATIENCE, free
    while patience > 0:
        mean, factor = _constrained(scaled, right, free)
        slack = torch.where(free, mean, scaled @ mean - right)
        wrong = slack < -small
        number = int(wrong.sum())
        if number == 0 or float(slack[wrong].square().sum()) < tolerance:
            return mean.clamp_min(0) / scale, scale[free][:, None] * factor, free
        if number < fewest:
            fewest, patience, best = number, _PATIENCE, free
        else:
            patience -= 1
        free = free ^ wrong
    mean, factor, free = _one_by_one(scaled, right, best, small, tolerance)
    return mean / scale, scale[free][:, None] * factor, free


def _one_by_one(
    system: Tensor, right: Tensor, free: Tensor, small: float, tolerance: float
) -> tuple[Tensor, Tensor, Tensor]:
    """The same minimum by exchanges each of which lowers the quadratic.

    Lawson & Hanson 1974, *Solving Least Squares Problems*, chapter 23; unknowns that turn
    negative together are held together where that lowers the quadratic too. An unknown that
    would turn negative at once was let go for a gradient of mere rounding: it is not asked
    again before the quadratic has been lowered.
    """
    mean = _constrained(system, right, free)[0].clamp_min(0)
    free, refused = mean > 0, torch.zeros_like(free)
    last = -1
    for exchange in itertools.count():
        solution = _constrained(system, right, free)[0]
        if last >= 0 and float(solution[last]) <= 0:
            free[last], refused[last] = False, True
        elif bool((solution[free] >= 0).all()):
            mean, refused = solution, torch.zeros_like(refused)
        elif _value(system, right, lower := solution.clamp_min(0)) < _value(
            system, right, mean
        ):
            mean, last = lower, -1
            free = mean > 0
            continue
        else:
            # To the first unknown that reaches zero, which is held there.
            falling = free & (solution < 0)
            shares = torch.where(falling, mean / (mean - solution), torch.inf)
            mean = mean + float(shares.min()) * (solution - mean)
            mean[falling & (shares == shares.min())] = 0
            free, last = free & (mean > 0), -1
            continue
        inward = torch.where(free | refused, 0.0, system @ mean - right)
        last = int(inward.argmin())
        gain = float(inward.clamp_max(0).square().sum())
        if float(inward[last]) >= -small or gain < tolerance:
            return mean, _constrained(system, right, free)[1], free
        if exchange >= _MAX_EXCHANGES:
            break
        free[last] = True
    raise AstroRIMError(
        f"no non-negative solution of {len(right)} unknowns in {_MAX_EXCHANGES} exchanges; "
        "ask for a signed one"
    )


def _value(system: Tensor, right: Tensor, mean: Tensor) -> float:
    """The quadratic x^T S x / 2 - b^T x."""
    return float(mean @ (system @ mean) / 2 - right @ mean)


def _constrained(system: Tensor, right: Tensor, free: Tensor) -> tuple[Tensor, Tensor]:
    """Solution with some unknowns held at zero, and the factor of the others' system."""
    mean = torch.zeros_like(right)
    factor = torch.linalg.cholesky(system[free][:, free])
    mean[free] = torch.cholesky_solve(right[free][:, None], factor)[:, 0]
    return mean, factor

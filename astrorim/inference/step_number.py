"""How many steps a trajectory of Hamiltonian Monte Carlo takes."""

from __future__ import annotations

import math

__all__ = ["StepNumber"]

_MOST_STEPS = 32


class StepNumber:
    """Dual averaging of the step, and the number of steps that pays best.

    The logarithm of the step follows Hoffman & Gelman (2014, JMLR 15, 1593, equation 6).
    Steps come in whole numbers per trajectory, so that it ends by hopping between two
    numbers around the target; the one kept has the largest acceptance^4 / number. The power
    is empirical: refusals cluster where the density is far from the Gaussian.

    Parameters
    ----------
    trajectory : float, rad
        Length of a trajectory.
    target_acceptance : float
        Mean acceptance that is sought.
    num_steps : int, optional
        Steps to begin with.

    Attributes
    ----------
    num_steps : int
        Steps of the next trajectory.
    """

    def __init__(self, trajectory: float, target_acceptance: float, num_steps: int = 1) -> None:
        self._trajectory = trajectory
        self._target = target_acceptance
        self._start = math.log(trajectory / num_steps)
        self._error = 0.0
        self._count = 0
        self._seen: dict[int, list[float]] = {}
        self.num_steps = num_steps

    def update(self, acceptance: float) -> None:
        """Learn from a trajectory.

        Parameters
        ----------
        acceptance : float
            Its acceptance probability, the mean over the chains.
        """
        self._seen.setdefault(self.num_steps, []).append(acceptance)
        self._count += 1
        rate = 1 / (self._count + 10)
        self._error += rate * (self._target - acceptance - self._error)
        log_step = self._start - math.sqrt(self._count) / 0.2 * self._error
        steps = math.ceil(self._trajectory / math.exp(min(log_step, 1.0)) - 1e-9)
        self.num_steps = min(max(steps, 1), _MOST_STEPS)

    def best(self) -> int:
        """Number of steps that pays best, of those that were tried.

        Returns
        -------
        int
            The first one, if none was tried.
        """

        def worth(number: int) -> float:
            seen = self._seen[number]
            return (sum(seen) / len(seen)) ** 4 / number

        return max(self._seen, key=worth, default=self.num_steps)

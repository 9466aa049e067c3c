"""Detector noise: photon counts, read noise, and the standard deviation of both."""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch

if TYPE_CHECKING:
    from torch import Tensor

__all__ = ["SMALL_RATE", "noise_deviation", "observe", "poisson_quantile"]

SMALL_RATE = 30.0
"""Rate below which Poisson numbers come from the exact cumulative distribution."""


def noise_deviation(expected: Tensor, gain: Tensor, read_noise: Tensor) -> Tensor:
    r"""Standard deviation of a pixel, from what is expected in it.

    :math:`\sigma = \sqrt{g\,(I + S) + \sigma_\mathrm{read}^2} / g`.

    Parameters
    ----------
    expected : Tensor, (B, H, W), counts
        Noise-free image plus sky, :math:`I + S`.
    gain : Tensor, (B, 1, 1), electrons per count
        Gain g.
    read_noise : Tensor, (B, 1, 1), electrons
        Standard deviation of the read noise.

    Returns
    -------
    Tensor, (B, H, W), counts
    """
    return torch.sqrt(gain * expected + read_noise**2) / gain


def observe(
    expected: Tensor,
    gain: Tensor,
    read_noise: Tensor,
    photon_normal: Tensor,
    read_normal: Tensor,
) -> Tensor:
    """One exposure: Poisson electrons plus read noise, in counts.

    Parameters
    ----------
    expected : Tensor, (B, H, W), counts
        Noise-free image plus sky.
    gain : Tensor, (B, 1, 1), electrons per count
        Gain.
    read_noise : Tensor, (B, 1, 1), electrons
        Standard deviation of the read noise.
    photon_normal, read_normal : Tensor, (B, H, W)
        Independent standard normal numbers.

    Returns
    -------
    Tensor, (B, H, W), counts
        Sky included.
    """
    electrons = poisson_quantile(gain * expected, photon_normal)
    return (electrons + read_noise * read_normal) / gain


def poisson_quantile(rate: Tensor, normal: Tensor) -> Tensor:
    r"""Poisson numbers as the quantile at the probability of a normal number.

    From `SMALL_RATE` on, the Cornish-Fisher expansion of the Poisson quantile for
    :math:`u = \Phi(z)`, with the continuity correction,

    .. math:: k = \left\lfloor \lambda + \sqrt\lambda\,z + \frac{z^2}{6} + \frac13
              - \frac{z^3 + 2 z}{72 \sqrt\lambda} \right\rfloor ,

    (Giles 2016, ACM Trans. Math. Softw. 42, 7, section 2.2): mean and variance are right
    to 1e-3 standard deviations and 1e-4, and no cumulative probability is off by more
    than 2e-3 of a Poisson step. Below, the exact inverse of the cumulative distribution.

    Parameters
    ----------
    rate : Tensor, (...)
        Rate :math:`\lambda`, not negative.
    normal : Tensor, (...)
        Standard normal numbers z.

    Returns
    -------
    Tensor, (...)
        Whole numbers, in the dtype of ``rate``.
    """
    root = torch.sqrt(rate.clamp(min=SMALL_RATE))
    z2 = normal * normal
    fractional = z2 / 6 + (1 / 3) - normal * (z2 + 2) / (72 * root)
    count = torch.floor(rate + (root * normal + fractional)).clamp(min=0)
    small = rate < SMALL_RATE
    if bool(small.any()):
        count[small] = _exact_quantile(rate[small], normal[small])
    return count


def _exact_quantile(rate: Tensor, normal: Tensor) -> Tensor:
    """Smallest k whose Poisson probability P(<= k) reaches that of ``normal``."""
    rate64 = rate.to(torch.float64)
    probability = torch.special.ndtr(normal.to(torch.float64))
    term = torch.exp(-rate64)
    cumulative = term.clone()
    count = torch.zeros_like(rate64)
    below = cumulative < probability
    # Thirteen standard deviations above the largest rate: beyond any normal number.
    longest = int(SMALL_RATE + 13 * SMALL_RATE**0.5)
    for k in range(1, longest + 1):
        if not bool(below.any()):
            break
        count += below
        term = term * rate64 / k
        cumulative = cumulative + term
        below = below & (cumulative < probability)
    return count.to(rate.dtype)

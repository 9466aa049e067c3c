"""Detector noise: photon counts, read noise, and the standard deviation of both."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import torch

from astrorim_plugins.simulators.effects.correlated_noise import correlate
from astrorim_plugins.simulators.random_streams import box_muller
from astrorim_plugins.simulators.rendering import even_length

if TYPE_CHECKING:
    from torch import Tensor

    from astrorim_plugins.simulators.effects.charge_transfer import ChargeTrail
    from astrorim_plugins.simulators.random_streams import RandomStreams

__all__ = [
    "SMALL_RATE",
    "expose",
    "exposure_normals",
    "noise_deviation",
    "observe",
    "poisson_quantile",
]

SMALL_RATE = 30.0
"""Rate below which Poisson numbers come from the exact cumulative distribution."""

_BETWEEN_CHECKS = 8
"""Terms of that distribution between two looks at whether all numbers are found."""


def expose(
    expected: Tensor,
    gain: Tensor,
    read_noise: Tensor,
    streams: RandomStreams,
    *,
    cosmic_rays: Tensor | None = None,
    trail: ChargeTrail | None = None,
    kernel: Tensor | None = None,
) -> tuple[Tensor, Tensor]:
    r"""Image as the detector gives it, and the standard deviation of its noise.

    In electrons, with the Poisson numbers P of rate :math:`\lambda = g E`, the charge C of
    cosmic rays, the charge transfer T and the read noise R,

    .. math:: g\,I = T (P + C) + R , \qquad
              (g\,\sigma)^2 = T^{\circ 2} \lambda + \sigma_\mathrm{read}^2 ,

    with the squares of T's elements in :math:`T^{\circ 2}`. With a kernel k, that of an image
    resampled later, the noise alone is correlated and the signal stays as sharp as it was:

    .. math:: g\,I = T (\lambda + C)
              + g\,\sigma \left( k * \frac{T (P - \lambda) + R}{g\,\sigma} \right) ,

    where noise is drawn on a frame half a kernel larger on each side, on which E goes on
    as at the edge. The squares of k sum to one, so that :math:`\sigma` is the same.

    Parameters
    ----------
    expected : Tensor, (B, H, W), counts
        Expected counts E, not negative: image plus sky, times the flat field.
    gain : Tensor, (B, 1, 1), electrons per count
        Gain g.
    read_noise : Tensor, (B, 1, 1), electrons
        Standard deviation of the read noise.
    streams : RandomStreams
        Random numbers of the B lenses, of which "photon_noise" and "pixel_read_noise" are
        used.
    cosmic_rays : Tensor, (B, H, W), electrons, optional
        Charge of cosmic rays, without noise of its own.
    trail : ChargeTrail, optional
        Traps that the charge is read out through.
    kernel : Tensor, (B, N, N), optional
        Kernel that correlates the noise, N odd, squares with sum one.

    Returns
    -------
    image : Tensor, (B, H, W), counts
        Sky included.
    deviation : Tensor, (B, H, W), counts
        From what is expected, without cosmic rays; zero only where nothing is expected
        and nothing read.
    """
    margin = 0 if kernel is None else kernel.shape[-1] // 2
    wide = expected
    if margin:
        wide = torch.nn.functional.pad(expected, (margin,) * 4, mode="replicate")
    photon_normal, read_normal = exposure_normals(streams, wide)
    rate = gain * wide
    electrons = poisson_quantile(rate, photon_normal)
    if trail is None:
        deviation = noise_deviation(wide, gain, read_noise)
    else:
        deviation = torch.sqrt(trail.variance(rate, margin=margin) + read_noise**2) / gain

    if kernel is None:
        if cosmic_rays is not None:
            electrons = electrons + cosmic_rays
        if trail is not None:
            electrons = trail(electrons)
        return (electrons + read_noise * read_normal) / gain, deviation

    fluctuation = electrons - rate
    if trail is not None:
        fluctuation = trail(fluctuation, margin=margin)
    # The smallest number keeps pixels without any noise from dividing zero by zero.
    scale = (gain * deviation).clamp(min=torch.finfo(deviation.dtype).tiny)
    white = (fluctuation + read_noise * read_normal) / scale
    height, width = expected.shape[-2:]
    deviation = deviation[:, margin : margin + height, margin : margin + width]
    signal = expected if cosmic_rays is None else expected + cosmic_rays / gain
    if trail is not None:
        signal = trail(signal)
    return signal + deviation * correlate(white, kernel), deviation


def exposure_normals(streams: RandomStreams, like: Tensor) -> tuple[Tensor, Tensor]:
    """Standard normal numbers for the photons and for the read-out of each pixel.

    Parameters
    ----------
    streams : RandomStreams
        Random numbers of the B lenses.
    like : Tensor, (B, H, W)
        Whose shape and dtype the numbers have.

    Returns
    -------
    photon_normal, read_normal : Tensor, (B, H, W)
        Of the streams "photon_noise" and "pixel_read_noise".
    """
    pixels = like[0].numel()
    half = even_length(math.ceil(pixels / 2))
    words = streams.words({"photon_noise": 2 * half, "pixel_read_noise": 2 * half})
    photon, read = (
        box_muller(words[name])[:, :pixels].reshape(like.shape).to(like.dtype)
        for name in ("photon_noise", "pixel_read_noise")
    )
    return photon, read


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
        # Asked now and then only: a GPU would be waited for each time.
        if k % _BETWEEN_CHECKS == 1 and not bool(below.any()):
            break
        count += below
        term = term * rate64 / k
        cumulative = cumulative + term
        below = below & (cumulative < probability)
    return count.to(rate.dtype)

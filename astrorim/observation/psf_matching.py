"""Bringing an image to the broader PSF of another band."""

from __future__ import annotations

import numpy as np

from astrorim.exceptions import ObservationError
from astrorim.observation.checks import check_psf
from astrorim.observation.lens_observation import LensObservation
from astrorim.observation.star_psf import width_of

__all__ = ["match_psf", "matching_kernel"]


def matching_kernel(
    psf: np.ndarray,
    target: np.ndarray,
    *,
    regularization: float = 1e-4,
    tolerance: float = 0.02,
) -> np.ndarray:
    r"""Kernel that turns one PSF into a broader one.

    The Wiener-regularised quotient of the Fourier transforms, with a Laplacian penalty
    (Boucaud et al. 2016, A&A 596, A63), by photutils.

    Parameters
    ----------
    psf, target : ndarray, (K, K)
        PSF stamps of the same sampling, odd sizes; the smaller is padded with zeros.
    regularization : float, optional
        Weight of the penalty.
    tolerance : float, optional
        Largest deviation of the matched PSF from the target, relative to its peak.

    Returns
    -------
    ndarray, (K, K), dimensionless
        Sum one.

    Raises
    ------
    ObservationError
        If a stamp is even-sized, not finite or without light, ``target`` is not the
        broader one, or the match is worse than the tolerance.
    """
    from photutils.psf_matching import make_wiener_kernel
    from scipy.signal import fftconvolve

    for stamp in (psf, target):
        check_psf(np.asarray(stamp))
    size = max(psf.shape[0], target.shape[0])
    source, goal = (
        np.pad(stamp / stamp.sum(), (size - stamp.shape[0]) // 2) for stamp in (psf, target)
    )
    widths = width_of(source), width_of(goal)
    if widths[0] >= widths[1]:
        raise ObservationError(
            f"target must be broader than psf, got full widths at half maximum of "
            f"{widths[1]:.2f} and {widths[0]:.2f} elements; match the other image instead"
        )
    kernel = make_wiener_kernel(
        source, goal, regularization=regularization, penalty="laplacian"
    )
    kernel = kernel / kernel.sum()
    deviation = float(
        np.abs(fftconvolve(source, kernel, mode="same") - goal).max() / goal.max()
    )
    if deviation > tolerance:
        raise ObservationError(
            f"the matched PSF must follow the target within {tolerance:.1%} of its peak, got "
            f"{deviation:.1%}; the target may be narrower in one direction, or the stamps "
            "noisy: change regularization=, or pass a larger tolerance="
        )
    return np.asarray(kernel)


def match_psf(
    observation: LensObservation,
    target: np.ndarray,
    *,
    regularization: float = 1e-4,
    tolerance: float = 0.02,
) -> LensObservation:
    r"""Convolve an observation to a broader PSF.

    The noise is propagated, :math:`\sigma'^2 = k^2 * \sigma^2`; neighbouring pixels are
    correlated afterwards, which ``meta["PSFMATCH"]`` recalls. Masked pixels, and all that
    the kernel's core of 99 % spreads them to, are masked.

    Parameters
    ----------
    observation : LensObservation
        With a PSF at detector sampling.
    target : ndarray, (K, K)
        The PSF to reach, on the same pixels.
    regularization, tolerance : float, optional
        As in `matching_kernel`.

    Returns
    -------
    LensObservation
        With the target, as far as it was reached, as its PSF.

    Raises
    ------
    ObservationError
        If there is no PSF, it is supersampled, or the match fails.
    """
    from scipy.ndimage import binary_dilation
    from scipy.signal import fftconvolve

    if observation.psf is None:
        raise ObservationError("the observation must have a PSF to be matched; pass psf=")
    if observation.psf_supersampling != 1:
        raise ObservationError(
            "the PSF must be sampled on detector pixels, got psf_supersampling="
            f"{observation.psf_supersampling}; bin it first"
        )
    kernel = matching_kernel(
        observation.psf, target, regularization=regularization, tolerance=tolerance
    )
    good = observation.good
    data = fftconvolve(np.where(good, observation.data, 0), kernel, mode="same")
    noise = None
    if observation.has_noise:
        variance = np.where(good, observation.noise, 0) ** 2
        noise = np.sqrt(np.maximum(fftconvolve(variance, kernel**2, mode="same"), 0))
    half = kernel.shape[0] // 2
    y, x = np.indices(kernel.shape) - half
    ring = np.maximum(np.abs(x), np.abs(y))
    inside = np.cumsum(np.bincount(ring.ravel(), weights=np.abs(kernel).ravel()))
    reach = int(np.argmax(inside >= 0.99 * inside[-1]))
    side = 2 * reach + 1
    mask = ~good if good.all() else binary_dilation(~good, np.ones((side, side)))
    size = max(kernel.shape[0], observation.psf.shape[0])
    old = np.pad(observation.psf, (size - observation.psf.shape[0]) // 2)
    reached = fftconvolve(old, kernel, mode="same")
    result = LensObservation(
        data,
        unit=observation.unit,
        uncertainty=noise,
        mask=mask,
        wcs=observation.wcs,
        meta=observation.meta.copy(),
        **(observation.attributes() | {"psf": reached / reached.sum()}),
    )
    result.meta["PSFMATCH"] = True
    return result

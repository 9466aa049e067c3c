"""From a noisy cutout of a galaxy to an image that can be lensed.

What is not the galaxy would be lensed as if it were: noise into thin arcs, a pedestal of
sky into a square, a neighbour into a second source. So the sky is subtracted, neighbours
are masked, the noise is removed scale by scale, and the image ends in a smooth edge.
"""

from __future__ import annotations

import warnings
from dataclasses import dataclass

import numpy as np
from astropy.convolution import convolve
from astropy.stats import mad_std, sigma_clipped_stats
from photutils.segmentation import deblend_sources, detect_sources, make_2dgaussian_kernel
from photutils.utils.exceptions import NoDetectionsWarning
from scipy import ndimage, signal

from astrorim.exceptions import ObservationError
from astrorim_plugins.simulators.sources.starlet import THRESHOLDS, denoise

__all__ = [
    "CleanedGalaxy",
    "CleaningOptions",
    "clean_galaxy",
    "half_light_radius_of",
    "richardson_lucy",
]

_SMALLEST_SIDE = 16
_SMOOTHING = 4.0
"""Full width at half maximum, pixels, of what cutouts are smoothed with for detection."""
_FEWEST_PIXELS = 15
_NEIGHBOUR = 6.0
"""Peak of a neighbour, in standard deviations of the smoothed cutout; fainter segments may
be noise or outlying parts of the galaxy."""
_MOST_INVALID = 0.2
_MIN_BLANK = 0.05
_SUB_PIXELS = 5
_RIM = 0.4
"""Width of the smooth end at the frame, as a share of half its side."""


@dataclass(frozen=True)
class CleaningOptions:
    """How cutouts are cleaned.

    Parameters
    ----------
    significance : float, optional
        Threshold of the denoising, in standard deviations of each scale.
    threshold : str, optional
        ``"local"``, ``"hard"`` or ``"soft"``, see `starlet.denoise`.
    num_scales : int, optional
        Number of scales; as many as fit the cutout by default.
    detection : float, optional
        Threshold of the galaxy's segment, in standard deviations of the smoothed cutout.
    dilation : float, optional
        How far the light is followed beyond the segment, in the segment's own radius.
    taper : float, optional
        Width of the smooth edge beyond that, in the segment's radius; at least 4 pixels.
    neighbour_contrast : float, optional
        A part of the segment is a neighbour, not a knot of the galaxy, where its peak
        exceeds the saddle towards the galaxy by this factor.
    psf : ndarray, (P, P), optional
        PSF that is taken out, odd and of any sum, sampled like the cutouts.
    deconvolution_iterations : int, optional
        Iterations of Richardson and Lucy; few, since each one sharpens what noise is left.

    Raises
    ------
    ValueError
        If an option is out of its range.
    """

    significance: float = 3.0
    threshold: str = "local"
    num_scales: int | None = None
    detection: float = 2.5
    dilation: float = 0.3
    taper: float = 0.9
    neighbour_contrast: float = 3.0
    psf: np.ndarray | None = None
    deconvolution_iterations: int = 10

    def __post_init__(self) -> None:
        for name in ("significance", "detection", "neighbour_contrast"):
            if not getattr(self, name) > 0:
                raise ValueError(f"{name} must be positive, got {getattr(self, name)!r}")
        for name in ("dilation", "taper", "deconvolution_iterations"):
            if not getattr(self, name) >= 0:
                raise ValueError(f"{name} must not be negative, got {getattr(self, name)!r}")
        if self.threshold not in THRESHOLDS:
            raise ValueError(f"threshold must be one of {THRESHOLDS}, got {self.threshold!r}")
        if self.num_scales is not None and self.num_scales < 1:
            raise ValueError(f"num_scales must be at least 1, got {self.num_scales!r}")
        psf = self.psf
        if psf is not None and (psf.ndim != 2 or not all(n % 2 for n in psf.shape)):
            raise ValueError(f"psf must be two-dimensional with odd sides, got {psf.shape}")


@dataclass(frozen=True)
class CleanedGalaxy:
    """A galaxy without sky, neighbours and noise.

    Parameters
    ----------
    image : ndarray, (n, n), fraction of the flux per pixel
        Not negative, of sum one, zero at the edges; n is odd and the centroid is at the
        centre of the middle pixel.
    flux : float, unit of the cutout
        Sum of the cleaned image before it was normalised.
    half_light_radius : float, pixels
        Radius of the circle about the centroid that holds half of the flux.
    centroid : tuple of float, pixels
        Position (x, y) of the centroid in the cutout, counted from the first pixel's centre.
    background, noise : float, unit of the cutout
        Sky level that was subtracted, and standard deviation of a blank pixel.
    """

    image: np.ndarray
    flux: float
    half_light_radius: float
    centroid: tuple[float, float]
    background: float
    noise: float


def clean_galaxy(
    cutout: np.ndarray,
    options: CleaningOptions | None = None,
    *,
    background: float | None = None,
) -> CleanedGalaxy:
    """Isolate and denoise the galaxy in the middle of a cutout.

    Parameters
    ----------
    cutout : ndarray, (H, W), linear in flux
        The galaxy with sky and noise; pixels that are not finite are filled in.
    options : CleaningOptions, optional
        The defaults suit Hubble images.
    background : float, optional
        Sky level where it is known better than the cutout's blank corners can tell.

    Returns
    -------
    CleanedGalaxy

    Raises
    ------
    ObservationError
        If the cutout is too small, has too few valid or blank pixels, or shows no galaxy.
    """
    options = options or CleaningOptions()
    pixels = np.array(cutout, dtype=np.float64)
    if pixels.ndim != 2 or min(pixels.shape) < _SMALLEST_SIDE:
        raise ObservationError(
            f"a cutout must be two-dimensional with sides of at least {_SMALLEST_SIDE} "
            f"pixels, got shape {pixels.shape}; cut out a larger area"
        )
    invalid = ~np.isfinite(pixels)
    if invalid.mean() > _MOST_INVALID:
        raise ObservationError(
            f"at most {_MOST_INVALID:.0%} of a cutout's pixels may be invalid, got "
            f"{invalid.mean():.0%}; leave it out"
        )
    pixels[invalid] = 0.0
    segment, neighbours, blank, sky, noise = _find_galaxy(pixels, invalid, options, background)
    pixels -= sky
    pixels = _fill(pixels, neighbours | invalid, segment)
    radius = np.sqrt(np.count_nonzero(segment) / np.pi)
    reach, width = options.dilation * radius, max(options.taper * radius, 4.0)
    window = _window(segment, radius, reach, width)
    image = window * denoise(
        pixels,
        blank,
        significance=options.significance,
        num_scales=options.num_scales,
        threshold=options.threshold,
    )
    if options.psf is not None:
        psf = np.asarray(options.psf, dtype=np.float64)
        image = richardson_lucy(image, psf, options.deconvolution_iterations)
        image *= window
    flux = float(image.sum())
    if not flux > 0:
        raise ObservationError("no light is left of the galaxy; lower significance")
    row, column = ndimage.center_of_mass(image)
    image = _centred(image / flux, np.array([row, column]))
    radius = half_light_radius_of(image)
    return CleanedGalaxy(image, flux, radius, (float(column), float(row)), sky, noise)


def _find_galaxy(
    pixels: np.ndarray,
    invalid: np.ndarray,
    options: CleaningOptions,
    background: float | None,
) -> tuple[np.ndarray, np.ndarray, np.ndarray, float, float]:
    """The galaxy's segment, its neighbours, blank pixels, sky level and noise."""
    valid = ~invalid
    _, sky, _ = sigma_clipped_stats(pixels[valid], sigma=2.5, maxiters=10)
    smoothed = convolve(
        pixels, make_2dgaussian_kernel(_SMOOTHING, size=9), mask=invalid, boundary="extend"
    )
    blank = valid & (np.abs(smoothed - sky) <= 3 * mad_std(smoothed[valid]))
    for _ in range(3):
        sky = float(np.median(pixels[blank])) if background is None else background
        spread = mad_std(smoothed[blank])
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", NoDetectionsWarning)  # an error says it below
            segments = detect_sources(
                smoothed - sky, options.detection * spread, n_pixels=_FEWEST_PIXELS
            )
        if segments is None:
            raise ObservationError(
                f"no galaxy was found at {options.detection} standard deviations of the "
                "smoothed cutout; lower detection, or leave it out"
            )
        blank = _blank(segments.data > 0, valid)
    labels, light = segments.data, smoothed - sky
    own = _central_label(labels, light)
    segment = labels == own
    parts = deblend_sources(
        light,
        segments,
        n_pixels=_FEWEST_PIXELS,
        labels=[own],
        contrast=0.01,
        progress_bar=False,
    ).data
    foreign = _neighbours(parts * segment, light, options.neighbour_contrast)
    index = np.arange(1, labels.max() + 1)
    bright = index[ndimage.maximum(light, labels, index) > _NEIGHBOUR * spread]
    apart = np.isin(labels, bright[bright != own])
    segment &= ~foreign
    # The faint rims of neighbours reach beyond their segments.
    neighbours = ndimage.binary_dilation(apart | foreign, iterations=3) & ~segment
    noise = float(mad_std(pixels[blank]))
    return segment, neighbours, blank, float(sky), noise


def _blank(light: np.ndarray, valid: np.ndarray) -> np.ndarray:
    """Valid pixels as far from the light as leaves enough of them."""
    distance = ndimage.distance_transform_edt(~light)
    radius = np.sqrt(np.count_nonzero(light) / np.pi)
    for share in (1.0, 0.75, 0.5, 0.25, 0.0):
        blank = valid & (distance > share * radius)
        if blank.mean() > 2 * _MIN_BLANK:
            return blank
    blank = valid & ~light
    if blank.mean() < _MIN_BLANK:
        raise ObservationError(
            f"at least {_MIN_BLANK:.0%} of a cutout must be blank sky, got "
            f"{blank.mean():.1%}; cut out a larger area"
        )
    return blank


def _central_label(labels: np.ndarray, image: np.ndarray) -> int:
    """Segment with the most light, weighted by its closeness to the cutout's centre."""
    index = np.unique(labels[labels > 0])
    light = np.clip(image, 1e-30, None)
    flux = ndimage.sum_labels(light, labels, index)
    centres = np.array(ndimage.center_of_mass(light, labels, index))
    middle = (np.array(labels.shape) - 1) / 2
    distance = np.linalg.norm(centres - middle, axis=1) / min(labels.shape)
    return int(index[np.argmax(flux * np.exp(-((distance / 0.2) ** 2) / 2))])


def _neighbours(parts: np.ndarray, image: np.ndarray, contrast: float) -> np.ndarray:
    """Parts of a segment that stand out so far that they are not knots of the galaxy."""
    foreign = np.zeros(parts.shape, dtype=bool)
    numbers = np.unique(parts[parts > 0])
    if len(numbers) < 2:
        return foreign
    main = _central_label(parts, image)
    for number in numbers[numbers != main]:
        own = parts == number
        ring = ndimage.binary_dilation(own) & (parts > 0) & ~own
        saddle = image[ring].max() if ring.any() else 0.0
        if image[own].max() > contrast * max(saddle, 0.0):
            foreign |= own
    return foreign


def _fill(pixels: np.ndarray, bad: np.ndarray, segment: np.ndarray) -> np.ndarray:
    """Fill bad pixels from the other side of the galaxy, or else with nothing."""
    weight = np.clip(pixels, 0, None) * segment
    centre = np.array(ndimage.center_of_mass(weight))
    rows, columns = np.nonzero(bad)
    opposite = np.rint(2 * centre[:, None] - np.array([rows, columns])).astype(int)
    inside = ((opposite >= 0) & (opposite < np.array(pixels.shape)[:, None])).all(axis=0)
    other = tuple(np.where(inside, opposite, 0))
    filled = pixels.copy()
    filled[rows, columns] = np.where(inside & ~bad[other], pixels[other], 0.0)
    return filled


def _window(segment: np.ndarray, radius: float, reach: float, width: float) -> np.ndarray:
    """One near the segment, falling as a cosine to zero beyond it and at the edges."""
    # Noise frays the rim of a segment; its outline is that of the smoothed shape.
    shape = ndimage.gaussian_filter(
        ndimage.binary_fill_holes(segment).astype(float), 0.2 * radius
    )
    outline = shape > 0.5
    beyond = ndimage.distance_transform_edt(~outline) - reach
    outer = np.clip(1 - beyond / width, 0, 1)
    # An ellipse that touches the sides: a square end would be lensed into straight lines.
    y, x = ((np.arange(n) - (n - 1) / 2) / (n / 2) for n in segment.shape)
    inner = np.clip((1 - np.hypot(y[:, None], x[None, :])) / _RIM, 0, 1)
    return (0.5 - 0.5 * np.cos(np.pi * outer)) * (0.5 - 0.5 * np.cos(np.pi * inner))


def richardson_lucy(image: np.ndarray, psf: np.ndarray, iterations: int) -> np.ndarray:
    r"""Deconvolve by :math:`x \leftarrow x\, [P^\mathsf{T} (y / P x)]`.

    Richardson 1972, J. Opt. Soc. Am. 62, 55, equation 8; Lucy 1974, AJ 79, 745,
    equation 15. Where the model is zero the ratio is taken as zero.

    Parameters
    ----------
    image : ndarray, (H, W), not negative
        The image y, zero at its edges.
    psf : ndarray, (P, P), odd
        Kernel P, of any positive sum.
    iterations : int
        Number of iterations; the image itself is the start.

    Returns
    -------
    ndarray, (H, W), unit of the image
        Not negative, with the image's flux.

    Raises
    ------
    ValueError
        If the PSF's sum is not positive.
    """
    if not psf.sum() > 0:
        raise ValueError(f"psf must have a positive sum, got {psf.sum()}")
    kernel = psf / psf.sum()
    result = image.copy()
    floor = 1e-6 * image.max()
    for _ in range(iterations):
        blurred = signal.fftconvolve(result, kernel, mode="same")
        ratio = np.where(blurred > floor, image / np.maximum(blurred, floor), 0.0)
        result *= np.clip(signal.fftconvolve(ratio, kernel[::-1, ::-1], mode="same"), 0, None)
    return result * (image.sum() / result.sum())


def _centred(image: np.ndarray, centre: np.ndarray) -> np.ndarray:
    """Crop to the light and put its centroid onto the middle pixel of an odd square."""
    rows, columns = np.nonzero(image > 0)
    half = int(max(np.abs(rows - centre[0]).max(), np.abs(columns - centre[1]).max())) + 3
    whole = np.rint(centre).astype(int)
    padded = np.pad(image, half)
    start = whole  # of the square in the padded image: whole + half - half
    square = padded[start[0] : start[0] + 2 * half + 1, start[1] : start[1] + 2 * half + 1]
    shifted = ndimage.shift(square, whole - centre, order=3, mode="constant")
    # The spline rings at the level of its rounding where there is no light.
    near = ndimage.maximum_filter(square, size=5) > 0
    shifted = np.where(near, np.clip(shifted, 0, None), 0.0)
    return shifted / shifted.sum()


def half_light_radius_of(image: np.ndarray) -> float:
    """Radius of the circle about the frame's centre that holds half of the light.

    Parameters
    ----------
    image : ndarray, (n, n), not negative
        Centred image; pixels are taken as 5 x 5 equal parts.

    Returns
    -------
    float, pixels
    """
    k = _SUB_PIXELS
    fine = np.repeat(np.repeat(image, k, axis=0), k, axis=1)
    axes = [(np.arange(n) - (n - 1) / 2) / k for n in fine.shape]
    radius = np.hypot(axes[0][:, None], axes[1][None, :]).ravel()
    order = np.argsort(radius, kind="stable")
    growth = np.cumsum(fine.ravel()[order])
    return float(np.interp(growth[-1] / 2, growth, radius[order]))

r"""The smooth light around a lens: halo of the galaxy and background, fitted robustly.

The halo of a massive galaxy fills a cutout. Before neighbours are searched or the sky's
scatter is measured it is taken off, as the sum over a few multipoles of radial B-splines
(Bolton et al. 2006, ApJ 638, 703, section 3, who fit their lens galaxies so).
"""

from __future__ import annotations

import itertools
import math

import numpy as np
from scipy.interpolate import BSpline
from scipy.linalg import block_diag

from astrorim.exceptions import ObservationError

__all__ = ["fit_smooth_light", "robust_scatter"]

_MAD_TO_SIGMA = 1.482602218505602
_ORDER = 3
_CORE = 3.0
"""Softening of the radial coordinate, pixels; rings are as wide as they are far out."""

_MOST_PIXELS = 60_000
"""A larger image is fitted on a regular subset of its pixels."""

_PRIOR_PIXELS = 10.0
"""Weight, in pixels of a ring, of the prior that rings follow on each other linearly and
have no multipoles: it decides where hardly any pixel is usable."""

_LEAST_SCATTER = 0.5
"""Least scatter of a ring, in that of the median ring."""

_TUKEY = 4.0
"""Residuals above this many standard deviations have no weight."""


def robust_scatter(values: np.ndarray, *, clip: float = 4.0, max_iterations: int = 20) -> float:
    """Standard deviation about the median, without outliers.

    Starts from the median absolute deviation and drops what lies more than ``clip``
    standard deviations off until nothing changes. At four, 3 permille of the variance of
    a normal distribution is lost; that is not corrected.

    Parameters
    ----------
    values : ndarray, (N,)
        Numbers of any unit; those that are not finite are left out.
    clip : float, optional
        Distance from the median, in standard deviations.
    max_iterations : int, optional
        Most rounds.

    Returns
    -------
    float
        In the unit of ``values``; NaN if there are none.
    """
    values = np.asarray(values, dtype=np.float64)
    values = values[np.isfinite(values)]
    if values.size == 0:
        return math.nan
    middle = float(np.median(values))
    sigma = _MAD_TO_SIGMA * float(np.median(np.abs(values - middle)))
    kept = values.size
    for _ in range(max_iterations):
        inside = values[np.abs(values - middle) <= clip * sigma]
        if inside.size in (0, kept):
            break
        kept, middle, sigma = inside.size, float(np.median(inside)), float(inside.std())
    return sigma


def _basis(shape: tuple[int, int], num_rings: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Radial coordinate and angle of each pixel, (H W,), and the knots of the splines."""
    y, x = np.indices(shape, dtype=np.float64)
    y -= (shape[0] - 1) / 2
    x -= (shape[1] - 1) / 2
    radius = np.hypot(x, y).ravel()
    coordinate = np.log1p(radius / _CORE)
    inner = np.linspace(0, coordinate.max() * (1 + 1e-9), num_rings + 1)
    knots = np.concatenate([np.zeros(_ORDER), inner, np.full(_ORDER, inner[-1])])
    return coordinate, np.arctan2(y, x).ravel(), knots


def _angular(angle: np.ndarray, multipoles: int) -> list[np.ndarray]:
    functions = [np.ones_like(angle)]
    for order in range(1, multipoles + 1):
        functions += [np.cos(order * angle), np.sin(order * angle)]
    return functions


class _Rings:
    """The design, ring by ring: between two knots only four splines are not zero.

    Parameters
    ----------
    coordinate, angle : ndarray, (N,)
        Of the pixels.
    knots : ndarray
        Of the splines.
    multipoles : int
        Highest order.
    """

    def __init__(
        self, coordinate: np.ndarray, angle: np.ndarray, knots: np.ndarray, multipoles: int
    ) -> None:
        radial = BSpline.design_matrix(coordinate, knots, _ORDER)
        ring = radial.indices.reshape(-1, _ORDER + 1)[:, 0]
        self.order = np.argsort(ring, kind="stable")
        """The pixels, ring after ring; all else is in this order."""
        self.ring = ring[self.order]
        local = radial.data.reshape(-1, _ORDER + 1)[self.order]
        functions = np.stack(_angular(angle[self.order], multipoles), axis=1)
        design = (functions[:, :, None] * local[:, None, :]).reshape(len(local), -1)
        self._number = functions.shape[1] * radial.shape[1]
        first = np.arange(functions.shape[1])[:, None] * radial.shape[1]
        starts = np.flatnonzero(np.diff(self.ring, prepend=-1))
        self._parts = [
            (slice(start, stop), design[start:stop], (first + index).ravel())
            for start, stop in itertools.pairwise([*starts, len(design)])
            for index in [self.ring[start] + np.arange(_ORDER + 1)]
        ]

    def normal_equations(
        self, weight: np.ndarray, values: np.ndarray
    ) -> tuple[np.ndarray, np.ndarray]:
        """Matrix and right side of weighted least squares."""
        normal, right = np.zeros((self._number, self._number)), np.zeros(self._number)
        for pixels, design, columns in self._parts:
            weighted = design * weight[pixels, None]
            normal[np.ix_(columns, columns)] += design.T @ weighted
            right[columns] += weighted.T @ values[pixels]
        return normal, right

    def model(self, coefficients: np.ndarray) -> np.ndarray:
        """At each pixel."""
        return np.concatenate(
            [design @ coefficients[columns] for _, design, columns in self._parts]
        )


def _ring_scatter(residual: np.ndarray, ring: np.ndarray, number: int) -> np.ndarray:
    """Scatter of the residual in the ring of each pixel: the noise grows to the core."""
    scatter = np.empty(number)
    for index in range(number):
        inside = residual[ring == index]
        scatter[index] = (
            _MAD_TO_SIGMA * np.median(np.abs(inside)) if inside.size > 8 else math.nan
        )
    known = np.isfinite(scatter) & (scatter > 0)
    if not known.any():
        return np.ones_like(residual)
    scatter = np.interp(np.arange(number), np.flatnonzero(known), scatter[known])
    # a few pixels at the core that happen to be fitted exactly must not outweigh all else
    return np.maximum(scatter, _LEAST_SCATTER * np.median(scatter))[ring]


def _prior(
    scatter: np.ndarray, ring: np.ndarray, multipoles: int, num_rings: int
) -> np.ndarray:
    """Normal matrix of the prior, in the noise of each ring."""
    number = num_rings + _ORDER
    known, first = np.unique(ring, return_index=True)
    # a spline's coefficient belongs to the ring at its middle
    middle = np.clip(np.arange(number) - _ORDER / 2, 0, num_rings - 1)
    weight = _PRIOR_PIXELS / np.interp(middle, known, scatter[first]) ** 2
    curvature = np.diff(np.eye(number), 2, axis=0)
    monopole = curvature.T @ (weight[1:-1, None] * curvature)
    multipole = monopole + np.diag(weight)
    return block_diag(monopole, *[multipole] * (2 * multipoles))


def fit_smooth_light(
    data: np.ndarray,
    used: np.ndarray,
    *,
    multipoles: int = 4,
    num_rings: int = 12,
    num_iterations: int = 12,
) -> np.ndarray:
    r"""Smooth light about the image's centre, arcs and neighbours counting as outliers.

    The model is :math:`\sum_{m} [a_m(\varrho) \cos m\theta + b_m(\varrho) \sin m\theta]`
    with cubic B-splines of :math:`\varrho = \ln(1 + r / 3\,\mathrm{px})`, fitted by
    iteratively reweighted least squares with Tukey's biweight at four times the scatter
    of each ring. It is good outside the lens's core; a complete Einstein ring is taken
    for light of the galaxy.

    Parameters
    ----------
    data : ndarray, (H, W)
        The image, in any unit.
    used : ndarray of bool, (H, W)
        Pixels to fit; elsewhere the model is inter- and extrapolated.
    multipoles : int, optional
        Highest m.
    num_rings : int, optional
        Intervals between the knots.
    num_iterations : int, optional
        Rounds of reweighting.

    Returns
    -------
    ndarray, (H, W)
        In the unit of ``data``, finite everywhere.

    Raises
    ------
    ObservationError
        If fewer pixels are usable than the model has coefficients.
    """
    coordinate, angle, knots = _basis(data.shape, num_rings)
    number = (2 * multipoles + 1) * (num_rings + _ORDER)
    chosen = np.flatnonzero(used.ravel() & np.isfinite(data).ravel())
    if chosen.size < 2 * number:
        raise ObservationError(
            f"the light around the lens cannot be fitted to {chosen.size} usable pixels; "
            f"{2 * number} are needed: use a larger cutout or mask less"
        )
    chosen = chosen[:: -(-chosen.size // _MOST_PIXELS)]
    rings = _Rings(coordinate[chosen], angle[chosen], knots, multipoles)
    values = data.ravel()[chosen].astype(np.float64)[rings.order]
    ring = rings.ring
    ring_median = np.array(
        [np.median(values[ring == i]) if (ring == i).any() else 0.0 for i in range(num_rings)]
    )
    scatter = _ring_scatter(values - ring_median[ring], ring, num_rings)
    weight = 1 / scatter**2  # the first round is least squares, bounded by the next
    residual = values - ring_median[ring]
    weight = weight / (1 + (residual / (3 * scatter)) ** 2)
    coefficients = np.zeros(number)
    for _ in range(num_iterations):
        normal, right = rings.normal_equations(weight, values)
        normal += _prior(scatter, ring, multipoles, num_rings)
        coefficients = np.linalg.solve(normal, right)
        residual = values - rings.model(coefficients)
        scatter = _ring_scatter(residual, ring, num_rings)
        inside = np.clip(1 - (residual / (_TUKEY * scatter)) ** 2, 0, None)
        weight = (inside / scatter) ** 2
    model = np.zeros(data.size)
    for function, part in zip(
        _angular(angle, multipoles), coefficients.reshape(2 * multipoles + 1, -1), strict=True
    ):
        model += function * BSpline(knots, part, _ORDER)(coordinate)
    return model.reshape(data.shape)

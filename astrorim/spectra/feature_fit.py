r"""Least-squares fits of spectral features, and their chi-square against redshift.

The model of a spectrum at the observed wavelengths :math:`\lambda` is

.. math::

    f(\lambda) = \sum_j c_j B_j(\ln\lambda) + \sum_k n_k N_k(\lambda)
        \pm \sum_i a_i\, m(\lambda)\, g_i(\ln\lambda - \ln(1 + z)), \quad a_i \ge 0

with cubic B-splines :math:`B_j` for the continuum, further columns :math:`N_k` for what
is known already, and features :math:`g_i`, sums of Gaussians in :math:`\ln\lambda`.
Emission adds with :math:`m = 1`; absorption subtracts with the smooth continuum
:math:`m`, so that :math:`a_i` is its rest-frame equivalent width. Splines and further
columns are projected out, which leaves a small non-negative problem at each redshift.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from scipy.fft import irfft, next_fast_len, rfft
from scipy.interpolate import BSpline
from scipy.linalg import qr
from scipy.optimize import nnls

if TYPE_CHECKING:
    from astrorim.spectra.lines import SpectralFeature
    from astrorim.spectra.prepared_spectrum import PreparedSpectrum

__all__ = ["FeatureModel", "Projection", "scan_redshifts", "smooth_continuum", "spline_basis"]

_SPEED_OF_LIGHT = 299792.458  # km/s, by definition


@dataclass(frozen=True)
class FeatureModel:
    """Features that share a redshift and a velocity width.

    Parameters
    ----------
    features : tuple of SpectralFeature
        What the spectrum may show at the redshift.
    emission : bool
        Whether they add light, or take it away.
    prior_scatter : float, optional
        Relative standard deviation of the equivalent widths about their expected values;
        infinite by default, for no expectation.
    """

    features: tuple[SpectralFeature, ...]
    emission: bool
    prior_scatter: float = np.inf

    @property
    def expected(self) -> np.ndarray:
        """Expected amplitudes, (K,), angstrom; zero without a prior."""
        if not np.isfinite(self.prior_scatter):
            return np.zeros(len(self.features))
        return np.array([feature.equivalent_width for feature in self.features])

    @property
    def prior_precision(self) -> np.ndarray:
        """Inverse standard deviations of the amplitudes, (K,), 1/angstrom."""
        if not np.isfinite(self.prior_scatter):
            return np.zeros(len(self.features))
        return 1 / (self.prior_scatter * self.expected)

    def profiles(
        self, log_rest_wavelength: np.ndarray, velocity_width: float, pixel_width: np.ndarray
    ) -> np.ndarray:
        """Sum of Gaussians of each feature, of unit integral in rest-frame angstrom.

        Parameters
        ----------
        log_rest_wavelength : ndarray, (N,)
            Natural logarithm of the rest wavelength in angstrom.
        velocity_width : float, km/s
            Standard deviation of the motions and of the instrument.
        pixel_width : ndarray, (N,), dimensionless
            Width of a pixel in the logarithm of the wavelength.

        Returns
        -------
        ndarray, (N, K), 1/angstrom
        """
        columns = []
        common = (velocity_width / _SPEED_OF_LIGHT) ** 2 + pixel_width**2 / 12
        for feature in self.features:
            column = np.zeros_like(log_rest_wavelength)
            total = sum(feature.ratios)
            for wavelength, ratio in zip(feature.wavelengths, feature.ratios, strict=True):
                width = np.sqrt(common + (feature.intrinsic_width / wavelength) ** 2)
                t = (log_rest_wavelength - np.log(wavelength)) / width
                near = np.abs(t) < 6
                amplitude = ratio / total / (np.sqrt(2 * np.pi) * wavelength * width[near])
                column[near] += amplitude * np.exp(-0.5 * t[near] ** 2)
            columns.append(column)
        return np.stack(columns, axis=1)


def spline_basis(log_wavelength: np.ndarray, spacing: float) -> np.ndarray:
    """Cubic B-splines with equal knots in the logarithm of the wavelength.

    Parameters
    ----------
    log_wavelength : ndarray, (N,)
        Natural logarithm of the wavelength, increasing.
    spacing : float
        Distance of the knots, about.

    Returns
    -------
    ndarray, (N, M), dimensionless
    """
    first, last = log_wavelength[0], log_wavelength[-1]
    number = max(round((last - first) / spacing), 1)
    inner = np.linspace(first, last, number + 1)
    knots = np.concatenate([[first] * 3, inner, [last] * 3])
    return BSpline.design_matrix(log_wavelength, knots, 3).toarray()


def smooth_continuum(spectrum: PreparedSpectrum, spacing: float) -> np.ndarray:
    """Smooth continuum by splines, with pixels beyond three standard deviations left out.

    Parameters
    ----------
    spectrum : PreparedSpectrum
        The spectrum.
    spacing : float
        Distance of the splines' knots in the logarithm of the wavelength.

    Returns
    -------
    ndarray, (N,), flux
        Never negative.
    """
    basis = spline_basis(spectrum.log_wavelength, spacing)
    used = np.ones(spectrum.flux.size, dtype=bool)
    for _ in range(5):
        weight = used / spectrum.noise
        coefficients = np.linalg.lstsq(basis * weight[:, None], spectrum.flux * weight)[0]
        residual = (spectrum.flux - basis @ coefficients) / spectrum.noise
        scatter = max(1.0, 1.4826 * float(np.median(np.abs(residual[used]))))
        used = np.abs(residual) < 3 * scatter
    return np.maximum(basis @ coefficients, 0.0)


class Projection:
    """A spectrum in units of its noise, with linear nuisances projected out.

    Parameters
    ----------
    spectrum : PreparedSpectrum
        The spectrum.
    nuisance : ndarray, (N, M), flux or dimensionless
        Columns whose amplitudes are free.
    """

    def __init__(self, spectrum: PreparedSpectrum, nuisance: np.ndarray) -> None:
        self.spectrum = spectrum
        self.weight = 1 / spectrum.noise
        columns = nuisance * self.weight[:, None]
        norms = np.linalg.norm(columns, axis=0)
        columns = columns[:, norms > 1e-10 * norms.max()]
        columns = columns / np.linalg.norm(columns, axis=0)
        basis, triangle, _ = qr(columns, mode="economic", pivoting=True)
        self.basis = basis[:, np.abs(np.diag(triangle)) > 1e-8]
        self.data = self.without(spectrum.flux * self.weight)

    def without(self, columns: np.ndarray) -> np.ndarray:
        """Project the nuisances out of columns, (N,) or (N, K), in units of the noise."""
        return columns - self.basis @ (self.basis.T @ columns)

    def solve(
        self, model: FeatureModel, log_one_plus_z: float, velocity_width: float,
        modulation: np.ndarray,
    ) -> tuple[np.ndarray, np.ndarray, np.ndarray]:  # fmt: skip
        """Fit the amplitudes of features at one redshift.

        Parameters
        ----------
        model : FeatureModel
            The features.
        log_one_plus_z : float
            Natural logarithm of one plus the redshift.
        velocity_width : float, km/s
            Standard deviation.
        modulation : ndarray, (N,), flux or dimensionless
            With its sign: what a feature of depth one adds.

        Returns
        -------
        amplitudes : ndarray, (K,)
            Equivalent widths, angstrom, or fluxes.
        residual : ndarray, (N + K,), dimensionless
            In units of the noise, and the amplitudes' deviations from the prior.
        columns : ndarray, (N, K), flux
            What each feature adds to the spectrum with an amplitude of one.
        """
        spectrum = self.spectrum
        columns = modulation[:, None] * model.profiles(
            spectrum.log_wavelength - log_one_plus_z, velocity_width, spectrum.pixel_width
        )
        design = self.without(columns * self.weight[:, None])
        precision = model.prior_precision
        rows = np.vstack([design, np.diag(precision)])
        target = np.concatenate([self.data, precision * model.expected])
        # columns outside of the spectrum have no amplitude
        scale = np.linalg.norm(rows, axis=0)
        seen = scale > 1e-9 * max(scale.max(), 1e-300)
        amplitudes = np.zeros(scale.size)
        if seen.any():
            found, _ = nnls(rows[:, seen] / scale[seen], target)
            amplitudes[seen] = found / scale[seen]
        return amplitudes, target - rows @ amplitudes, columns


def scan_redshifts(
    projection: Projection,
    model: FeatureModel,
    limits: tuple[float, float],
    velocity_width: float,
    modulation: np.ndarray,
) -> tuple[np.ndarray, np.ndarray]:
    r"""Improvement of chi-square by features, against their redshift.

    All redshifts of a grid at once, by correlations on a grid in :math:`\ln\lambda` (the
    weighted form of Tonry & Davis 1979, AJ 84, 1511), each pixel going to the nearest
    point of the grid.

    Parameters
    ----------
    projection : Projection
        The spectrum.
    model : FeatureModel
        The features.
    limits : tuple of float
        Lowest and highest redshift.
    velocity_width : float, km/s
        Standard deviation of the features.
    modulation : ndarray, (N,), flux or dimensionless
        With its sign: what a feature of depth one adds.

    Returns
    -------
    redshift : ndarray, (Z,)
        Equal steps in ln(1 + z).
    improvement : ndarray, (Z,)
        Chi-square without the features minus that with them; negative where what is
        expected is missing.
    """
    spectrum = projection.spectrum
    x = spectrum.log_wavelength
    step = float(np.clip(np.median(spectrum.pixel_width) / 2, 3e-5, 5e-4))
    length = int(np.ceil((x[-1] - x[0]) / step)) + 1
    place = np.rint((x - x[0]) / step).astype(int)
    low, high = np.log1p(limits[0]), np.log1p(limits[1])
    numbers = int(np.ceil((high - low) / step)) + 1
    shifts = low + step * np.arange(numbers)
    # templates on rest wavelengths from the highest redshift's blue end to the lowest's red
    rest = x[0] - shifts[-1] + step * np.arange(length + numbers - 1)
    width = np.full(rest.size, float(np.median(spectrum.pixel_width)))
    templates = model.profiles(rest, velocity_width, width)
    seen = templates.any(axis=0)
    count = int(seen.sum())
    if not count:
        return np.expm1(shifts), np.zeros(numbers)
    templates = templates[:, seen].T
    # no lag reaches beyond the templates, so that nothing wraps around
    size = next_fast_len(rest.size, real=True)

    def on_grid(values: np.ndarray) -> np.ndarray:
        return rfft(np.bincount(place, weights=values, minlength=length), size)

    def correlate(data: np.ndarray, template: np.ndarray) -> np.ndarray:
        # sum over k of data[k] template[k + lag], for the lags of all shifts
        found = irfft(np.conj(data) * template, size)[:numbers]
        return found[::-1]

    factor = projection.weight * modulation
    transformed = [rfft(template, size) for template in templates]
    data = on_grid(projection.data * factor)
    b = np.stack([correlate(data, t) for t in transformed], axis=1)
    square = on_grid(factor**2)
    a = np.empty((numbers, count, count))
    for i in range(count):
        for j in range(i + 1):
            product = rfft(templates[i] * templates[j], size)
            a[:, i, j] = a[:, j, i] = correlate(square, product)
    overlap = np.empty((numbers, count, projection.basis.shape[1]))
    for j, column in enumerate(projection.basis.T):
        nuisance = on_grid(column * factor)
        for i, template in enumerate(transformed):
            overlap[:, i, j] = correlate(nuisance, template)
    a -= overlap @ overlap.transpose(0, 2, 1)
    return np.expm1(shifts), _best_improvement(
        a, b, model.expected[seen], model.prior_precision[seen] ** 2
    )


def _best_improvement(
    a: np.ndarray, b: np.ndarray, expected: np.ndarray, precision: np.ndarray
) -> np.ndarray:
    """Maximum over x >= 0 of 2 b.x - x.a.x minus the prior's square, by coordinates."""
    diagonal = np.einsum("zii->zi", a) + precision
    usable = diagonal > 1e-9 * np.maximum(diagonal.max(), 1e-300)
    diagonal = np.where(usable, diagonal, 1.0)
    target = b + precision * expected
    x = np.where(usable, np.maximum(target / diagonal, 0), 0)
    for _ in range(40):
        before = x.copy()
        for i in range(x.shape[1]):
            pull = target[:, i] - np.einsum("zj,zj->z", a[:, i], x) - precision[i] * x[:, i]
            new = np.maximum(x[:, i] + pull / diagonal[:, i], 0)
            x[:, i] = np.where(usable[:, i], new, 0)
        if np.abs(x - before).max() <= 1e-6 * max(np.abs(x).max(), 1e-300):
            break
    gain = 2 * np.einsum("zi,zi->z", b, x) - np.einsum("zi,zij,zj->z", x, a, x)
    return gain - ((x - expected) ** 2 * precision).sum(axis=1)

"""Redshifts of lens and source from one, possibly blended, spectrum.

The lens is an early-type galaxy, found by its absorption; the source is found by its
emission lines, or given as a template. Each is searched in chi-square over the whole range
of redshifts, with what has been found before projected out, and then refined.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np
from scipy.ndimage import median_filter
from scipy.optimize import least_squares

from astrorim.exceptions import SpectrumError
from astrorim.spectra.feature_fit import (
    FeatureModel,
    Projection,
    scan_redshifts,
    smooth_continuum,
    spline_basis,
)
from astrorim.spectra.lines import ABSORPTION_FEATURES, EMISSION_FEATURES
from astrorim.spectra.prepared_spectrum import PreparedSpectrum, prepare_spectrum
from astrorim.spectra.redshift_estimate import (
    FeatureMeasurement,
    RedshiftEstimate,
    SpectrumRedshifts,
)

if TYPE_CHECKING:
    from specutils import Spectrum

    from astrorim.spectra.lines import SpectralFeature
    from astrorim.spectra.prepared_spectrum import Medium

__all__ = ["RedshiftOptions", "measure_redshifts"]

_SAME_GALAXY = 0.005
"""Difference of ln(1 + z), 1500 km/s, below which two redshifts are one."""

_MOST_EMITTERS = 3
_LEAST_MARGIN = 12.0
_MARGIN_OF_ONE_FEATURE = 30.0
_LEAST_SIGNIFICANCE = 3.0


@dataclass(frozen=True)
class RedshiftOptions:
    """How redshifts are searched.

    Parameters
    ----------
    lens_limits, source_limits : tuple of float
        Lowest and highest redshift.
    absorption, emission : tuple of SpectralFeature
        What lens and source may show.
    least_lens_improvement, least_source_improvement : float
        Chi-square differences below which a redshift is flagged as insignificant. Pure
        noise of 3900 pixels gave at most 10 for the lens, whose features have expected
        strengths, and 28 for the source, whose have not.
    lens_template_error, source_template_error : float
        Error of the template, in ln(1 + z), added in quadrature: 1e-4 is 30 km/s.

    Raises
    ------
    SpectrumError
        If limits are not in order, or there are no features.
    """

    lens_limits: tuple[float, float] = (0.005, 1.3)
    source_limits: tuple[float, float] = (0.01, 2.5)
    absorption: tuple[SpectralFeature, ...] = ABSORPTION_FEATURES
    emission: tuple[SpectralFeature, ...] = EMISSION_FEATURES
    least_lens_improvement: float = 25.0
    least_source_improvement: float = 45.0
    lens_template_error: float = 1e-4
    source_template_error: float = 3e-5

    def __post_init__(self) -> None:
        for name in ("lens_limits", "source_limits"):
            low, high = getattr(self, name)
            if not -0.01 < low < high < 20:
                raise SpectrumError(
                    f"{name} must be two increasing redshifts, got {(low, high)}"
                )
        if not (self.absorption and self.emission):
            raise SpectrumError(
                f"absorption and emission must name features, got {len(self.absorption)} and "
                f"{len(self.emission)}"
            )


@dataclass(frozen=True)
class _Search:
    """How one kind of features is searched."""

    model: FeatureModel
    limits: tuple[float, float]
    knots: float
    widths: tuple[float, ...]
    width_limits: tuple[float, float]
    least_improvement: float
    template_error: float


def measure_redshifts(
    spectrum: Spectrum | PreparedSpectrum,
    *,
    medium: Medium | None = None,
    z_lens: float | None = None,
    options: RedshiftOptions | None = None,
) -> SpectrumRedshifts:
    """Find the redshifts of lens and source in one spectrum.

    Emission is searched first, so that it cannot disturb the lens; then the absorption of
    the lens; then emission again, with the lens projected out. The noise is raised where
    the residual's running scatter exceeds it.

    Parameters
    ----------
    spectrum : `~specutils.Spectrum` or PreparedSpectrum
        One-dimensional.
    medium : {"vacuum", "air"}, optional
        What the wavelengths are measured in, as in `prepare_spectrum`.
    z_lens : float, optional
        Redshift of the lens, where it is known; its absorption is then only projected out.
    options : RedshiftOptions, optional
        Ranges of redshift, features and thresholds.

    Returns
    -------
    SpectrumRedshifts
        With flags where nothing, or too little, was found.

    Raises
    ------
    SpectrumError
        If the spectrum cannot be used.
    """
    options = options or RedshiftOptions()
    if not isinstance(spectrum, PreparedSpectrum):
        spectrum = prepare_spectrum(spectrum, medium=medium)
    original = np.median(spectrum.noise)
    absorption = _Search(
        model=FeatureModel(options.absorption, emission=False, prior_scatter=0.5),
        limits=options.lens_limits,
        knots=0.05,
        widths=(250.0,),
        width_limits=(100.0, 450.0),
        least_improvement=options.least_lens_improvement,
        template_error=options.lens_template_error,
    )
    emission = _Search(
        model=FeatureModel(options.emission, emission=True),
        limits=options.source_limits,
        knots=0.02,
        widths=(80.0, 200.0),
        width_limits=(30.0, 400.0),
        least_improvement=options.least_source_improvement,
        template_error=options.source_template_error,
    )
    spectrum = _with_scattered_noise(spectrum, np.zeros_like(spectrum.flux))
    lens: RedshiftEstimate | None = None
    emitters: list[RedshiftEstimate] = []
    for _ in range(2):
        known = [emitter.model for emitter in emitters]
        if z_lens is None:
            lens = _estimate(spectrum, absorption, known)
            lens_columns = (
                lens.model if lens.improvement > absorption.least_improvement else None
            )
        else:
            lens_columns = _fit_at(spectrum, absorption, z_lens, known)
        emitters = _emitters(spectrum, emission, lens_columns)
        total = sum((e.model for e in emitters), np.zeros_like(spectrum.flux))
        total = total if lens_columns is None else total + lens_columns
        spectrum = _with_scattered_noise(spectrum, total)
    reference = z_lens if lens is None else (lens.redshift if lens.reliable else None)
    source, others = _behind(emitters, reference)
    return SpectrumRedshifts(
        lens, source, others, z_lens, float(np.median(spectrum.noise) / original)
    )


def _with_scattered_noise(spectrum: PreparedSpectrum, model: np.ndarray) -> PreparedSpectrum:
    """Raise the noise where the running scatter about model and continuum exceeds it."""
    rest = replace(spectrum, flux=spectrum.flux - model)
    residual = (rest.flux - smooth_continuum(rest, 0.012)) / spectrum.noise
    size = min(301, residual.size // 2 * 2 - 1)
    scatter = 1.4826 * median_filter(np.abs(residual), size=size, mode="nearest")
    return replace(spectrum, noise=spectrum.noise * np.maximum(scatter, 1.0))


def _nuisance(
    spectrum: PreparedSpectrum, knots: float, known: list[np.ndarray]
) -> tuple[np.ndarray, np.ndarray]:
    """Columns to project out, and the smooth continuum."""
    basis = spline_basis(spectrum.log_wavelength, knots)
    flux = spectrum.flux - sum(known, np.zeros_like(spectrum.flux))
    continuum = smooth_continuum(replace(spectrum, flux=flux), knots)
    return np.column_stack([basis, *known]), continuum


def _estimate(
    spectrum: PreparedSpectrum,
    search: _Search,
    known: list[np.ndarray],
) -> RedshiftEstimate:
    """Scan and refine one kind of features."""
    columns, continuum = _nuisance(spectrum, search.knots, known)
    projection = Projection(spectrum, columns)
    modulation = np.ones_like(continuum) if search.model.emission else -continuum
    scans = [
        (width, *scan_redshifts(projection, search.model, search.limits, width, modulation))
        for width in search.widths
    ]
    width, redshifts, improvement = max(scans, key=lambda scan: float(scan[2].max()))
    shift = np.log1p(redshifts)
    best = int(np.argmax(improvement))
    away = np.abs(shift - shift[best]) > _SAME_GALAXY
    second = int(np.argmax(np.where(away, improvement, -np.inf)))

    def residual(x: np.ndarray) -> np.ndarray:
        return projection.solve(search.model, x[0] * 1e-4, np.exp(x[1]), modulation)[1]

    low, high = np.log(search.width_limits)
    start = np.array([shift[best] * 1e4, np.log(width)])
    found = least_squares(
        residual,
        start,
        bounds=([start[0] - 30, low], [start[0] + 30, high]),
        diff_step=[2e-5, 1e-2],
        xtol=1e-7,
    )
    x, jacobian = found.x, found.jac
    inside = low + 1e-3 < x[1] < high - 1e-3
    used = jacobian if inside else jacobian[:, :1]
    variance = np.linalg.pinv(used.T @ used)[0, 0] * 1e-8
    z = float(np.expm1(x[0] * 1e-4))
    error = (1 + z) * float(np.sqrt(variance + search.template_error**2))
    features, model = _measured_features(projection, search.model, x, modulation)
    gain = float(improvement[best])
    flags = []
    if gain < search.least_improvement:
        flags.append("insignificant")
    if gain - improvement[second] < _LEAST_MARGIN:
        flags.append("ambiguous")
    seen = sum(f.significance >= _LEAST_SIGNIFICANCE for f in features)
    # a resolved doublet is known by its shape, so that all else fits far worse
    if seen < 2 and gain - improvement[second] < _MARGIN_OF_ONE_FEATURE:
        flags.append("single-feature")
    if min(shift[best] - shift[0], shift[-1] - shift[best]) < 3e-4:
        flags.append("at-limit")
    return RedshiftEstimate(
        kind="emission" if search.model.emission else "absorption",
        redshift=z,
        uncertainty=error,
        velocity_width=float(np.exp(x[1])),
        improvement=gain,
        runner_up=float(redshifts[second]),
        runner_up_improvement=float(improvement[second]),
        features=features,
        flags=tuple(flags),
        model=model,
    )


def _measured_features(
    projection: Projection, model: FeatureModel, x: np.ndarray, modulation: np.ndarray
) -> tuple[tuple[FeatureMeasurement, ...], np.ndarray]:
    """Strength of each feature inside the spectrum, and their sum."""
    shift, width = x[0] * 1e-4, float(np.exp(x[1]))
    amplitudes, _, columns = projection.solve(model, shift, width, modulation)
    free = replace(model, prior_scatter=np.inf)
    fitted, residual, _ = projection.solve(free, shift, width, modulation)
    whole = float(residual @ residual)
    wavelength = projection.spectrum.wavelength
    features = []
    for i, feature in enumerate(model.features):
        observed = float(feature.centre * np.exp(shift))
        if not wavelength[0] < observed < wavelength[-1]:
            continue
        lost = 0.0
        if fitted[i] > 0 and len(model.features) > 1:
            kept = model.features[:i] + model.features[i + 1 :]
            _, rest, _ = projection.solve(
                replace(free, features=kept), shift, width, modulation
            )
            lost = float(rest @ rest) - whole
        elif fitted[i] > 0:
            lost = float(projection.data @ projection.data) - whole
        # a profile of unit integral in the rest frame has 1 + z in the observer's
        strength = fitted[i] * (np.exp(shift) if model.emission else 1.0)
        features.append(
            FeatureMeasurement(
                feature.name, observed, float(strength), float(np.sqrt(max(lost, 0.0)))
            )
        )
    return tuple(features), columns @ amplitudes


def _fit_at(
    spectrum: PreparedSpectrum, search: _Search, redshift: float, known: list[np.ndarray]
) -> np.ndarray:
    """What the features add at a redshift that is known, flux."""
    columns, continuum = _nuisance(spectrum, search.knots, known)
    projection = Projection(spectrum, columns)
    amplitudes, _, features = projection.solve(
        search.model, float(np.log1p(redshift)), search.widths[0], -continuum
    )
    return features @ amplitudes


def _emitters(
    spectrum: PreparedSpectrum,
    search: _Search,
    lens_columns: np.ndarray | None,
) -> list[RedshiftEstimate]:
    """Emission one redshift after the other, as long as it is significant.

    The first is kept in any case, to say how little there is.
    """
    found: list[RedshiftEstimate] = []
    known = [] if lens_columns is None else [lens_columns]
    for _ in range(_MOST_EMITTERS):
        estimate = _estimate(spectrum, search, known)
        if found and estimate.improvement < search.least_improvement:
            break
        found.append(estimate)
        if estimate.improvement < search.least_improvement:
            break
        known.append(estimate.model)
    return found


def _behind(
    emitters: list[RedshiftEstimate], z_lens: float | None
) -> tuple[RedshiftEstimate | None, tuple[RedshiftEstimate, ...]]:
    """The best emission behind the lens, and all other."""
    nearest = -1.0 if z_lens is None else float(np.expm1(np.log1p(z_lens) + _SAME_GALAXY))
    behind = [each for each in emitters if each.redshift > nearest]
    source = max(behind, key=lambda each: (each.reliable, each.improvement), default=None)
    return source, tuple(each for each in emitters if each is not source)

"""The quick scan over redshift against the exact fit at one redshift."""

from __future__ import annotations

import numpy as np
import pytest

from astrorim.spectra import ABSORPTION_FEATURES, EMISSION_FEATURES, prepare_spectrum
from astrorim.spectra.feature_fit import (
    FeatureModel,
    Projection,
    scan_redshifts,
    smooth_continuum,
    spline_basis,
)


@pytest.fixture(scope="module")
def spectrum(simulated, wavelength):
    made = simulated.blended(np.random.default_rng(2), 0.31, 0.72, 10, 4.0, wavelength)
    return prepare_spectrum(made, medium="vacuum")


@pytest.mark.parametrize("emission", [True, False])
def test_scan_agrees_with_the_exact_fit(spectrum, emission):
    """To 2 %: the scan puts each pixel on the nearest point of its grid."""
    if emission:
        model = FeatureModel(EMISSION_FEATURES, emission=True)
    else:
        model = FeatureModel(ABSORPTION_FEATURES, emission=False, prior_scatter=0.5)
    projection = Projection(spectrum, spline_basis(spectrum.log_wavelength, 0.05))
    modulation = smooth_continuum(spectrum, 0.05) * -1.0
    modulation = np.ones_like(modulation) if emission else modulation
    redshift, improvement = scan_redshifts(projection, model, (0.2, 0.8), 200.0, modulation)
    before = projection.data @ projection.data
    best = int(np.argmax(improvement))
    assert redshift[best] == pytest.approx(0.72 if emission else 0.31, abs=2e-3)
    for i in (best, best + 3, 100, 1500):
        _, residual, _ = projection.solve(model, np.log1p(redshift[i]), 200.0, modulation)
        exact = before - residual @ residual
        assert improvement[i] == pytest.approx(exact, rel=0.02, abs=1.0)


def test_profiles_have_unit_integral_in_the_rest_frame():
    x = np.linspace(np.log(3500), np.log(7000), 40001)
    model = FeatureModel((*EMISSION_FEATURES, *ABSORPTION_FEATURES), emission=True)
    profiles = model.profiles(x, 150.0, np.gradient(x))
    area = np.trapezoid(profiles, np.exp(x), axis=0)
    np.testing.assert_allclose(area, 1.0, atol=2e-4)


def test_splines_reproduce_a_cubic(spectrum):
    x = spectrum.log_wavelength
    basis = spline_basis(x, 0.1)
    cubic = np.polynomial.Polynomial([1, -2, 0.5, 3])(x - x.mean())
    fitted = basis @ np.linalg.lstsq(basis, cubic)[0]
    np.testing.assert_allclose(fitted, cubic, atol=1e-10)


def test_what_is_projected_out_does_not_matter(spectrum):
    basis = spline_basis(spectrum.log_wavelength, 0.1)
    projection = Projection(spectrum, np.column_stack([basis, basis[:, 3]]))
    added = basis[:, 2] * projection.weight
    assert np.abs(projection.without(added)).max() < 1e-10

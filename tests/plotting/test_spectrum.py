"""The figure of a spectrum with its redshifts."""

from __future__ import annotations

import astropy.units as u
import numpy as np
import pytest

from astrorim.plotting.spectrum import draw_redshifts
from astrorim.spectra import PreparedSpectrum, RedshiftEstimate, SpectrumRedshifts
from astrorim.spectra.redshift_estimate import FeatureMeasurement


@pytest.fixture
def spectrum(rng):
    wavelength = np.linspace(4000, 8000, 800)
    noise = np.full(800, 0.1)
    flux = 1 + rng.normal(0, noise)
    width = np.gradient(np.log(wavelength))
    return PreparedSpectrum(wavelength, flux, noise, width, u.Jy, False)


def estimate(*features, flags=()):
    measured = tuple(FeatureMeasurement(name, x, 1.0, s) for name, x, s in features)
    model = np.zeros(800)
    return RedshiftEstimate(
        "emission", 0.5, 0.001, 90.0, 99.0, 0.7, 20.0, measured, flags, model
    )


def labels(figure):
    return [text.get_text() for text in figure.axes[0].texts]


def test_significant_features_are_marked(spectrum):
    source = estimate(("[O II]", 5600.0, 9.0), ("Hbeta", 7300.0, 1.0), ("Hgamma", 6500.0, 4.0))
    lens = estimate(("G band", 5100.0, 9.0), flags=("insignificant",))
    found = SpectrumRedshifts(lens, source, (), None, 1.0)
    figure = draw_redshifts(spectrum, found, title="J0000")
    assert labels(figure) == ["[O II]", r"H$\gamma$"]
    title = figure.axes[0].get_title()
    assert title.startswith("J0000    lens: z = 0.50000")
    assert "NOT RELIABLE: insignificant" in title
    assert "Jy" in figure.axes[0].get_ylabel()


def test_the_residual_is_in_units_of_the_noise(spectrum):
    found = SpectrumRedshifts(None, None, (), 0.3, 1.0)
    figure = draw_redshifts(spectrum, found)
    residual = figure.axes[1].lines[0].get_ydata()
    assert np.std(residual) == pytest.approx(1.0, abs=0.15)

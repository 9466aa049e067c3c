"""Both redshifts of blended spectra, and what happens to spectra that cannot give them."""

from __future__ import annotations

import astropy.units as u
import numpy as np
import pytest
from specutils import Spectrum
from specutils.analysis import template_redshift

from astrorim.exceptions import SpectrumError
from astrorim.observation import LensObservation
from astrorim.spectra import RedshiftOptions, measure_redshifts


@pytest.fixture(scope="module")
def blended(simulated, wavelength):
    """A measured spectrum whose redshifts are 0.31 and 0.72."""
    spectrum = simulated.blended(np.random.default_rng(1), 0.31, 0.72, 10, 4.0, wavelength)
    return spectrum, measure_redshifts(spectrum, medium="vacuum")


def test_both_redshifts_over_random_spectra(simulated, wavelength):
    """Redshift, signal to noise 5 to 20, line strengths and ratios, widths are random."""
    pulls = []
    for seed in range(4):
        rng = np.random.default_rng(seed)
        z_lens = rng.uniform(0.1, 0.5)
        z_source = rng.uniform(z_lens + 0.1, 0.8)
        signal_to_noise = rng.uniform(5, 20)
        found = measure_redshifts(
            simulated.blended(rng, z_lens, z_source, signal_to_noise, 4.0, wavelength),
            medium="vacuum",
        )
        assert found.lens.reliable
        assert found.source.reliable
        for estimate, truth in ((found.lens, z_lens), (found.source, z_source)):
            assert estimate.redshift == pytest.approx(truth, abs=1e-3)
            pulls.append((estimate.redshift - truth) / estimate.uncertainty)
    assert np.abs(pulls).max() < 4
    assert 0.3 < np.std(pulls) < 2.0


def test_source_agrees_with_the_template_search_of_specutils(blended, simulated, wavelength):
    """An independent code, given the continuum-free spectrum and the noiseless lines."""
    spectrum, found = blended
    lens = found.lens.model
    flat = spectrum.flux.value - lens
    flat = flat - np.polynomial.Polynomial.fit(wavelength, flat, 9)(wavelength)
    rng = np.random.default_rng(0)
    rest = np.arange(3500.0, 7000.0, 0.4)
    template = Spectrum(
        flux=simulated.emission_lines(rest, 0.0, 4.0, rng) * spectrum.flux.unit,
        spectral_axis=rest * u.AA,
    )
    observed = Spectrum(
        flux=flat * spectrum.flux.unit,
        spectral_axis=spectrum.spectral_axis,
        uncertainty=spectrum.uncertainty,
    )
    trial = np.arange(0.717, 0.723, 2e-4)
    _, redshift, *_ = template_redshift(
        observed_spectrum=observed, template_spectrum=template, redshift=trial
    )
    assert found.source.redshift == pytest.approx(redshift, abs=4e-4)


def test_features_are_where_and_as_strong_as_they_were_put(blended):
    _, found = blended
    lines = {feature.name: feature for feature in found.source.features}
    hbeta = lines["Hbeta"]
    assert hbeta.observed_wavelength == pytest.approx(4862.68 * 1.72, rel=2e-4)
    # the strength was drawn within 30 % of 4
    assert hbeta.strength == pytest.approx(4.0, rel=0.5)
    assert "Halpha" not in lines, "it lies beyond the spectrum"
    assert lines["[O II]"].significance > 10
    bands = {feature.name: feature for feature in found.lens.features}
    assert bands["G band"].strength == pytest.approx(6.0, rel=0.6)


def test_pure_noise_gives_no_confident_redshift(simulated, wavelength):
    for seed in range(3):
        rng = np.random.default_rng(seed)
        noise = np.full(wavelength.size, 0.1)
        flux = 1 + rng.normal(0, noise)
        found = measure_redshifts(
            simulated.as_spectrum(wavelength, flux, noise), medium="vacuum"
        )
        assert "insignificant" in found.lens.flags
        assert found.source is None or "insignificant" in found.source.flags
        observation = LensObservation(np.eye(5), unit="adu", pixel_scale="1 arcsec")
        with pytest.raises(SpectrumError, match=r"z_lens is not reliable: .*NOT RELIABLE"):
            found.apply_to(observation)


def test_an_artefact_of_one_pixel_is_not_a_source(simulated, wavelength, rng):
    noise = np.full(wavelength.size, 0.05)
    flux = simulated.early_type(wavelength, 0.3, rng) + rng.normal(0, noise)
    flux[1400] += 2.0
    found = measure_redshifts(simulated.as_spectrum(wavelength, flux, noise), medium="vacuum")
    assert found.lens.redshift == pytest.approx(0.3, abs=1e-3)
    assert found.source is None or not found.source.reliable


def test_noise_that_is_said_too_small_is_raised(simulated, wavelength, rng):
    noise = np.full(wavelength.size, 0.1)
    flux = 1 + rng.normal(0, 3 * noise)
    found = measure_redshifts(simulated.as_spectrum(wavelength, flux, noise), medium="vacuum")
    assert found.noise_scale == pytest.approx(3.0, rel=0.05)
    assert found.source is None or not found.source.reliable


def test_known_lens_is_projected_out(blended):
    spectrum, _ = blended
    found = measure_redshifts(spectrum, medium="vacuum", z_lens=0.31)
    assert found.lens is None
    assert found.source.redshift == pytest.approx(0.72, abs=1e-3)
    observation = LensObservation(np.eye(5), unit="adu", pixel_scale="1 arcsec")
    result = found.apply_to(observation)
    assert result.z_lens == 0.31
    assert observation.z_lens is None


def test_redshifts_reach_the_observation(blended):
    _, found = blended
    observation = LensObservation(
        np.eye(5), unit="adu", pixel_scale="1 arcsec", z_lens=1.0, z_source=2.0
    )
    result = found.apply_to(observation)
    assert (result.z_lens, result.z_source) == (found.lens.redshift, found.source.redshift)


def test_table_has_one_row_per_redshift(blended, tmp_path):
    _, found = blended
    table = found.table()
    assert list(table["role"][:2]) == ["lens", "source"]
    assert table["uncertainty"][0] == found.lens.uncertainty
    table.write(tmp_path / "redshifts.ecsv")


@pytest.mark.parametrize(
    "options, message",
    [
        ({"lens_limits": (0.5, 0.1)}, r"lens_limits must be two increasing.* got \(0.5, 0.1\)"),
        ({"emission": ()}, "must name features, got 9 and 0"),
    ],
)
def test_bad_options_are_refused(options, message):
    with pytest.raises(SpectrumError, match=message):
        RedshiftOptions(**options)

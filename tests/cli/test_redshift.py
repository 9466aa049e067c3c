"""The command that measures redshifts."""

from __future__ import annotations

import importlib.util
from pathlib import Path

import astropy.units as u
import numpy as np
import pytest
from astropy.table import QTable


@pytest.fixture(scope="module")
def simulated():
    path = Path(__file__).parents[1] / "spectra" / "blended_spectrum.py"
    spec = importlib.util.spec_from_file_location("blended_spectrum", path)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.fixture
def write_spectrum(simulated, tmp_path):
    def write(strength):
        wavelength = simulated.log_wavelengths(step=4e-4)
        rng = np.random.default_rng(3)
        spectrum = simulated.blended(rng, 0.3, 0.7, 10, strength, wavelength)
        path = tmp_path / "J0000+0000.ecsv"
        columns = {
            "spectral_axis": wavelength * u.AA,
            "flux": spectrum.flux,
            "uncertainty": spectrum.uncertainty.quantity,
        }
        QTable(columns).write(path)
        return path

    return write


def redshift_in(text, name):
    (line,) = [line for line in text.splitlines() if line.startswith(name)]
    return float(line.split()[1])


def test_prints_and_writes_both_redshifts(astrorim, write_spectrum, tmp_path):
    output, figure = tmp_path / "redshifts.ecsv", tmp_path / "fit.png"
    outcome = astrorim(
        *("redshift", write_spectrum(4.0), "--medium", "vacuum"),
        *("--output", output, "--figure", figure),
    )
    assert outcome.status == 0, outcome.err
    assert redshift_in(outcome.out, "z_lens") == pytest.approx(0.3, abs=1e-3)
    assert redshift_in(outcome.out, "z_source") == pytest.approx(0.7, abs=1e-3)
    assert "[O II]" in outcome.out
    table = QTable.read(output)
    np.testing.assert_allclose(table["redshift"][:2], [0.3, 0.7], atol=1e-3)
    assert figure.stat().st_size > 10_000


def test_a_source_that_is_not_there_is_said(astrorim, write_spectrum, tmp_path):
    outcome = astrorim("redshift", write_spectrum(0.0), "--medium", "vacuum")
    assert outcome.status == 1
    assert redshift_in(outcome.out, "z_lens") == pytest.approx(0.3, abs=1e-3)
    found = next(line for line in outcome.out.splitlines() if line.startswith("z_source"))
    assert "not found" in found or "NOT RELIABLE" in found


def test_existing_output_is_kept(astrorim, write_spectrum, tmp_path):
    output = tmp_path / "redshifts.ecsv"
    output.write_text("mine")
    outcome = astrorim(
        "redshift", write_spectrum(4.0), "--medium", "vacuum", "--output", output
    )
    assert outcome.status == 1
    assert "pass --overwrite to replace it" in outcome.err
    assert output.read_text() == "mine"


def test_what_is_no_spectrum_is_one_line(astrorim, tmp_path):
    outcome = astrorim("redshift", tmp_path / "none.fits")
    assert outcome.status == 1
    assert "must be a file" in outcome.err

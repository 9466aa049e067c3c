from __future__ import annotations

import pytest
from astropy.table import QTable

from astrorim.cli.mass import read_redshifts


def test_masses_have_units_and_bounds(astrorim, reconstructed, tmp_path):
    (tmp_path / "z.csv").write_text(
        "lens_name,z_lens,z_source\nlensed_00000,0.3,0.9\nlensed_00001,0.3,0.9\n"
    )
    outcome = astrorim(
        *("mass", "--reconstruction-dir", reconstructed, "--output-dir", tmp_path / "m"),
        *("--lens-metadata", tmp_path / "z.csv", "--cosmology", "Planck18"),
    )
    assert outcome.status == 0, outcome.err
    table = QTable.read(tmp_path / "m" / "masses.ecsv")
    assert len(table) == 2
    row = table[0]
    assert (row["name"], row["z_lens"], row["z_source"]) == ("lensed_00000", 0.3, 0.9)
    assert table["einstein_radius"].unit == "arcsec"
    assert 1e9 < row["einstein_mass"].to_value("Msun") < 1e13
    assert row["einstein_mass_lower"] <= row["einstein_mass_upper"]
    assert 1e8 < row["critical_surface_density"].to_value("Msun/kpc2") < 1e11
    assert table.meta["cosmology"] == "Planck18"


def test_redshifts_of_the_observation_are_used(astrorim, reconstructed, tmp_path):
    from astrorim.results import Reconstruction

    outcome = astrorim("mass", "--reconstruction-dir", reconstructed, "--output-dir", tmp_path)
    assert outcome.status == 0, outcome.err
    observation = Reconstruction.read(reconstructed / "lensed_00000.asdf").observation
    row = QTable.read(tmp_path / "masses.ecsv")[0]
    assert row["z_lens"] == pytest.approx(observation.z_lens)


@pytest.mark.parametrize(
    "options, complaint",
    [
        (("--cosmology", "Planck99"), "Planck99"),
        (("--lens-metadata", "none.csv"), "none.csv"),
    ],
)
def test_wrong_options_are_told(astrorim, reconstructed, tmp_path, options, complaint):
    outcome = astrorim(
        "mass", "--reconstruction-dir", reconstructed, "--output-dir", tmp_path, *options
    )
    assert outcome.status == 1
    assert complaint in outcome.err


def test_folder_without_reconstructions_is_refused(astrorim, tmp_path):
    outcome = astrorim("mass", "--reconstruction-dir", tmp_path, "--output-dir", tmp_path)
    assert outcome.status == 1
    assert "must hold NAME.asdf files" in outcome.err


def test_redshifts_may_be_missing_but_not_be_words(tmp_path):
    path = tmp_path / "z.csv"
    path.write_text("name,z_lens,z_source\na,0.2,\n")
    assert read_redshifts(path) == {"a": (0.2, None)}
    path.write_text("name,z_lens,z_source\na,near,far\n")
    with pytest.raises(ValueError, match="redshifts of 'a' in"):
        read_redshifts(path)
    path.write_text("lens,z\na,1\n")
    with pytest.raises(ValueError, match="must have the columns lens_name, z_lens"):
        read_redshifts(path)

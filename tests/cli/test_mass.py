from __future__ import annotations

import json
import shutil

import pytest
from astropy.table import QTable, Table

from astrorim.cli.mass_lens import lens_paths
from astrorim.cli.mass_report import mass_report


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


def test_each_lens_has_its_files_and_the_run_a_report(astrorim, reconstructed, tmp_path):
    folder, out = tmp_path / "in", tmp_path / "out"
    folder.mkdir()
    shutil.copy(reconstructed / "lensed_00000.asdf", folder)
    (folder / "broken.asdf").write_bytes(b"not a file of ours")
    command = ("mass", "--reconstruction-dir", folder, "--output-dir", out)
    outcome = astrorim(*command)
    assert outcome.status == 1
    assert "1 analysed, 0 skipped, 1 failed" in outcome.out
    assert "broken: " in outcome.err
    paths = lens_paths(out, "lensed_00000")
    assert all(path.stat().st_size > 0 for path in paths.values())
    page = (out / "report.html").read_text()
    assert 'src="lensed_00000_mass.png"' in page
    assert "broken" in page
    assert "http" not in page.replace("http-equiv", "")
    status = Table.read(out / "mass_status.ecsv")
    assert dict(zip(status["name"], status["status"], strict=True)) == {
        "broken": "failed", "lensed_00000": "ok",
    }  # fmt: skip

    # the same command goes on; another request, or a lost file, is done again
    before = paths["png"].stat().st_mtime_ns
    outcome = astrorim(*command)
    assert "0 analysed, 1 skipped, 1 failed" in outcome.out
    assert paths["png"].stat().st_mtime_ns == before
    outcome = astrorim(*command, "--mass-sheet", 0.9)
    assert "1 analysed, 0 skipped, 1 failed" in outcome.out
    document = json.loads(paths["document"].read_text())
    assert document["request"]["mass_sheet"] == 0.9
    assert not list(out.glob(".astrorim-*"))


def test_missing_redshift_is_asked_for(astrorim, reconstructed, tmp_path):
    from astrorim.results import Reconstruction

    result = Reconstruction.read(reconstructed / "lensed_00000.asdf")
    result.observation.z_source = None
    result.write(tmp_path / "a.asdf")
    outcome = astrorim("mass", "--reconstruction-dir", tmp_path, "--output-dir", tmp_path / "o")
    assert outcome.status == 1
    assert "z_source is neither in the reconstruction nor given" in outcome.err


def test_names_are_escaped_in_the_report():
    page = mass_report({}, {"<b>x</b>": "a & b"}, {"command": "<script>"})
    assert "&lt;b&gt;x&lt;/b&gt;" in page
    assert "a &amp; b" in page
    assert "<script>" not in page


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


def test_another_pixel_scale_in_the_table_is_refused(astrorim, reconstructed, tmp_path):
    (tmp_path / "z.csv").write_text(
        "lens_name,z_lens,z_source,pixel_scale_arcsec\n"
        "lensed_00000,0.3,0.9,0.08\nlensed_00001,0.3,0.9,0.05\nlensed_2,0.3,0.9,0.05\n"
    )
    outcome = astrorim(
        *("mass", "--reconstruction-dir", reconstructed, "--output-dir", tmp_path / "m"),
        *("--lens-metadata", tmp_path / "z.csv"),
    )
    assert outcome.status == 1
    assert "1 analysed, 0 skipped, 1 failed" in outcome.out
    assert "pixel_scale_arcsec is 0.05 in the table" in outcome.err
    assert "with the right --pixel-scale" in outcome.err
    assert "that no NAME.asdf goes with: lensed_2" in outcome.err

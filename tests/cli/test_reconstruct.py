from __future__ import annotations

import json
import shutil

import numpy as np
import pytest
from astropy.io import fits
from astropy.table import QTable

from astrorim.results import Reconstruction
from astrorim.results.files import output_paths


def rows_of(folder, name="status.ecsv"):
    table = QTable.read(folder / name)
    return {row["name"]: row for row in table}


@pytest.fixture
def plain_files(simulated, tmp_path):
    """Image, noise and PSF in files of their own, without WCS and unit."""
    with fits.open(simulated / "lensed_00000.fits") as hdus:
        for name, key in (("image", 0), ("noise", "UNCERT"), ("psf", "PSFIMAGE")):
            fits.PrimaryHDU(hdus[key].data).writeto(tmp_path / f"{name}.fits")
    return tmp_path


def test_separate_files_become_six(astrorim, networks, plain_files):
    out = plain_files / "results"
    outcome = astrorim(
        *("reconstruct", plain_files / "image.fits", "--noise", plain_files / "noise.fits"),
        *("--psf", plain_files / "psf.fits", "--psf-supersampling", 4),
        *("--pixel-scale", "0.08 arcsec", "--unit", "electron/s", "--z-lens", 0.3),
        *("--z_source", 0.9, "--output_dir", out, *networks),
    )
    assert outcome.status == 0, outcome.err
    assert outcome.out.startswith("1 reconstructed, 0 skipped, 0 failed; see ")
    assert all(path.is_file() for path in output_paths(out, "image").values())
    result = Reconstruction.read(out / "image.asdf")
    assert (result.observation.z_lens, result.observation.z_source) == (0.3, 0.9)
    assert result.unit == "electron/s"
    (row,) = QTable.read(out / "status.ecsv")
    assert (row["name"], row["status"]) == ("image", "ok")
    assert row["theta_E"].to_value("arcsec") == pytest.approx(result.lens["theta_E"])
    assert row["reduced_chi2"] == pytest.approx(result.reduced_chi2)
    assert row["seconds"].to_value("s") > 0
    assert str(row["flags"]).replace("--", "") == " ".join(result.flags)


@pytest.fixture
def done(reconstructed, simulated, tmp_path):
    """Images and their finished results, in folders of the test's own."""
    images = shutil.copytree(simulated, tmp_path / "images")
    results = shutil.copytree(reconstructed, tmp_path / "results")
    return images, results


def test_a_bad_file_costs_only_itself(astrorim, recorder, lenses, tmp_path):
    out = tmp_path / "results"
    outcome = astrorim("reconstruct", "--input-dir", lenses, "--output-dir", out)
    assert outcome.status == 1
    rows = rows_of(out)
    assert {name: row["status"] for name, row in rows.items()} == {
        "broken": "failed",
        "lens_0": "ok",
        "lens_1": "ok",
    }
    assert "broken.fits" in rows["broken"]["reason"]
    assert "astrorim: error: broken: " in outcome.err


def test_only_what_is_not_finished_is_done(astrorim, networks, done):
    images, results = done
    before = rows_of(results)
    (results / "lensed_00001_residual.fits").unlink()
    written = (results / "lensed_00000.asdf").stat().st_mtime_ns
    outcome = astrorim("reconstruct", "--input-dir", images, "--output-dir", results, *networks)
    assert outcome.status == 0, outcome.err
    rows = rows_of(results)
    assert [row["status"] for row in rows.values()] == ["skipped", "ok"]
    first = rows["lensed_00000"]
    assert first["reason"] == "finished earlier; --overwrite does it again"
    for column in ("theta_E", "theta_E_lower", "reduced_chi2"):
        assert first[column] == before["lensed_00000"][column]
    assert (results / "lensed_00000.asdf").stat().st_mtime_ns == written
    assert (results / "lensed_00001_residual.fits").is_file()


def test_a_lens_does_not_depend_on_its_batch(networks, done, astrorim):
    """In a batch of two, as in the fixture, and alone."""
    images, results = done
    document = json.loads((results / "lensed_00001_parameters.json").read_text())
    outcome = astrorim(
        *("reconstruct", images / "lensed_00001.fits", "--output-dir", results, "--overwrite"),
        *("--refine", "none"),
        *networks,
    )
    assert outcome.status == 0, outcome.err
    alone = json.loads((results / "lensed_00001_parameters.json").read_text())
    assert alone["lens"] == pytest.approx(document["lens"], rel=1e-3, abs=1e-4)


def test_overwrite_does_finished_lenses_again(astrorim, networks, recorder, done):
    images, results = done
    command = ("reconstruct", "--input-dir", images, "--output-dir", results, *networks)
    assert astrorim(*command).status == 0
    assert recorder.calls == []
    assert astrorim(*command, "--overwrite").status == 0
    assert recorder.calls == [["lensed_00000"], ["lensed_00001"]]


def test_nothing_is_loaded_when_everything_is_finished(astrorim, networks, done, monkeypatch):
    images, results = done
    monkeypatch.delattr("astrorim.cli.reconstruct.load_networks")
    outcome = astrorim(
        "reconstruct", "--input-dir", images, "--output-dir", results, *networks
    )
    assert (outcome.status, outcome.out.split(";")[0]) == (
        0,
        "0 reconstructed, 2 skipped, 0 failed",
    )


def test_results_of_another_image_are_not_taken_for_this_one(
    astrorim, networks, recorder, done
):
    images, results = done
    shutil.copy(images / "lensed_00001.fits", images / "lensed_00000.fits")
    command = ("reconstruct", "--input-dir", images, "--output-dir", results, *networks)
    outcome = astrorim(*command)
    assert outcome.status == 1
    assert "holds results of another image under the name 'lensed_00000'" in outcome.err
    rows = rows_of(results)
    assert [row["status"] for row in rows.values()] == ["failed", "skipped"]
    outcome = astrorim(*command, "--num-iterations", 3, "--z-lens", 0.1)
    assert "results of another num_iterations, z_lens under the name 'lensed_0" in outcome.err
    assert recorder.calls == []


def test_noise_is_measured_where_there_is_none(astrorim, recorder, plain_files):
    out = plain_files / "results"
    outcome = astrorim(
        *("reconstruct", plain_files / "image.fits", "--psf", plain_files / "psf.fits"),
        *("--psf-supersampling", 4, "--pixel-scale", "0.08 arcsec", "--unit", "adu"),
        *("--output-dir", out, "--refine", "none"),
    )
    assert outcome.status == 0, outcome.err
    assert "astrorim: warning: image: no noise map" in outcome.err
    (row,) = QTable.read(out / "status.ecsv")
    assert "measured on the blank sky" in row["note"]
    assert np.ptp(recorder.observations["image"].noise) == 0


def test_what_is_missing_is_said_in_options(astrorim, recorder, plain_files):
    command = ("reconstruct", plain_files / "image.fits", "--output-dir", plain_files / "out")
    for given, wanted in (
        ((), "--unit"),
        (("--unit", "adu"), "--pixel-scale"),
        (("--pixel-scale", "0.08 arcsec", "--unit", "adu"), "--psf"),
    ):
        outcome = astrorim(*command, *given)
        assert outcome.status == 1
        assert wanted in outcome.err


def test_catalogue_gives_each_lens_its_own_files_and_redshifts(
    astrorim, recorder, lenses, tmp_path
):
    (lenses / "table.csv").write_text(
        "name,image,z_lens,z_source\nJ1,lens_0.fits,0.2,0.8\n"
        "J2,../secret.fits,0.2,0.8\nJ3,lens_1.fits,0.9,0.8\n"
    )
    out = tmp_path / "results"
    outcome = astrorim("reconstruct", "--catalogue", lenses / "table.csv", "--output-dir", out)
    assert outcome.status == 1
    rows = rows_of(out)
    assert [row["status"] for row in rows.values()] == ["ok", "failed", "failed"]
    assert "leads out of its folder" in rows["J2"]["reason"]
    assert "z_source" in rows["J3"]["reason"]
    assert recorder.calls == [["J1"]]
    assert recorder.observations["J1"].z_lens == pytest.approx(0.2)


def test_shards_do_their_part_and_keep_their_own_tables(astrorim, recorder, lenses, tmp_path):
    (lenses / "broken.fits").unlink()
    out = tmp_path / "results"
    for part in (1, 2):
        outcome = astrorim(
            *("reconstruct", "--input-dir", lenses, "--output-dir", out),
            *("--shard", f"{part}/2"),
        )
        assert outcome.status == 0
    assert set(rows_of(out, "status_1_of_2.ecsv")) == {"lens_0"}
    assert set(rows_of(out, "status_2_of_2.ecsv")) == {"lens_1"}


def test_lens_model_of_choice_is_fitted(astrorim, networks, lenses, tmp_path):
    outcome = astrorim(
        *("reconstruct", lenses / "lens_0.fits", "--output-dir", tmp_path / "r", *networks),
        *("--lens-model", "sie", "--source-size", "16"),
    )
    assert outcome.status == 0, outcome.err
    document = json.loads((tmp_path / "r" / "lens_0_parameters.json").read_text())
    assert document["lens_model"] == "sie"
    assert {"gamma", "gamma_phi", "kappa_s", "rs"} <= set(document["unconstrained"])


def test_two_images_of_one_name_are_refused_before_anything_is_done(
    astrorim, lenses, simulated, tmp_path
):
    shutil.copy(lenses / "lens_0.fits", tmp_path / "lens_0.fits")
    outcome = astrorim(
        *("reconstruct", lenses / "lens_0.fits", tmp_path / "lens_0.fits"),
        *("--output-dir", tmp_path / "results"),
    )
    assert outcome.status == 2
    assert "would both be called 'lens_0'_*" in outcome.err
    assert not (tmp_path / "results").exists()


@pytest.mark.parametrize(
    "options, status, complaint",
    [
        (("--input-dir", "LENSES"), 2, "give one of: IMAGE files"),
        (("--catalogue", "none.csv"), 2, "give one of: IMAGE files"),
        (("--device", "cdua"), 1, "--device must be auto, cpu or cuda, got 'cdua'"),
        (("--rim-model", "none.safetensors"), 1, "there are no weights at"),
        (("--lens-model", "sie+sheer"), 1, "unknown lens model 'sheer'"),
    ],
)
def test_wrong_options_are_told(
    astrorim, weights, lenses, tmp_path, options, status, complaint
):
    given = [option.replace("LENSES", str(lenses)) for option in options]
    outcome = astrorim(
        *("reconstruct", lenses / "lens_0.fits", "--output-dir", tmp_path / "r"),
        *("--forward-model", weights[0], "--rim-model", weights[1], *given),
    )
    assert outcome.status == status
    assert complaint in outcome.err
    assert "Traceback" not in outcome.err


def test_a_single_lens_is_refined_and_several_are_not(astrorim, recorder, lenses, monkeypatch):
    refined = type(recorder)()
    monkeypatch.setattr("astrorim.cli.reconstruct.load_refinement", lambda _: refined)
    out = lenses / "results"
    assert astrorim("reconstruct", lenses / "lens_0.fits", "--output-dir", out).status == 0
    assert (refined.calls, recorder.calls) == ([["lens_0"]], [])
    both = [lenses / f"lens_{i}.fits" for i in (0, 1)]
    command = ("reconstruct", *both, "--output-dir", out, "--overwrite")
    assert astrorim(*command).status == 0
    assert (len(refined.calls), recorder.calls) == (1, [["lens_0"], ["lens_1"]])
    assert astrorim(*command, "--refine", "map").status == 0
    assert refined.calls[1:] == [["lens_0"], ["lens_1"]]

from __future__ import annotations

import numpy as np
import pytest
from astropy.io import fits
from astropy.table import Table

from astrorim.cli.jobs import LensJob
from astrorim.cli.preparation_batch import expand_bands
from astrorim.observation import LensObservation

HEADER = {"CTYPE1": "RA---TAN", "CTYPE2": "DEC--TAN", "CRVAL1": 150.0, "CRVAL2": 2.0,
          "CRPIX1": 41.0, "CRPIX2": 41.0, "CD1_1": -1.4e-5, "CD1_2": 0.0, "CD2_1": 0.0,
          "CD2_2": 1.4e-5, "BUNIT": "electron/s", "EXPTIME": 500.0}  # fmt: skip


@pytest.fixture
def folder(tmp_path, rng):
    """Two images, one without a unit, one that is no FITS, and one that is cut off."""
    folder = tmp_path / "raw"
    folder.mkdir()
    y, x = np.indices((81, 81)) - 40.0
    for name in ("a", "b", "no_unit"):
        data = np.exp(-(x**2 + y**2) / 18) + rng.normal(0.05, 0.01, (81, 81))
        header = fits.Header(HEADER)
        if name == "no_unit":
            del header["BUNIT"]
        fits.writeto(folder / f"{name}.fits", data.astype("f4"), header)
    (folder / "text.fits").write_bytes(b"this is no FITS file")
    whole = (folder / "a.fits").read_bytes()
    (folder / "cut.fits").write_bytes(whole[: len(whole) // 2])
    return folder


def test_bad_files_cost_only_themselves_and_the_run_resumes(astrorim, folder, tmp_path):
    out = tmp_path / "ready"
    command = ("prepare", "--input_dir", folder, "--output_dir", out, "--size", 41)
    outcome = astrorim(*command)
    assert outcome.status == 1
    assert "2 prepared, 0 skipped, 3 failed" in outcome.out
    assert "1 failed: the unit of the image is missing" in outcome.out
    table = Table.read(out / "prepared.ecsv")
    assert list(table["status"]) == ["ok", "ok", "failed", "failed", "failed"]
    assert "truncated" in table["reason"][2]
    assert "--unit" in table["reason"][3]
    np.testing.assert_allclose(table["sky"][:2], 0.05, atol=0.003)
    result = LensObservation.read(out / "a.fits")
    assert result.shape == (41, 41)
    assert result.has_noise
    assert result.meta["NOISEMAP"] == "sky+photons"
    assert sorted(path.name for path in out.iterdir()) == ["a.fits", "b.fits", "prepared.ecsv"]

    (out / "b.fits").unlink()
    before = (out / "a.fits").stat().st_mtime_ns
    outcome = astrorim(*command)
    assert "1 prepared, 1 skipped, 3 failed" in outcome.out
    assert (out / "a.fits").stat().st_mtime_ns == before
    outcome = astrorim(*command[:-1], 43)
    assert "holds results of other files or options under the name 'a'" in outcome.err


def test_choices_are_those_of_the_library():
    from astrorim.cli.main import build_parser
    from astrorim.preparation.choices import NOISE_SOURCES, SKY_MODES
    from astrorim.preparation.weights import WEIGHT_TYPES

    parser = build_parser().parse_args(["prepare", "a.fits", "--output-dir", "b"]).parser
    choices = {action.dest: action.choices for action in parser._actions}
    assert choices["noise_source"] == NOISE_SOURCES
    assert choices["sky"] == SKY_MODES
    assert choices["weight_type"] == WEIGHT_TYPES


def test_asdf_and_figure(astrorim, folder, tmp_path):
    out = tmp_path / "ready"
    outcome = astrorim(
        *("prepare", folder / "a.fits", "--format", "asdf", "--figure", "--output-dir", out),
        *("--centre", "40,40", "--resample", "0.1008 arcsec"),
    )
    assert outcome.status == 0, outcome.err
    assert LensObservation.read(out / "a.asdf").shape == (40, 40)
    assert (out / "prepared.png").stat().st_size > 5000


def test_all_bands_of_a_file(astrorim, shared_data, tmp_path):
    path = shared_data / "other" / "euclid_q1" / "euclid_102018665.fits"
    command = ("prepare", path, "--unit", "adu", "--output-dir", tmp_path)
    assert "8 HDUs that may be the image" in astrorim(*command).err
    jobs = expand_bands([LensJob("lens", path, {"unit": "adu"})])
    assert [job.name for job in jobs[:3]] == ["lens_DES_G", "lens_DES_R", "lens_VIS"]
    assert len(jobs) == 8
    assert jobs[2].read().psf.shape == (21, 21)


def test_a_file_that_cannot_be_opened_is_one_faulty_job(folder):
    (job,) = expand_bands([LensJob("text", folder / "text.fits", {})])
    assert "is not a FITS file" in job.fault


def test_the_image_is_not_overwritten(astrorim, folder):
    outcome = astrorim(
        "prepare", folder / "a.fits", "--output-dir", folder, "--overwrite", "--sky", "keep"
    )
    assert outcome.status == 1
    assert "is the image itself" in outcome.err


def test_wrong_options_are_a_usage_error(astrorim, folder, tmp_path):
    outcome = astrorim(
        "prepare", folder / "a.fits", "--output-dir", tmp_path, "--centre", "somewhere"
    )
    assert outcome.status == 2
    assert "--centre must be auto, frame" in outcome.err

from __future__ import annotations

import numpy as np

from astrorim.observation import LensObservation


def test_folder_is_scaled_and_cropped(astrorim, simulated, tmp_path):
    outcome = astrorim(
        *("normalize", "--input_dir", simulated, "--output_dir", tmp_path),
        *("--target_size", 32, "--method", "minmax"),
    )
    assert outcome.status == 0, outcome.err
    assert "2 normalized, 0 skipped, 0 failed" in outcome.out
    result = LensObservation.read(tmp_path / "lensed_00000.fits")
    assert result.shape == (32, 32)
    assert (result.data[result.good].min(), result.data[result.good].max()) == (0, 1)
    np.testing.assert_allclose(result.grid.pixel_scale, 0.08)


def test_clipping_is_warned_and_only_of_percentiles(astrorim, simulated, tmp_path):
    command = ("normalize", "--input-dir", simulated, "--output-dir", tmp_path, "--clip")
    assert "goes with --method percentile, got 'robust'" in astrorim(*command).err
    outcome = astrorim(*command, "--method", "percentile")
    assert outcome.status == 0
    assert "not linear" in outcome.err


def test_large_target_fails_with_the_size(astrorim, simulated, tmp_path):
    outcome = astrorim(
        "normalize", "--input-dir", simulated, "--output-dir", tmp_path, "--target-size", 400
    )
    assert outcome.status == 1
    assert "the cutout must lie inside the image of shape (40, 40)" in outcome.err
    assert [path.name for path in tmp_path.iterdir()] == ["normalized.ecsv"]


def test_unknown_method_is_answered_with_those_that_exist(astrorim, simulated, tmp_path):
    outcome = astrorim(
        "normalize", "--input-dir", simulated, "--output-dir", tmp_path, "--method", "zscale"
    )
    assert outcome.status == 1
    assert "available: minmax, percentile, robust" in outcome.err


def test_finished_images_are_skipped_unless_asked_for_otherwise(astrorim, simulated, tmp_path):
    command = ("normalize", "--input-dir", simulated, "--output-dir", tmp_path)
    assert astrorim(*command).status == 0
    target = tmp_path / "lensed_00000.fits"
    before = target.stat().st_mtime_ns
    assert "0 normalized, 2 skipped" in astrorim(*command).out
    outcome = astrorim(*command, "--method", "minmax")
    assert outcome.status == 1
    assert "holds results of other files or options under the name 'lensed_0" in outcome.err
    assert target.stat().st_mtime_ns == before
    assert "2 normalized" in astrorim(*command, "--method", "minmax", "--overwrite").out

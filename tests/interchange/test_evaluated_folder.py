"""Reconstructions and truths matched by name."""

from __future__ import annotations

import pytest

from astrorim.exceptions import AstroRIMError
from astrorim.interchange.evaluated_folder import evaluate_folder, matching_truth


@pytest.mark.parametrize(
    "name, truth",
    [
        ("lensed_00003.asdf", "source_00003.fits"),
        ("lensed_00003.asdf", "lensed_00003.asdf"),
        ("lens_00003.asdf", "lens_00003.asdf"),
        ("lensed_00003_b.asdf", "source_00003_b.fits"),
    ],
)
def test_truths_are_found_by_name(tmp_path, name, truth):
    (tmp_path / truth).touch()
    assert matching_truth(tmp_path / "results" / name, tmp_path) == tmp_path / truth


def test_what_has_no_truth_is_named(tmp_path):
    with pytest.raises(AstroRIMError, match="no source_7.fits and no lensed_7.asdf"):
        matching_truth(tmp_path / "lensed_7.asdf", tmp_path / "truths")


def test_a_result_is_not_its_own_truth(tmp_path):
    (tmp_path / "lens_1.asdf").touch()
    with pytest.raises(AstroRIMError, match="no lens_1.asdf"):
        matching_truth(tmp_path / "lens_1.asdf", tmp_path)


def test_an_empty_folder_is_refused(tmp_path):
    with pytest.raises(AstroRIMError, match="holds no .asdf files"):
        evaluate_folder(tmp_path, tmp_path)


def test_nothing_but_bad_files_is_an_error(tmp_path):
    (tmp_path / "lens_1.asdf").touch()
    with pytest.raises(AstroRIMError, match="none of 1 files could be judged; lens_1.asdf"):
        evaluate_folder(tmp_path, tmp_path)

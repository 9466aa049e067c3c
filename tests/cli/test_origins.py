"""What results were made of is known by its content."""

from __future__ import annotations

import pytest

from astrorim.cli import origins
from astrorim.exceptions import ObservationError


def test_a_request_knows_files_by_their_content(tmp_path):
    path = tmp_path / "psf.fits"
    path.write_bytes(b"one")
    before = origins.request_of(psf=str(path), seed=1, band=None)
    assert before["psf"] == f"sha256 {origins.file_checksum(path)}"
    assert sorted(before) == ["psf", "seed"]
    path.rename(tmp_path / "other.fits")
    assert origins.request_of(psf=tmp_path / "other.fits", seed=1) == before
    (tmp_path / "other.fits").write_bytes(b"two")
    after = origins.request_of(psf=tmp_path / "other.fits", seed=1)
    assert origins.request_checksum(after) != origins.request_checksum(before)
    origins.check_request("a", before, before)
    origins.check_request("a", origins.request_checksum(before), before)
    with pytest.raises(ObservationError, match="results of another psf under the name 'a'"):
        origins.check_request("a", before, after)
    with pytest.raises(ObservationError, match="results of other files or options"):
        origins.check_request("a", None, after)

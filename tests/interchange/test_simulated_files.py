from __future__ import annotations

import shutil
import subprocess
import sys

import pytest

from astrorim.exceptions import SimulationError
from astrorim.interchange.simulated_files import (
    check_space,
    replace_file,
    sole_writer,
    write_whole,
)


def test_a_file_appears_whole(tmp_path):
    write_whole(tmp_path / "a", b"first")
    write_whole(tmp_path / "a", b"second")
    assert [path.name for path in tmp_path.iterdir()] == ["a"]
    assert (tmp_path / "a").read_bytes() == b"second"


def test_a_file_that_fails_leaves_the_old_one(tmp_path):
    write_whole(tmp_path / "a", b"first")

    def fail():
        with replace_file(tmp_path / "a") as part:
            part.write_bytes(b"sec")
            raise OSError("no space left on device")

    with pytest.raises(SimulationError, match="a cannot be written .no space left"):
        fail()
    assert [path.name for path in tmp_path.iterdir()] == ["a"]
    assert (tmp_path / "a").read_bytes() == b"first"


def test_what_a_killed_run_left_is_removed(tmp_path):
    (tmp_path / ".lensed_00001.fits.12.part").write_bytes(b"half")
    with sole_writer(tmp_path):
        assert not list(tmp_path.iterdir())


def test_one_run_writes_at_a_time(tmp_path):
    code = (
        "import sys, pathlib; from astrorim.interchange.simulated_files import sole_writer\n"
        "with sole_writer(pathlib.Path(sys.argv[1])): pass"
    )
    with sole_writer(tmp_path):
        other = subprocess.run(
            [sys.executable, "-c", code, tmp_path], capture_output=True, text=True, check=False
        )
    assert "another run is writing to" in other.stderr
    with sole_writer(tmp_path):
        pass


def test_a_directory_that_cannot_be_made_is_refused(tmp_path):
    (tmp_path / "file").write_text("")
    with (
        pytest.raises(SimulationError, match="directory must be one that can be written"),
        sole_writer(tmp_path / "file"),
    ):
        pass


def test_too_little_space_is_told_with_both_numbers(tmp_path, monkeypatch):
    usage = shutil.disk_usage(tmp_path)._replace(free=2_000_000_000)
    monkeypatch.setattr(shutil, "disk_usage", lambda _: usage)
    check_space(tmp_path, 10_000, 150_000)
    with pytest.raises(SimulationError, match=r"20000 lenses need 3.1 GB, got 2.0 GB free"):
        check_space(tmp_path, 20_000, 150_000)

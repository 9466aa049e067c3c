from __future__ import annotations

import subprocess
import sys

import pytest

from astrorim.observation.temporary_rooms import remove_stale_rooms, temporary_room
from astrorim.observation.unified_io import replacing

KILLED = """
import os, signal, sys
from astrorim.observation.temporary_rooms import temporary_room
with temporary_room(sys.argv[1]) as room:
    (room / "half.fits").write_bytes(b"half")
    os.kill(os.getpid(), signal.SIGKILL)
"""


def test_a_room_is_gone_at_the_end_whatever_happens(tmp_path):
    def interrupted():
        with temporary_room(tmp_path) as room:
            assert room.parent == tmp_path
            (room / "half.fits").touch()
            raise KeyboardInterrupt("now")

    with pytest.raises(KeyboardInterrupt, match="now"):
        interrupted()
    assert list(tmp_path.iterdir()) == []


def test_what_a_killed_process_left_is_removed_and_nothing_else(tmp_path):
    done = subprocess.run([sys.executable, "-c", KILLED, str(tmp_path)], check=False)
    assert done.returncode == -9
    (left,) = tmp_path.iterdir()
    assert (left / "half.fits").is_file()
    others = [
        tmp_path / left.name.replace(left.name.split("-")[1], "0123456789ab"),  # elsewhere
        tmp_path / ".astrorim-notes",
        tmp_path / "results.asdf",
    ]
    for path in others:
        path.mkdir()
    with temporary_room(tmp_path) as room:
        assert remove_stale_rooms(tmp_path) == [left]
        assert room.is_dir()
        assert set(tmp_path.iterdir()) == {room, *others}


def test_a_link_of_such_a_name_is_not_followed(tmp_path):
    folder = tmp_path / "out"
    folder.mkdir()
    with temporary_room(folder) as room:
        name = room.name
    target = tmp_path / "precious"
    target.mkdir()
    parts = name.split("-")
    link = folder / "-".join([*parts[:2], str(2**22 + 1), "abc"])  # above the largest number
    link.symlink_to(target)
    assert remove_stale_rooms(folder) == []
    assert target.is_dir()


def test_replacing_uses_a_room(tmp_path):
    with replacing(tmp_path / "a.txt", overwrite=False) as temporary:
        assert temporary.parent.name.startswith(".astrorim-")
        temporary.write_text("a")
    assert [path.name for path in tmp_path.iterdir()] == ["a.txt"]

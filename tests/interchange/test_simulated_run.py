from __future__ import annotations

import functools
import os
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from astrorim.exceptions import SimulationError
from astrorim.interchange import simulated_run
from astrorim.interchange.simulated_run import (
    FORMATS,
    SimulationRequest,
    simulate_to_directory,
)

SMALL = {"number": 7, "seed": 9, "shape": (16, 16), "supersampling": 2, "batch_size": 3}


def request(directory, **changes):
    return SimulationRequest("foundation", directory, **(SMALL | changes))


def contents(directory):
    return {path.name: path.read_bytes() for path in directory.iterdir()}


@pytest.fixture(scope="module")
def written(tmp_path_factory):
    """Function that gives the files of a dataset of a format, written at once."""

    @functools.cache
    def write(format_name):
        directory = tmp_path_factory.mktemp("whole")
        simulate_to_directory(request(directory, format_name=format_name))
        return contents(directory)

    return write


@pytest.fixture(params=FORMATS)
def whole(request, written):
    """Files of a dataset written at once, and its format."""
    return written(request.param), request.param


def test_files_do_not_depend_on_workers_or_batches(whole, tmp_path):
    expected, format_name = whole
    asked = request(tmp_path, format_name=format_name, batch_size=2)
    simulate_to_directory(asked, workers=2)
    assert contents(tmp_path) == expected


def test_progress_counts_each_lens_once(whole, tmp_path):
    _, format_name = whole
    counts, before = [], []
    asked = request(tmp_path, format_name=format_name)
    for _ in range(2):
        simulate_to_directory(asked, begun=before.append, progress=counts.append)
    assert before == [0, 7]
    assert sum(counts) == 7


_KILLED = """
import os, signal, sys
from pathlib import Path
from astrorim.interchange import simulated_files, simulated_run
calls, last, where = 0, int(sys.argv[3]), sys.argv[4]
original = Path.replace
def replace(self, target):
    global calls
    calls += 1
    if calls == last:
        if where == "torn":
            self.write_bytes(self.read_bytes()[:100])
        else:
            original(self, target)
        os.kill(os.getpid(), signal.SIGKILL)
    return original(self, target)
Path.replace = replace
request = simulated_run.SimulationRequest(
    "foundation", Path(sys.argv[1]), number=7, seed=9, shape=(16, 16), supersampling=2,
    batch_size=3, format_name=sys.argv[2],
)
simulated_run.simulate_to_directory(request)
"""


@pytest.mark.parametrize(
    ("format_name", "last", "where"),
    [
        ("fits", 1, "torn"),
        ("fits", 4, "after"),
        ("fits", 8, "after"),
        ("asdf", 3, "torn"),
        ("shards", 1, "after"),
        ("shards", 2, "torn"),
    ],
)
def test_a_killed_run_resumes_to_the_same_bytes(written, tmp_path, format_name, last, where):
    """Killed for good, while a file is half written or has just appeared."""
    expected = written(format_name)
    done = subprocess.run(
        [sys.executable, "-c", _KILLED, tmp_path, format_name, str(last), where],
        check=False,
    )
    assert done.returncode == -signal.SIGKILL
    assert contents(tmp_path) != expected
    simulate_to_directory(request(tmp_path, format_name=format_name))
    assert contents(tmp_path) == expected


def test_a_run_killed_with_its_workers_resumes_to_the_same_bytes(written, tmp_path):
    """They end with the process that began them."""
    expected, format_name = written("fits"), "fits"
    code = (
        "import sys\nfrom pathlib import Path\n"
        "from astrorim.interchange.simulated_run import *\n"
        "if __name__ == '__main__':\n"
        "    simulate_to_directory(SimulationRequest('foundation', Path(sys.argv[1]), number=7,"
        " seed=9, shape=(16, 16), supersampling=2, batch_size=1, format_name=sys.argv[2]),"
        " workers=2)\n"
    )
    script = tmp_path / "run.py"
    script.write_text(code)
    directory = tmp_path / "out"
    run = subprocess.Popen([sys.executable, script, directory, format_name])
    deadline = time.monotonic() + 120
    while run.poll() is None and time.monotonic() < deadline:
        if directory.exists() and any(p.suffix != ".part" for p in directory.iterdir()):
            break
        time.sleep(0.01)
    children = Path(f"/proc/{run.pid}/task/{run.pid}/children")
    begun = children.read_text().split() if children.exists() else []
    run.kill()
    run.wait()
    _wait_for_end(begun)
    simulate_to_directory(request(directory, format_name=format_name))
    assert contents(directory) == expected


def _wait_for_end(processes):
    """Wait until processes are gone, and fail if one stays."""
    for _ in range(200):
        left = [process for process in processes if _state(process) not in {"Z", "X"}]
        if not left:
            return
        time.sleep(0.05)
    pytest.fail(f"processes {left} outlived the run that began them")


def _state(process):
    try:
        return Path(f"/proc/{process}/stat").read_text().rpartition(")")[2].split()[0]
    except OSError:
        return "X"


def test_space_is_checked_for_the_whole_run(whole, tmp_path, monkeypatch):
    _, format_name = whole
    usage = shutil.disk_usage(tmp_path)._replace(free=100_000_000)
    monkeypatch.setattr(shutil, "disk_usage", lambda _: usage)
    asked = request(tmp_path, number=100_000, format_name=format_name)
    with pytest.raises(SimulationError, match=r"100000 lenses need .* GB, got 100\.0 MB free"):
        simulate_to_directory(asked)
    assert not list(tmp_path.iterdir())


def test_what_is_there_needs_no_space_again(whole, tmp_path, monkeypatch):
    _, format_name = whole
    asked = request(tmp_path, format_name=format_name)
    simulate_to_directory(asked)
    usage = shutil.disk_usage(tmp_path)._replace(free=0)
    monkeypatch.setattr(shutil, "disk_usage", lambda _: usage)
    simulate_to_directory(asked)


def test_a_longer_run_begins_alike(whole, tmp_path):
    expected, format_name = whole
    simulate_to_directory(request(tmp_path, start=3, number=2, format_name=format_name))
    simulate_to_directory(request(tmp_path, format_name=format_name))
    assert contents(tmp_path) == expected


def test_another_seed_is_not_mixed_in(whole, tmp_path):
    _, format_name = whole
    simulate_to_directory(request(tmp_path, number=1, format_name=format_name))
    with pytest.raises(SimulationError, match="seed 9, asked for 8"):
        simulate_to_directory(request(tmp_path, seed=8, number=1, format_name=format_name))


def test_a_worker_that_dies_is_told(tmp_path):
    tasks = simulated_run._in_order(os._exit, [3, 3, 3], 2)
    with pytest.raises(SimulationError, match="one of 2 workers ended before its work"):
        list(tasks)


def test_requests_are_checked(tmp_path):
    with pytest.raises(SimulationError, match="must be one of fits, asdf, shards, got 'zarr'"):
        request(tmp_path, format_name="zarr")
    with pytest.raises(SimulationError, match="suffix must be empty for shards, got '_a'"):
        request(tmp_path, format_name="shards", suffix="_a")


def test_memory_holds_a_few_results_only(monkeypatch):
    """Work in another process is handed out a little ahead of what is taken."""
    begun = []

    def tasks():
        for number in range(40):
            begun.append(number)
            yield number

    results = simulated_run._in_order(abs, tasks(), 2)
    assert next(results) == 0
    assert len(begun) <= 2 * simulated_run._AHEAD
    assert list(results) == list(range(1, 40))

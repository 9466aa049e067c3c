from __future__ import annotations

import os
import platform
import subprocess
import sys

import pytest

from astrorim.cli.memory import keep_freed_memory

FAULTS = """
import resource, sys
from astrorim.cli.memory import keep_freed_memory
from astrorim.plugins import load_plugins
if sys.argv[1] == "keep":
    keep_freed_memory()
simulator = load_plugins().simulators.create("foundation")
simulator.simulate(2, seed=1)
before = resource.getrusage(resource.RUSAGE_SELF).ru_minflt
simulator.simulate(8, seed=1)
print(resource.getrusage(resource.RUSAGE_SELF).ru_minflt - before)
"""


def faults(mode: str) -> int:
    environment = {k: v for k, v in os.environ.items() if not k.startswith("MALLOC_")}
    command = [sys.executable, "-c", FAULTS, mode]
    done = subprocess.run(command, capture_output=True, text=True, check=True, env=environment)
    return int(done.stdout)


def test_memory_is_kept_where_the_c_library_is_glibc(monkeypatch):
    environment = {}
    monkeypatch.setattr("astrorim.cli.memory.os.environ", environment)
    assert keep_freed_memory() == (platform.libc_ver()[0] == "glibc")
    assert all(name.startswith("MALLOC_") for name in environment)


@pytest.mark.skipif(platform.libc_ver()[0] != "glibc", reason="needs the GNU C library")
def test_simulating_touches_fewer_fresh_pages():
    assert 2 * faults("keep") < faults("leave")

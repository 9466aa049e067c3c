from __future__ import annotations

import os
import platform
import subprocess
import sys

import pytest

from astrorim.cli.memory import keep_freed_memory

FAULTS = """
import resource, sys
import torch
from astrorim.cli.memory import keep_freed_memory
if sys.argv[1] == "keep":
    keep_freed_memory()
x = torch.ones(400_000)
for _ in range(20):
    y = x * 2 + 1
before = resource.getrusage(resource.RUSAGE_SELF).ru_minflt
for _ in range(2000):
    y = (x * 2 + 1) * (x + 3)
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
def test_arrays_made_again_and_again_fault_fewer_pages():
    """2000 expressions on arrays of 1.6 MB."""
    assert 3 * faults("keep") < faults("leave")

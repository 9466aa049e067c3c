"""Fixtures and switches that all tests share."""

from __future__ import annotations

import os
import random
from pathlib import Path

import numpy as np
import pytest

REPOSITORY = Path(__file__).parents[1]
SHARED_DATA = REPOSITORY.parent / "shared" / "data"
SEED = 20260131


def pytest_addoption(parser):
    group = parser.getgroup("astrorim")
    group.addoption("--device", default="cpu", help="torch device that tests compute on")
    group.addoption(
        "--dtype",
        default="float64",
        choices=["float32", "float64"],
        help="floating-point type that tests compute in",
    )


def pytest_configure(config):
    # a test run shares its machine: no more threads than asked for, one for each process of
    # several and two for a single one by default
    os.environ.setdefault("MPLBACKEND", "agg")
    if config.getoption("numprocesses", default=None):
        os.environ.setdefault("OMP_NUM_THREADS", "1")  # which the processes inherit
    import torch

    torch.set_num_threads(int(os.environ.get("OMP_NUM_THREADS", min(2, os.cpu_count() or 1))))


@pytest.fixture
def device(request):
    import torch

    return torch.device(request.config.getoption("--device"))


@pytest.fixture
def dtype(request):
    import torch

    return getattr(torch, request.config.getoption("--dtype"))


@pytest.fixture(autouse=True)
def _fixed_seeds():
    """Seed every generator, for what draws without being given one."""
    import torch

    random.seed(SEED)
    np.random.seed(SEED)  # noqa: NPY002  (third-party code draws from the global state)
    torch.manual_seed(SEED)


@pytest.fixture
def rng():
    return np.random.default_rng(SEED)


@pytest.fixture
def generator(device):
    import torch

    return torch.Generator(device=device).manual_seed(SEED)


@pytest.fixture(scope="session")
def shared_data():
    """Folder of real observations that stands beside the checkout on some machines."""
    if not SHARED_DATA.is_dir():
        pytest.skip("real observations are not installed in ../shared/data beside the checkout")
    return SHARED_DATA


@pytest.fixture(scope="session")
def repository():
    """Root of the checkout."""
    return REPOSITORY

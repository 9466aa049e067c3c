"""What all registered PSFs promise: centre, normalisation, realised width, shape."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch

from astrorim.plugins import load_plugins
from astrorim.testing import PSFContract

FROM_IMAGES = {"measured", "stars", "gridded"}
ANALYTIC = [name for name in load_plugins().psfs.names() if name not in FROM_IMAGES]


def parameters(fwhm=0.3, ellipticity=0.0, angle=0.0, beta=3.0):
    values = {"fwhm": fwhm, "ellipticity": ellipticity, "angle": angle, "beta": beta}
    return {name: torch.tensor([value], dtype=torch.float64) for name, value in values.items()}


class TestRegisteredPSFs(PSFContract):
    @pytest.fixture(params=ANALYTIC)
    def model(self, request):
        return load_plugins().psfs.create(request.param)


@pytest.mark.parametrize("name", ANALYTIC)
def test_centroid_is_the_middle(name):
    kernel = load_plugins().psfs.create(name)
    sampling = torch.tensor([0.02], dtype=torch.float64)
    values = kernel.kernel(sampling, 101, parameters(ellipticity=0.3, angle=0.4))[0].numpy()
    offset = np.arange(101) - 50
    assert abs((values * offset).sum()) < 1e-12
    assert abs((values * offset[:, None]).sum()) < 1e-12


@pytest.mark.parametrize("name", ANALYTIC)
def test_realised_fwhm(name):
    """Half maximum at FWHM/2 from the centre, and at the axes' ratio when elliptical."""
    model = load_plugins().psfs.create(name)
    sampling = torch.tensor([0.15], dtype=torch.float64)
    values = model.kernel(sampling, 3, parameters(fwhm=0.3))[0]
    assert float(values[1, 2] / values[1, 1]) == pytest.approx(0.5, abs=1e-9)
    q = 0.64
    stretched = parameters(fwhm=0.3 * math.sqrt(q), ellipticity=1 - q)
    values = model.kernel(sampling, 3, stretched)[0]
    assert float(values[1, 2] / values[1, 1]) == pytest.approx(0.5, abs=1e-9)
    stretched["angle"] += math.pi / 2
    values = model.kernel(sampling, 3, stretched)[0]
    assert float(values[2, 1] / values[1, 1]) == pytest.approx(0.5, abs=1e-9)


def test_major_axis_turns_counter_clockwise():
    """At 45 degrees the corner at +x +y is brighter than the one at -x +y."""
    model = load_plugins().psfs.create("gaussian")
    sampling = torch.tensor([0.1], dtype=torch.float64)
    values = model.kernel(sampling, 3, parameters(ellipticity=0.4, angle=math.pi / 4))[0]
    assert values[2, 2] > values[2, 0]


@pytest.mark.parametrize(
    ("name", "enclosed"), [("gaussian", 0.995), ("moffat", 0.98), ("airy", 0.93)]
)
def test_size_holds_the_fraction_and_is_the_smallest(name, enclosed):
    """Against a kernel that holds practically everything, finely sampled."""
    model = load_plugins().psfs.create(name)
    params = parameters(fwhm=0.1, ellipticity=0.2, angle=0.5)
    sampling = torch.tensor([0.01], dtype=torch.float64)
    size = model.size_for(sampling, params, enclosed)
    wide = 1501
    values = model.kernel(sampling, wide, params)[0]
    # what lies outside even the wide kernel
    total = 1 / min(1.0, _enclosed_by(model, sampling, params, wide))
    cut = (wide - size) // 2

    def fraction(margin):
        return float(values[margin:-margin, margin:-margin].sum()) / total

    assert fraction(cut) >= enclosed - 2e-4
    assert fraction(cut + 1) < enclosed + 2e-4


def _enclosed_by(model, sampling, params, size):
    low, high = 0.5, 1.0
    for _ in range(30):
        middle = (low + high) / 2
        if model.size_for(sampling, params, middle) <= size:
            low = middle
        else:
            high = middle
    return low


def test_airy_centre_is_regular():
    model = load_plugins().psfs.create("airy")
    values = model.intensity(
        torch.tensor([0.0, 1e-12, 1e-8, 1e-6], dtype=torch.float64), parameters(fwhm=1.0)
    )
    assert torch.all(values <= 1)
    assert torch.all(values > 1 - 1e-5)


def test_enclosed_outside_zero_and_one_is_refused():
    model = load_plugins().psfs.create("gaussian")
    with pytest.raises(ValueError, match=r"enclosed must lie between 0 and 1, got 1\.2"):
        model.size_for(torch.tensor([0.1]), parameters(), 1.2)

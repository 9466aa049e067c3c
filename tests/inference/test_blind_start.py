"""Starts found from the image alone."""

from __future__ import annotations

import pytest
import torch

from astrorim.inference.blind_start import StartOptions, _distinct, search_starts
from astrorim.inference.compact_source import CompactFit
from astrorim.lensing.forward import ForwardModel
from astrorim.lensing.system import LensSystem
from astrorim.plugins import load_plugins
from astrorim.rim.objectives import image_data


@pytest.mark.parametrize("theta_e", [0.7, 1.3])
def test_ring_without_lens_light_is_found(ring, theta_e):
    case = ring(theta_e=theta_e)
    starts = search_starts(case.model, case.used)
    column = case.model.system.parameters.index_of("theta_E")
    assert float(starts.values[0, column]) == pytest.approx(theta_e, rel=0.01)


def test_lens_and_its_light_are_found(small_batch):
    plugins = load_plugins()
    system = LensSystem(
        plugins.lens_models.resolve("sie+shear"), plugins.light_models.create("sersic")
    )
    model = ForwardModel(system, image_data(small_batch))
    used = torch.ones(model.shape, dtype=torch.bool)
    starts = search_starts(model, used)
    truth = system.stack(small_batch.lens, small_batch.light).float()
    names = system.parameters.names
    error = (starts.values[0] - truth[0]).tolist()
    assert abs(error[names.index("theta_E")]) < 0.02 * float(truth[0, 0])
    for name in ("e1", "e2", "gamma1", "gamma2"):
        assert abs(error[names.index(name)]) < 0.07
    assert len(starts.values) <= 3


def test_only_the_given_range_is_searched(ring):
    case = ring(theta_e=1.0)
    options = StartOptions(theta_e_range=(0.9, 1.1), num_radii=2)
    starts = search_starts(case.model, case.used, None, options)
    assert float(starts.values[0, 0]) == pytest.approx(1.0, rel=0.01)


def test_starts_that_are_alike_are_one(ring):
    """Of three Einstein radii, two within a hundredth of each other count once."""
    case = ring(theta_e=1.0, signal=3.0)
    column = case.model.system.parameters.index_of("theta_E")
    values = case.values.repeat(3, 1)
    values[:, column] = torch.tensor([1.0, 1.003, 1.03])
    fit = CompactFit(case.model, case.used)
    found = _distinct(fit, fit.begin(values)).values[:, column]
    assert len(found) == 2
    assert abs(float((found[0] / found[1]).log())) > 0.01

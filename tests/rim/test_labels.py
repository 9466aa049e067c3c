from __future__ import annotations

from dataclasses import replace

import pytest
import torch

from astrorim.lensing.system import LensSystem
from astrorim.rim.labels import encoder_labels, with_effective_radius
from astrorim_plugins.simulators.einstein_radius import effective_einstein_radius


def radius_of(system, values):
    lens = {p.name: values[:, i] for i, p in enumerate(system.lens.parameters)}
    return effective_einstein_radius(system.lens, lens)


def test_labels_have_the_effective_radius_that_is_asked_for(system, values):
    wanted = torch.linspace(0.3, 2.5, len(values), dtype=values.dtype)
    changed = with_effective_radius(system, values, wanted)
    torch.testing.assert_close(radius_of(system, changed), wanted, rtol=1e-4, atol=0)
    column = system.parameters.index_of("theta_E")
    others = [i for i in range(values.shape[1]) if i != column]
    assert torch.equal(changed[:, others], values[:, others])


def test_labels_of_steeper_profiles_are_found_by_repetition(plugins):
    lens = plugins.lens_models.resolve("epl+shear")
    system = LensSystem(lens)
    row = {p.name: 0.0 for p in lens.parameters} | {"theta_E": 1.0, "e1": 0.1, "slope": 2.1}
    values = torch.tensor([[row[p.name] for p in lens.parameters]], dtype=torch.float64)
    wanted = torch.tensor([1.3], dtype=torch.float64)
    changed = with_effective_radius(system, values, wanted)
    torch.testing.assert_close(radius_of(system, changed), wanted, rtol=2e-3, atol=0)


def test_parameters_stay_where_there_is_no_radius(system, values):
    nowhere = torch.full_like(values[:, 0], torch.nan)
    assert torch.equal(with_effective_radius(system, values, nowhere), values)


def test_lenses_of_the_model_keep_what_was_drawn(system, simulated, values):
    wrong = replace(simulated, metadata={"effective_einstein_radius": values[:, 0] * 2})
    assert torch.equal(encoder_labels(system, wrong), values)


@pytest.mark.parametrize("name", ["enhanced", "expanded"])
def test_labels_of_complex_lenses_have_the_radius_of_the_whole(name, plugins, system):
    drawn = plugins.simulators.create(name).simulate(6, seed=4, supersampling=1)
    labels = encoder_labels(system, drawn)
    whole = drawn.metadata["effective_einstein_radius"]
    torch.testing.assert_close(radius_of(system, labels), whole, rtol=1e-3, atol=0)
    column = system.parameters.index_of("theta_E")
    assert not torch.equal(labels[:, column], drawn.lens["theta_E"])

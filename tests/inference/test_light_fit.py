"""The lens galaxy's light fitted without its arcs."""

from __future__ import annotations

from dataclasses import replace

import pytest
import torch

from astrorim.inference.coarse_images import coarse_model
from astrorim.inference.light_fit import fit_light, light_on_frame, smoothed
from astrorim.lensing.forward import ForwardModel
from astrorim.lensing.system import LensSystem
from astrorim.plugins import load_plugins
from astrorim.rim.objectives import image_data


def test_mean_over_nine_pixels():
    image = torch.zeros(5, 5)
    image[2, 2] = 9.0
    smooth = smoothed(image)
    assert smooth[1:4, 1:4].tolist() == [[1.0] * 3] * 3
    assert float(smooth[0].abs().max()) == 0


def test_light_is_not_taken_from_the_arcs(small_batch):
    """The galaxy's centre and flux near it are found under a bright ring."""
    plugins = load_plugins()
    system = LensSystem(
        plugins.lens_models.resolve("sie+shear"), plugins.light_models.create("sersic")
    )
    model = ForwardModel(system, image_data(small_batch))
    truth = system.stack(small_batch.lens, small_batch.light).float()
    values = fit_light(model, torch.ones(model.shape, dtype=torch.bool))
    names = system.parameters.names
    for name in ("light_x0", "light_y0"):
        place = names.index(name)
        assert abs(float(values[0, place] - truth[0, place])) < 0.02
    core = (0, slice(20, 28), slice(20, 28))
    ratio = model.lens_light(values)[core].sum() / model.lens_light(truth)[core].sum()
    assert 0.8 < float(ratio) < 1.25


def test_without_light_nothing_is_fitted(ring):
    case = ring()
    assert fit_light(case.model, case.used, case.values) is case.values


def test_amplitude_on_the_whole_frame_is_that_of_the_image(small_batch):
    """The arcs taken away, the light's amplitude is the true one whatever it was before."""
    plugins = load_plugins()
    system = LensSystem(
        plugins.lens_models.resolve("sie+shear"), plugins.light_models.create("sersic")
    )
    model = ForwardModel(system, image_data(small_batch))
    truth = system.stack(small_batch.lens, small_batch.light).float()
    amplitude = system.parameters.index_of("light_amplitude")
    wrong = truth.clone()
    wrong[0, amplitude] *= 3
    arcs = small_batch.noise_free - small_batch.lens_light
    used = torch.ones(model.shape, dtype=torch.bool)
    found = light_on_frame(model, used, wrong, arcs, used)
    assert float(found[0, amplitude] / truth[0, amplitude]) == pytest.approx(1, abs=0.02)
    others = [i for i in range(len(system.parameters)) if i != amplitude]
    assert torch.equal(found[0, others], truth[0, others])


def test_the_outskirts_count_little(small_batch):
    """Outskirts twice as bright as the profile hardly change the light under the arcs."""
    plugins = load_plugins()
    system = LensSystem(
        plugins.lens_models.resolve("sie+shear"), plugins.light_models.create("sersic")
    )
    truth = system.stack(small_batch.lens, small_batch.light).float()
    amplitude = system.parameters.index_of("light_amplitude")
    data = image_data(small_batch)
    outside = torch.ones(48, 48, dtype=torch.bool)
    outside[8:40, 8:40] = False
    brighter = data.image + torch.where(outside, small_batch.lens_light, 0.0)
    model = ForwardModel(system, replace(data, image=brighter))
    arcs = small_batch.noise_free - small_batch.lens_light
    used = torch.ones(48, 48, dtype=torch.bool)
    found = light_on_frame(model, used, truth, arcs, ~outside)
    assert float(found[0, amplitude] / truth[0, amplitude]) == pytest.approx(1, abs=0.02)


def test_a_first_fit_that_took_arcs_for_outskirts_is_left_again():
    """A compact galaxy (0.28") inside close arcs, which a fit once followed out to 17"."""
    plugins = load_plugins()
    simulated = plugins.simulators.create("foundation").simulate(
        1, seed=1_100_000_000, start=28
    )
    system = LensSystem(
        plugins.lens_models.resolve("sie+shear"), plugins.light_models.create("sersic")
    )
    model = coarse_model(ForwardModel(system, image_data(simulated)), 1)
    place = system.parameters.index_of("light_half_light_radius")
    start = system.stack(simulated.lens, simulated.light).float()
    for name, value in (
        ("half_light_radius", 0.27),
        ("sersic_index", 1.7),
        ("e1", 0),
        ("e2", 0),
    ):
        start[0, system.parameters.index_of(f"light_{name}")] = value
    values = fit_light(model, torch.ones(model.shape, dtype=torch.bool), start)
    assert 0.2 < float(values[0, place]) < 1.0

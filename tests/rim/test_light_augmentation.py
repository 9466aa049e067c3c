from __future__ import annotations

import pytest
import torch

from astrorim.lensing import ForwardModel, LensSystem
from astrorim.rim.light_augmentation import LightRange, redraw_light
from astrorim.rim.objectives import image_data


def test_nothing_is_redrawn_when_nobody_is_chosen(system, simulated, values, generator):
    outcome = redraw_light(system, simulated, LightRange(fraction=0.0), generator)
    assert torch.equal(outcome[0], values)
    torch.testing.assert_close(outcome[1], simulated.noise_free, rtol=1e-12, atol=1e-15)
    torch.testing.assert_close(outcome[2], simulated.noise, rtol=1e-12, atol=0)


def test_redrawn_image_is_that_of_the_redrawn_parameters(system, simulated, values, generator):
    ranges = LightRange(fraction=1.0)
    new, noise_free, noise = redraw_light(system, simulated, ranges, generator)
    model = ForwardModel(system, image_data(simulated), light_supersampling=2)
    arcs = simulated.noise_free - simulated.lens_light
    torch.testing.assert_close(noise_free - arcs, model.lens_light(new), rtol=1e-10, atol=1e-12)
    # photon noise of the added light, in electrons
    added = noise_free - simulated.noise_free
    variance = (simulated.noise**2 + added / ranges.gain).clamp_min(0.25 * 0.03**2)
    torch.testing.assert_close(noise, variance.sqrt(), rtol=1e-8, atol=0)


def test_lens_and_shape_of_the_galaxy_stay(system, simulated, values, generator):
    new, _, _ = redraw_light(system, simulated, LightRange(fraction=1.0), generator)
    redrawn = {"light_amplitude", "light_half_light_radius", "light_sersic_index"}
    for column, name in enumerate(system.parameters.names):
        assert torch.equal(new[:, column], values[:, column]) == (name not in redrawn)


def test_flux_ratio_lies_in_its_range(system, simulated, generator):
    ranges = LightRange(fraction=1.0, flux_ratio=(2.0, 3.0))
    new, _, _ = redraw_light(system, simulated, ranges, generator)
    arcs = (simulated.noise_free - simulated.lens_light).sum(dim=(-2, -1))
    params = {name: v[:, 0, 0] for name, v in system.light_params(new).items()}
    ratio = system.light.total_flux(params) / arcs
    assert ((ratio > 2) & (ratio < 3)).all()


def test_system_without_light_is_refused(system, simulated, generator):
    with pytest.raises(ValueError, match="must have a light model to redraw, got LensSystem"):
        redraw_light(LensSystem(system.lens), simulated, LightRange(), generator)

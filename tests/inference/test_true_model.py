"""The model that an image was drawn from renders it."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import torch

from astrorim.inference.true_model import true_model
from astrorim.interchange import truth_of
from astrorim.plugins import load_plugins


def test_true_source_through_the_true_model_is_the_image(small_batch, small_truth):
    true = true_model(small_truth, fit_light=False)
    model = true.model
    source = small_batch.source(*model.trace(true.values)) / true.unit_flux
    arcs = model.observe(source, model.supersampling)[0] * true.unit_flux
    expected = small_batch.noise_free[0] - small_batch.lens_light[0]
    # the convolution is done on 2 x 2 elements of a pixel, the simulator's on 4 x 4
    torch.testing.assert_close(arcs, expected, rtol=0, atol=0.02 * float(expected.max()))
    data = model.data.image[0] * true.unit_flux
    noise = small_batch.noise[0]
    chi2 = float((((data - arcs) / noise) ** 2).mean())
    assert 0.9 < chi2 < 1.1


def test_light_is_fitted_where_asked(small_truth):
    names = true_model(small_truth, fit_light=True).model.system.parameters.names
    assert "light_amplitude" in names
    assert (
        "light_amplitude"
        not in true_model(small_truth, fit_light=False).model.system.parameters.names
    )


def test_a_part_of_the_frame_is_that_part(small_truth):
    true = true_model(small_truth, fit_light=False)
    part = true.within(0.8)
    cut = (true.model.shape[0] - part.model.shape[0]) // 2
    assert cut > 0
    inner = slice(cut, -cut)
    torch.testing.assert_close(part.model.data.image[0], true.model.data.image[0, inner, inner])
    x, y = (place[0] for place in part.model.positions(1))
    m = part.model.margin
    distance = torch.hypot(x - part.centre[0], y - part.centre[1])[m:-m, m:-m]
    assert float(distance[part.used].max()) < 0.8
    assert bool(part.used[distance < 0.79].all())


def test_cosmic_rays_and_the_light_of_others_are_taken_off(small_truth):
    hit = np.zeros(small_truth.observation.data.shape, bool)
    hit[20, 21] = True
    other = np.full(hit.shape, 3.0)
    true = true_model(replace(small_truth, hit=hit, other_light=other), fit_light=False)
    plain = true_model(small_truth, fit_light=False)
    assert not true.used[20, 21]
    assert int(true.used.sum()) == int(plain.used.sum()) - 1
    images = [one.model.data.image[0][true.used] * one.unit_flux for one in (plain, true)]
    torch.testing.assert_close(
        images[0] - images[1], torch.full_like(images[0], 3.0), rtol=0, atol=0.01
    )


def test_complex_lenses_have_the_components_that_deflect():
    simulator = load_plugins().simulators.create("enhanced")
    truth = truth_of(simulator.simulate(1, seed=10**9, shape=(40, 40), pixel_scale=0.1))
    assert truth.lens_model == "sie+shear+sis@sub1+sis@sub2"
    assert true_model(truth, fit_light=False).model.system.lens.name == truth.lens_model

from __future__ import annotations

from dataclasses import replace

import pytest
import torch

from astrorim.lensing import ForwardModel
from astrorim.rim.source_frames import _weighted_quantiles, frames_from_arcs
from astrorim.rim.symmetries import NUM_SYMMETRIES, transform_image, transform_values


@pytest.fixture
def choose(system):
    def frames(data, values, light, place, size=16):
        return frames_from_arcs(ForwardModel(system, data), values, light, size, **place)

    return frames


def test_quantiles_of_equal_weights():
    values = torch.tensor([[4.0, 2.0, 1.0, 3.0, 5.0]])
    levels = torch.tensor([0.01, 0.5, 0.99])
    quantiles = _weighted_quantiles(values, torch.ones_like(values), levels)
    assert quantiles.tolist() == [[1.0, 3.0, 5.0]]


def test_quantiles_of_unequal_weights_skip_what_weighs_nothing():
    values = torch.tensor([[9.0, -7.0, 1.0, 2.0, 3.0], [0.0, 1.0, 2.0, 3.0, 4.0]])
    weights = torch.tensor([[0.0, 0.0, 0.4, 0.4, 0.2], [0.005, 0.99, 0.0, 0.0, 0.005]])
    quantiles = _weighted_quantiles(values, weights, torch.tensor([0.01, 0.5, 0.99]))
    assert quantiles.tolist() == [[1.0, 2.0, 3.0], [1.0, 1.0, 1.0]]


def test_frames_hold_the_source(choose, data, values, simulated, place):
    frames = choose(data, values, simulated.lens_light, place)
    assert frames.size == 16
    half = frames.size * frames.pixel_scale / 2
    distance = (frames.centre - simulated.source_centre).abs().amax(dim=1)
    # the source's brightness has fallen to a few per cent at the edge at the latest
    assert (half - distance > 2 * simulated.source.sigma).all()
    assert (half <= 1.4 * place["theta_e"] + 1e-12).all()
    assert (half >= 6 * data.pixel_scale - 1e-12).all()


def test_frame_without_arcs_is_centred_on_the_lens(choose, data, values, simulated, place):
    blank = replace(data, image=torch.zeros_like(data.image))
    frames = choose(blank, values, torch.zeros_like(data.image), place)
    torch.testing.assert_close(frames.centre, place["centre"], rtol=0, atol=0)
    half = frames.size * frames.pixel_scale / 2
    torch.testing.assert_close(half, place["theta_e"], rtol=1e-12, atol=0)


def test_frame_is_at_least_six_pixels_to_each_side(choose, data, values, place):
    # light at the two images of one point of the source
    image = torch.zeros_like(data.image)
    image[:, 16, 26] = 1.0
    frames = choose(replace(data, image=image), values, 0 * image, place)
    half = frames.size * frames.pixel_scale / 2
    torch.testing.assert_close(half, 6 * data.pixel_scale, rtol=1e-12, atol=0)


def test_masked_pixels_have_no_influence(choose, data, values, simulated, place):
    good = data.good.clone()
    good[:, 8:12, 4:9] = 0
    masked = replace(data, good=good)
    frames = choose(masked, values, simulated.lens_light, place)
    for image, noise in ((1e9, 1e-9), (-1e9, 1e9)):
        other = replace(
            masked,
            image=torch.where(good > 0, data.image, image),
            noise=torch.where(good > 0, data.noise, noise),
        )
        same = choose(other, values, simulated.lens_light, place)
        assert torch.equal(same.centre, frames.centre)
        assert torch.equal(same.pixel_scale, frames.pixel_scale)


@pytest.mark.parametrize("unit", [1e-10, 1e6])
def test_frames_do_not_depend_on_the_unit(choose, data, values, simulated, place, unit):
    frames = choose(data, values, simulated.lens_light, place)
    scaled = replace(data, image=unit * data.image, noise=unit * data.noise)
    same = choose(scaled, values, unit * simulated.lens_light, place)
    torch.testing.assert_close(tuple(same[:2]), tuple(frames[:2]), rtol=1e-12, atol=1e-14)


@pytest.mark.parametrize("symmetry", range(NUM_SYMMETRIES))
def test_frames_are_equivariant(choose, system, data, values, simulated, place, symmetry):
    frames = choose(data, values, simulated.lens_light, place)
    moved = replace(
        data,
        image=transform_image(data.image, symmetry),
        psf=transform_image(data.psf, symmetry),
    )
    turned = choose(
        moved,
        transform_values(values, system.parameters.names, symmetry),
        transform_image(simulated.lens_light, symmetry),
        place | {"centre": transform_values(place["centre"], ("x0", "y0"), symmetry)},
    )
    expected = transform_values(frames.centre, ("x0", "y0"), symmetry)
    torch.testing.assert_close(turned.pixel_scale, frames.pixel_scale, rtol=1e-9, atol=0)
    torch.testing.assert_close(turned.centre, expected, rtol=0, atol=1e-9)

from __future__ import annotations

from dataclasses import replace

import pytest
import torch

from astrorim.lensing import LensSystem
from astrorim.rim.codec import ParameterCodec
from astrorim.rim.objectives import image_data
from astrorim.rim.parameter_step import is_positive
from astrorim.rim.start import encoder_start, known_start


class CentroidPosterior:
    """Posterior without width, at the light's centroid in the feature frame."""

    def __init__(self, latents):
        self.latents = latents

    def sample(self, shape):
        return self.latents.expand(*shape, *self.latents.shape)


class CentroidEncoder(torch.nn.Module):
    """Measures where the light is, in pixels about the centre of the features' frame."""

    def __init__(self, system):
        super().__init__()
        self.names = system.parameters.names

    def forward(self, features, psf):
        light = features[:, 1].clamp_min(0)  # the channel that is linear in the flux
        offset = torch.arange(light.shape[-1]) - (light.shape[-1] - 1) / 2
        flux = light.sum(dim=(-2, -1))
        x = (light.sum(dim=-2) * offset).sum(dim=-1) / flux
        y = (light.sum(dim=-1) * offset).sum(dim=-1) / flux
        latents = torch.zeros(len(light), len(self.names))
        for name, value in (("x0", x), ("light_x0", x), ("y0", y), ("light_y0", y)):
            latents[:, self.names.index(name)] = value
        return CentroidPosterior(latents)


@pytest.fixture
def begin(system, checkpoints):
    """The start of data, by the untrained encoder or another."""

    def start(data, network=None, system=system, seed=1):
        encoder = checkpoints[0]
        codec = ParameterCodec(
            system.parameters if network else encoder_system().parameters,
            None if network else encoder.settings["mean"],
            None if network else encoder.settings["std"],
        )
        if network is not None:
            encoder = replace(encoder, network=network)
        generator = torch.Generator().manual_seed(seed)
        return encoder_start(encoder, codec, system, data, generator)

    def encoder_system():
        from astrorim.plugins import load_plugins

        plugins = load_plugins()
        return LensSystem(
            plugins.lens_models.resolve("sie+shear"), plugins.light_models.create("sersic")
        )

    return start


@pytest.fixture
def single(simulator):
    return image_data(simulator.simulate(3, seed=7))


@pytest.mark.parametrize("shape", [(32, 32), (33, 33), (33, 32), (32, 31), (36, 37), (47, 30)])
def test_odd_frames_are_not_half_a_pixel_off(begin, system, single, shape):
    # a galaxy two pixels to the right of the frame's centre and one below it
    x = torch.arange(shape[1]) - (shape[1] - 1) / 2 - 2
    y = torch.arange(shape[0]) - (shape[0] - 1) / 2 + 1
    image = 50 * torch.exp(-(x**2 + y[:, None] ** 2) / 8).expand(3, *shape)
    blank = torch.ones(3, *shape)
    data = replace(single, image=image, noise=blank, good=blank)
    start = begin(data, CentroidEncoder(system))
    for name, pixels in (("x0", 2), ("y0", -1), ("light_x0", 2), ("light_y0", -1)):
        column = start.values[:, system.parameters.index_of(name)]
        expected = torch.full_like(column, pixels * 0.1)
        torch.testing.assert_close(column, expected, rtol=0, atol=1e-3)
    expected = torch.tensor([[0.2, -0.1]]).expand(3, 2)
    torch.testing.assert_close(start.centre, expected, rtol=0, atol=1e-3)


def test_lenses_of_a_batch_do_not_meet(begin, single):
    together = begin(single)
    alone = begin(single.select(torch.tensor([2])))
    for name in ("values", "spread", "theta_e", "centre"):
        expected = getattr(together, name)[2:]
        torch.testing.assert_close(getattr(alone, name), expected, rtol=1e-4, atol=1e-6)


def test_start_lies_inside_the_supports_and_has_a_width(begin, system, single):
    start = begin(single)
    low, high = system.supports(start.values)
    assert ((start.values >= low) & (start.values <= high)).all()
    assert (start.spread > 0).all()


def test_start_is_seeded_and_leaves_the_global_generator(begin, single):
    torch.manual_seed(8)
    expected = torch.rand(1)
    torch.manual_seed(8)
    first = begin(single)
    assert torch.equal(torch.rand(1), expected)
    assert torch.equal(begin(single).values, first.values)
    assert not torch.equal(begin(single, seed=2).values, first.values)


def test_parameters_that_the_encoder_does_not_know_start_in_their_prior(
    begin, system, plugins, single
):
    wider = LensSystem(plugins.lens_models.resolve("sie+shear+nfw"), system.light)
    start = begin(single, system=wider)
    positive = is_positive(wider.parameters, start.values)
    for name in ("kappa_s", "rs"):
        column = wider.parameters.index_of(name)
        low, high = wider.parameters.by_name(name).prior
        value = start.values[:, column]
        assert ((value > low) & (value < high)).all()
        if not positive[column]:
            middle = torch.full_like(value, (low + high) / 2)
            torch.testing.assert_close(value, middle)
    known = begin(single)
    for name in system.parameters.names:
        column, own = (s.parameters.index_of(name) for s in (wider, system))
        assert torch.equal(start.values[:, column], known.values[:, own])


def test_known_parameters_take_the_place_of_the_encoder(begin, system, single):
    known = {name: 0.01 * (i + 1) for i, name in enumerate(system.parameters.names)}
    start = known_start(begin(single), system, known, [1.0, 2.0, 4.0])
    for column, name in enumerate(system.parameters.names):
        expected = torch.full((3,), known[name])
        if name == "light_amplitude":
            expected = expected / torch.tensor([1.0, 2.0, 4.0])
        torch.testing.assert_close(start.values[:, column], expected)
    torch.testing.assert_close(start.theta_e, torch.full((3,), known["theta_E"]))
    expected = torch.tensor([[known["x0"], known["y0"]]]).expand(3, 2)
    torch.testing.assert_close(start.centre, expected)


def test_known_must_name_every_parameter_and_no_other(begin, system, single):
    known = dict.fromkeys(system.parameters.names, 0.1)
    fewer = {n: v for n, v in known.items() if n not in {"theta_E", "light_e2"}}
    with pytest.raises(ValueError, match="every parameter, got none for theta_E, light_e2$"):
        known_start(begin(single), system, fewer, [1.0] * 3)
    with pytest.raises(
        ValueError, match="known has kappa_s, which .* its parameters are theta_E"
    ):
        known_start(begin(single), system, known | {"kappa_s": 0.1}, [1.0] * 3)

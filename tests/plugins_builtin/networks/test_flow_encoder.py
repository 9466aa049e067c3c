from __future__ import annotations

import pytest
import torch

from astrorim.interfaces import NetworkBackend
from astrorim.plugins import load_plugins
from astrorim.rim.features import NUM_FEATURES
from astrorim_plugins.networks.flow_encoder import (
    FlowEncoder,
    ResidualBlock,
    ResidualEncoder,
)

SIZES = {
    "num_parameters": 3,
    "frame": 32,
    "psf_frame": 5,
    "width": 8,
    "context": 12,
    "transforms": 2,
}


@pytest.fixture
def encoder(dtype):
    return FlowEncoder().build(**SIZES).to(dtype)


@pytest.fixture
def images(generator, dtype):
    return (
        torch.randn(2, NUM_FEATURES, 32, 32, generator=generator, dtype=dtype),
        torch.rand(2, 1, 5, 5, generator=generator, dtype=dtype),
    )


def test_backend_is_registered_as_an_encoder():
    backend = load_plugins().networks.create("flow-encoder")
    assert isinstance(backend, NetworkBackend)
    assert (backend.name, backend.role) == ("flow-encoder", "encoder")


def test_default_input_is_the_features():
    assert FlowEncoder().architecture()["channels_in"] == NUM_FEATURES


def test_posterior_is_over_the_parameters_of_each_image(encoder, images, dtype):
    posterior = encoder(*images)
    samples = posterior.sample((5,))
    assert samples.shape == (5, 2, 3)
    assert samples.dtype == dtype
    assert posterior.log_prob(samples[0]).shape == (2,)


def test_posterior_density_integrates_to_one(images, dtype):
    encoder = FlowEncoder().build(**(SIZES | {"num_parameters": 1})).to(dtype)
    grid = torch.linspace(-9, 9, 4001, dtype=dtype)[:, None, None].expand(-1, 2, 1)
    density = encoder(*images).log_prob(grid).exp()
    integral = torch.trapezoid(density, grid[..., 0], dim=0)
    torch.testing.assert_close(integral, torch.ones_like(integral), rtol=1e-4, atol=0)


def test_posterior_depends_on_image_and_psf(encoder, images):
    features, psf = images
    at = torch.zeros(2, 3, dtype=features.dtype)
    density = encoder(features, psf).log_prob(at)
    assert (encoder(features + 1, psf).log_prob(at) != density).all()
    assert (encoder(features, psf + 1).log_prob(at) != density).all()


def test_images_of_a_batch_do_not_meet(encoder, images):
    at = torch.zeros(2, 3, dtype=images[0].dtype)
    together = encoder(*images).log_prob(at)
    alone = encoder(*(i[1:] for i in images)).log_prob(at[1:])
    torch.testing.assert_close(alone, together[1:], rtol=1e-10, atol=0)


def test_every_weight_is_trained(encoder, images):
    at = torch.zeros(2, 3, dtype=images[0].dtype)
    encoder(*images).log_prob(at).sum().backward()
    assert all(p.grad is not None for p in encoder.parameters())


def test_unknown_option_lists_what_exists():
    with pytest.raises(TypeError, match="no option depth; it has channels_in, num_parameters"):
        FlowEncoder().build(depth=3)


def test_residual_blocks_begin_as_the_identity():
    torch.manual_seed(0)
    block = ResidualBlock(16)
    x = torch.randn(2, 16, 6, 6)
    assert torch.equal(block(x), x + block.change[-1].bias[:, None, None])
    torch.nn.init.normal_(block.change[-1].weight)
    assert not torch.allclose(block(x), x)


def test_embedding_with_blocks_gives_a_posterior():
    torch.manual_seed(0)
    network = FlowEncoder().build(frame=32, psf_frame=9, width=8, context=16, blocks=1)
    posterior = network(torch.randn(3, 7, 32, 32), torch.randn(3, 1, 9, 9))
    assert posterior.log_prob(torch.zeros(3, 14)).shape == (3,)
    assert any(isinstance(module, ResidualBlock) for module in network.modules())


def test_flow_is_evaluated_in_its_own_precision():
    torch.manual_seed(0)
    network = FlowEncoder().build(frame=32, psf_frame=9, width=8, context=16)
    with torch.autocast("cpu", torch.bfloat16):
        posterior = network(torch.randn(2, 7, 32, 32), torch.randn(2, 1, 9, 9))
    assert posterior.log_prob(torch.zeros(2, 14)).dtype == torch.float32


def test_residual_encoder_has_blocks_by_default():
    torch.manual_seed(0)
    small = {"frame": 32, "psf_frame": 9, "context": 16}
    network = ResidualEncoder().build(**small)
    number = sum(isinstance(module, ResidualBlock) for module in network.modules())
    assert number == 4 * ResidualEncoder().architecture()["blocks"] == 8
    with pytest.raises(TypeError, match="residual-encoder has no option depth; it has"):
        ResidualEncoder().build(depth=3)

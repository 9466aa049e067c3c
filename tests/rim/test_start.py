from __future__ import annotations

from dataclasses import replace
from types import SimpleNamespace

import pytest
import torch

from astrorim.lensing.system import LensSystem
from astrorim.plugins import load_plugins
from astrorim.rim.codec import ParameterCodec
from astrorim.rim.objectives import image_data
from astrorim.rim.start import encoder_start


def systems():
    """The trained system, and the same whose theta_E may be zero."""
    plugins = load_plugins()
    sie, light = plugins.lens_models.resolve("sie"), plugins.light_models.create("sersic")

    class OpenSIE(type(sie)):
        parameters = tuple(
            replace(p, support=(0.0, 50.0)) if p.name == "theta_E" else p
            for p in sie.parameters
        )

    return LensSystem(sie, light), LensSystem(OpenSIE(), light)


def test_start_does_not_depend_on_the_support_that_a_model_declares():
    """A positive support means logarithms inside; the start is the same Einstein radius."""
    trained, opened = systems()
    simulator = load_plugins().simulators.create("foundation", lens_model="sie")
    sample = simulator.simulate(8, seed=3, shape=(40, 40), pixel_scale=0.08, supersampling=1)
    data = image_data(sample)
    codec = ParameterCodec(trained.parameters)
    codec.fit(trained.stack(sample.lens, sample.light), data)

    def network(features, psf):
        size = (len(features), len(codec.mean))
        return torch.distributions.Normal(torch.zeros(size), 0.1 * torch.ones(size))

    encoder = SimpleNamespace(settings={"frame": 40, "psf_frame": 21}, network=network)
    starts = [
        encoder_start(encoder, codec, system, data, torch.Generator().manual_seed(1))
        for system in (trained, opened)
    ]
    column = trained.parameters.index_of("theta_E")
    first, second = (start.values[:, column] for start in starts)
    assert first.min() > 0.3
    # one is the mean of logarithms, the other the logarithm of a mean
    assert second.tolist() == pytest.approx(first.tolist(), rel=0.01)
    assert torch.equal(starts[0].theta_e, starts[1].theta_e)

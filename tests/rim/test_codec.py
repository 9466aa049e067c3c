from __future__ import annotations

from dataclasses import replace

import pytest
import torch

from astrorim.rim.codec import ParameterCodec
from astrorim.rim.symmetries import NUM_SYMMETRIES, transform_values

LENGTHS = ("theta_E", "x0", "y0", "light_half_light_radius", "light_x0", "light_y0")


@pytest.fixture
def codec(system):
    number = len(system.parameters)
    return ParameterCodec(
        system.parameters,
        [0.1 * i for i in range(number)],
        [1 + 0.1 * i for i in range(number)],
    )


def test_decode_undoes_encode(codec, values, data, deviation):
    decoded = codec.decode(codec.encode(values, data), data)
    error = ((decoded - values) / values).abs().max()
    assert deviation("decode(encode(values)), relative", error) < 1e-12


def test_encode_undoes_decode_for_any_number_of_samples(codec, data, generator, dtype):
    latents = torch.randn(5, 3, len(codec.mean), generator=generator, dtype=dtype)
    decoded = codec.decode(latents, data)
    assert decoded.shape == latents.shape
    for sample, own in zip(decoded, latents, strict=True):
        torch.testing.assert_close(codec.encode(sample, data), own, rtol=1e-10, atol=1e-10)


@pytest.mark.parametrize("unit", [1e-20, 1e6])
def test_latents_do_not_depend_on_the_unit_of_flux(system, codec, values, data, unit):
    scaled = values.clone()
    scaled[:, system.parameters.index_of("light_amplitude")] *= unit
    other = replace(data, image=unit * data.image, noise=unit * data.noise)
    torch.testing.assert_close(
        codec.encode(scaled, other), codec.encode(values, data), rtol=1e-12, atol=1e-12
    )


def test_latents_do_not_depend_on_the_pixel_scale(system, codec, values, data):
    # the same image of pixels, seen twice as large on the sky
    scaled = values.clone()
    for name in LENGTHS:
        scaled[:, system.parameters.index_of(name)] *= 2
    scaled[:, system.parameters.index_of("light_amplitude")] /= 4
    other = replace(data, pixel_scale=2 * data.pixel_scale)
    torch.testing.assert_close(
        codec.encode(scaled, other), codec.encode(values, data), rtol=1e-12, atol=1e-12
    )


@pytest.mark.parametrize("symmetry", range(NUM_SYMMETRIES))
def test_symmetries_act_on_raw_latents_as_on_values(system, values, data, symmetry):
    names = system.parameters.names
    codec = ParameterCodec(system.parameters)
    torch.testing.assert_close(
        codec.encode(transform_values(values, names, symmetry), data),
        transform_values(codec.encode(values, data), names, symmetry),
        rtol=1e-14,
        atol=1e-14,
    )


def test_fit_standardises_the_sample(system, values, data):
    codec = ParameterCodec(system.parameters)
    codec.fit((values, data))
    latents = codec.encode(values, data)
    torch.testing.assert_close(latents.mean(0), torch.zeros_like(latents[0]), rtol=0, atol=1e-9)
    torch.testing.assert_close(latents.std(0), torch.ones_like(latents[0]), rtol=1e-9, atol=0)


def test_positive_scales_stay_positive_whatever_the_latents(system, codec, data, dtype):
    latents = torch.full((3, len(codec.mean)), -100.0, dtype=dtype)
    decoded = codec.decode(latents, data)
    assert torch.isfinite(decoded).all()
    for name in ("theta_E", "light_amplitude", "light_half_light_radius"):
        assert (decoded[:, system.parameters.index_of(name)] > 0).all()


def test_vanishing_light_is_finite(system, codec, values, data):
    dark = values.clone()
    dark[:, system.parameters.index_of("light_amplitude")] = 0
    assert torch.isfinite(codec.encode(dark, data)).all()


def test_standardisation_is_over_all_samples(system, values, data):
    whole, parts = ParameterCodec(system.parameters), ParameterCodec(system.parameters)
    whole.fit((values, data))
    index = torch.arange(len(values))
    parts.fit(*((values[i : i + 1], data.select(index[i : i + 1])) for i in index))
    assert parts.mean == pytest.approx(whole.mean, rel=1e-9)
    assert parts.std == pytest.approx(whole.std, rel=1e-9)

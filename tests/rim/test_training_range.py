from __future__ import annotations

import pytest
import torch

from astrorim.lensing import LensSystem
from astrorim.plugins import load_plugins
from astrorim.results.quality import ENCODER_DISAGREEMENT, TRAINING_DISTANCE
from astrorim.rim import RIMReconstructor
from astrorim.rim.codec import ParameterCodec
from astrorim.rim.parameter_step import from_coordinates, is_positive, to_coordinates
from astrorim.rim.start import Start
from astrorim.rim.training_range import encoder_disagreement, training_distance


@pytest.fixture
def codec(system, values, data):
    codec = ParameterCodec(system.parameters)
    codec.fit((values, data))
    return codec


def start_at(values):
    spread = torch.full_like(values, 0.02)
    return Start(values, spread, values[:, 0], values[:, 3:5])


def test_disagreement_counts_the_encoders_deviations(system, codec, values):
    positive = is_positive(system.parameters, values)
    place = to_coordinates(values, positive)
    place[:, 0] += 3 * 0.02  # theta_E, in its logarithm
    place[:, 9] += 50 * 0.02  # lens light does not count
    moved = from_coordinates(place, positive)
    found = encoder_disagreement(moved, start_at(values), system, codec)
    torch.testing.assert_close(found, torch.full_like(found, (9 / 7) ** 0.5))


def test_distance_is_in_deviations_of_the_training_population(system, codec, data):
    latents = torch.zeros(len(data), len(system.parameters), dtype=torch.float64)
    latents[:, 2] = torch.tensor([0.5, -4.0, 1.0])
    latents[:, 8] = 9.0  # lens light does not count
    found = training_distance(codec.decode(latents, data), data, system, codec)
    torch.testing.assert_close(found, latents[:, 2].abs())


def test_nothing_is_said_where_the_encoder_knows_no_lens_parameter(codec, data):
    plugins = load_plugins()
    sheet = LensSystem(
        plugins.lens_models.resolve("mass-sheet"), plugins.light_models.create("sersic")
    )
    values = torch.full((len(data), len(sheet.parameters)), 0.1, dtype=torch.float64)
    assert training_distance(values, data, sheet, codec).isnan().all()
    assert encoder_disagreement(values, start_at(values), sheet, codec).isnan().all()


def test_a_reconstruction_says_how_unlike_the_training_it_is(checkpoints, make_observation):
    reconstructor = RIMReconstructor(*checkpoints, device="cpu")
    results = reconstructor.reconstruct(
        [make_observation(0), make_observation(1)], num_iterations=1
    )
    for key in (ENCODER_DISAGREEMENT, TRAINING_DISTANCE):
        one, other = (result.provenance[key] for result in results)
        assert one > 0
        assert one != other
    alone = reconstructor.reconstruct(make_observation(1), num_iterations=1)
    assert alone.provenance[TRAINING_DISTANCE] == pytest.approx(
        results[1].provenance[TRAINING_DISTANCE], rel=1e-4
    )
    point = results[0]
    known = point.lens | {f"light_{name}": value for name, value in point.light.items()}
    held = reconstructor.reconstruct(make_observation(0), known=known)
    assert ENCODER_DISAGREEMENT not in held.provenance

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch
from astropy import units as u
from astropy.nddata import StdDevUncertainty

from astrorim.interchange import truth_of
from astrorim.lensing import LensSystem
from astrorim.observation import LensObservation
from astrorim.plugins import load_plugins
from astrorim.rim import RIMReconstructor
from astrorim.rim.orientation import canonical_symmetries, is_covariant, turn_data
from astrorim.rim.symmetries import (
    NUM_SYMMETRIES,
    inverse_symmetry,
    transform_image,
    transform_values,
)


@pytest.fixture(scope="module")
def shipped():
    return RIMReconstructor.load(device="cpu")


@pytest.fixture(scope="module")
def lens():
    """A lens of the training population."""
    simulator = load_plugins().simulators.create("foundation")
    return truth_of(simulator.simulate(1, seed=10**9 + 77, start=1), 0).observation


def turned(observation, symmetry, *, factor=1.0, unit=None):
    def turn(array):
        return np.ascontiguousarray(transform_image(torch.tensor(array), symmetry))

    return LensObservation(
        factor * turn(observation.data),
        uncertainty=StdDevUncertainty(factor * turn(observation.noise)),
        mask=~turn(observation.good),
        unit=unit or observation.unit,
        psf=turn(observation.psf),
        psf_supersampling=observation.psf_supersampling,
        pixel_scale=observation.grid.pixel_scale * u.arcsec,
    )


def largest_deviation(result, other, symmetry=0, factor=1.0):
    """Between the samples of two results, in posterior standard deviations."""
    names = list(other.samples)
    there = torch.tensor(np.stack([result.samples[name] for name in names], axis=1))
    back = transform_values(there, names, inverse_symmetry(symmetry)).numpy()
    deviations = []
    for column, name in enumerate(names):
        scale = factor if name == "light_amplitude" else 1.0
        chain = other.samples[name]
        deviations.append(np.abs(back[:, column] / scale - chain).max() / chain.std())
    return max(deviations)


@pytest.mark.parametrize("symmetry", [1, 2, 4, 6])  # the others are made of these
def test_the_shipped_networks_are_equivariant(shipped, lens, deviation, symmetry):
    one = shipped.reconstruct(lens, num_iterations=2)
    other = shipped.reconstruct(turned(lens, symmetry), num_iterations=2)
    off = largest_deviation(other, one, symmetry)
    assert deviation("equivariance of all samples, of sigma", off) < 0.02  # float32
    source = transform_image(torch.tensor(one.source), symmetry).numpy()
    assert np.abs(other.source - source).max() < 1e-3 * source.max()
    image = transform_image(torch.tensor(one.forward_image), symmetry).numpy()
    assert np.abs(other.forward_image - image).max() < 1e-3 * image.max()


def test_a_networks_own_equivariance_is_not_what_makes_it(shipped, lens):
    """Without the canonical orientation the shipped networks deviate visibly."""
    plain = RIMReconstructor(shipped.encoder, shipped.recurrence, device="cpu")
    plain._turns = False
    one = plain.reconstruct(lens, num_iterations=2)
    other = plain.reconstruct(turned(lens, 5), num_iterations=2)
    assert largest_deviation(other, one, 5) > 0.2


@pytest.mark.parametrize(
    ("factor", "unit", "limit"), [(2.0**20, "MJy/sr", 1e-6), (1e-6, None, 0.2)]
)
def test_another_unit_gives_the_same_result(shipped, lens, deviation, factor, unit, limit):
    """To the last bit for powers of two; others round, which the rounds amplify."""
    one = shipped.reconstruct(lens, num_iterations=2)
    other = shipped.reconstruct(turned(lens, 0, factor=factor, unit=unit), num_iterations=2)
    off = largest_deviation(other, one, factor=factor)
    assert deviation("change with the unit, of sigma", off) < limit
    np.testing.assert_allclose(
        other.source / factor, one.source, rtol=0, atol=0.1 * limit * one.source.max()
    )


@pytest.mark.parametrize("shape", [(32, 40), (33, 32), (35, 35)])
@pytest.mark.parametrize("symmetry", [3, 4, 6])
def test_other_frames_are_equivariant(checkpoints, make_observation, shape, symmetry):
    reconstructor = RIMReconstructor(*checkpoints, device="cpu")
    observation = make_observation(shape=shape)
    one = reconstructor.reconstruct(observation, num_iterations=1)
    other = reconstructor.reconstruct(turned(observation, symmetry), num_iterations=1)
    assert largest_deviation(other, one, symmetry) < 0.02
    alone = reconstructor.encode(observation)
    moved = reconstructor.encode(turned(observation, symmetry))
    for name in ("theta_E", "light_sersic_index"):
        np.testing.assert_allclose(moved[name], alone[name], rtol=1e-4)


def test_lenses_of_a_batch_are_turned_each_by_itself(checkpoints, make_observation):
    reconstructor = RIMReconstructor(*checkpoints, device="cpu")
    observation = make_observation()
    versions = [turned(observation, symmetry) for symmetry in range(NUM_SYMMETRIES)]
    results = reconstructor.reconstruct(versions, num_iterations=1)
    for symmetry, result in enumerate(results):
        assert largest_deviation(result, results[0], symmetry) < 0.02


def test_all_versions_of_an_image_have_one_canonical_orientation(data):
    expected = turn_data(data, canonical_symmetries(data))
    for symmetry in range(NUM_SYMMETRIES):
        version = turn_data(data, [symmetry] * len(data))
        canonical = turn_data(version, canonical_symmetries(version))
        assert torch.equal(canonical.image, expected.image)
        assert torch.equal(canonical.psf, expected.psf)


def test_known_parameters_are_those_of_the_image_as_it_came(checkpoints, make_observation):
    reconstructor = RIMReconstructor(*checkpoints, device="cpu")
    observation = make_observation()
    point = reconstructor.reconstruct(observation, num_iterations=1)
    known = point.lens | {f"light_{name}": value for name, value in point.light.items()}
    held = reconstructor.reconstruct(observation, known=known)
    assert held.lens == pytest.approx(point.lens, rel=1e-5, abs=1e-6)
    np.testing.assert_allclose(
        held.convergence, point.convergence, rtol=1e-4, atol=1e-4 * point.convergence.max()
    )


def test_covariance_of_a_turned_lens_is_that_of_its_own_parameters(
    checkpoints, make_observation
):
    reconstructor = RIMReconstructor(*checkpoints, device="cpu")
    one = reconstructor.reconstruct(make_observation(), num_iterations=1)
    other = reconstructor.reconstruct(turned(make_observation(), 4), num_iterations=1)
    assert np.corrcoef(one.samples["x0"], one.samples["e1"])[0, 1] == pytest.approx(
        -np.corrcoef(other.samples["y0"], other.samples["e1"])[0, 1], abs=1e-3
    )


def test_models_that_turn_by_their_names_are_told_from_others(system):
    assert is_covariant(system)
    plugins = load_plugins()
    strange = plugins.lens_models.create("sie")
    names = {"e1": "tilt", "e2": "slant"}
    strange.parameters = tuple(
        replace(p, name=names.get(p.name, p.name)) for p in strange.parameters
    )
    original = strange.deflection
    strange.deflection = lambda x, y, params: original(
        x, y, {**params, "e1": params["tilt"], "e2": params["slant"]}
    )
    assert not is_covariant(LensSystem(strange, plugins.light_models.create("sersic")))

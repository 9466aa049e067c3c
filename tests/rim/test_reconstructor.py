from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch

from astrorim.exceptions import CheckpointError, ObservationError
from astrorim.results import Reconstruction
from astrorim.rim import RIMReconstructor
from astrorim.rim.checkpoint import save_checkpoint
from astrorim_plugins.networks.conv_gru import ConvGRUNetwork

ROUNDS = {"num_iterations": 1}


@pytest.fixture
def reconstructor(checkpoints):
    return RIMReconstructor(*checkpoints, device="cpu")


@pytest.fixture
def known():
    return {
        "theta_E": 0.85,
        "e1": 0.05,
        "e2": -0.04,
        "x0": 0.01,
        "y0": -0.02,
        "gamma1": 0.02,
        "gamma2": 0.01,
        "light_amplitude": 22.0,
        "light_half_light_radius": 0.2,
        "light_sersic_index": 2.0,
        "light_e1": 0.05,
        "light_e2": 0.02,
        "light_x0": 0.01,
        "light_y0": -0.02,
    }


def assert_same(one, other, rtol):
    """Compare two results of one lens, with tolerances relative to each map's peak."""
    for name in ("source", "forward_image", "lens_light", "convergence"):
        expected = getattr(other, name)
        np.testing.assert_allclose(
            getattr(one, name), expected, rtol=0, atol=rtol * np.abs(expected).max()
        )
    for name, value in (other.lens | other.light).items():
        mine = one.lens.get(name) if name in other.lens else one.light[name]
        if name not in {"e1", "e2", "x0", "y0"}:
            assert mine == pytest.approx(value, rel=rtol, abs=rtol)
    for name, chain in other.samples.items():
        width = max(chain.std(), 1e-6)
        np.testing.assert_allclose(one.samples[name], chain, rtol=rtol, atol=100 * rtol * width)


def test_result_holds_what_was_inferred_in_the_units_of_the_observation(
    reconstructor, make_observation
):
    observation = make_observation(name="J0959")
    result = reconstructor.reconstruct(observation, **ROUNDS)
    assert isinstance(result, Reconstruction)
    assert result.name == "J0959"
    assert result.observation is observation
    assert result.source.shape == result.source_grid.shape == (16, 16)
    assert result.forward_image.shape == (32, 32)
    assert set(result.samples) == set(reconstructor.system.parameters.names)
    assert {len(chain) for chain in result.samples.values()} == {512}
    assert result.steps["reduced_chi2"].shape == (2,)
    assert result.provenance["trained_on"] == "toy"
    # the last chi-square of the steps is that of the result itself
    assert result.reduced_chi2 == pytest.approx(result.steps["reduced_chi2"][-1], rel=1e-3)


def test_batch_equals_single(reconstructor, make_observation):
    observations = [make_observation(i) for i in range(3)]
    together = reconstructor.reconstruct(observations, **ROUNDS)
    assert len(together) == 3
    for observation, result in zip(observations, together, strict=True):
        assert_same(reconstructor.reconstruct(observation, **ROUNDS), result, 1e-3)


def test_order_is_kept_for_mixed_shapes_and_names_do_not_collide(
    reconstructor, make_observation
):
    shapes = [(32, 32), (36, 36), (32, 32), (33, 35)]
    observations = [make_observation(i, shape=shape) for i, shape in enumerate(shapes)]
    results = reconstructor.reconstruct(observations, **ROUNDS)
    assert [r.forward_image.shape for r in results] == shapes
    assert all(r.observation is o for r, o in zip(results, observations, strict=True))
    assert [r.name for r in results] == [f"lens_{i:05d}" for i in range(4)]


@pytest.mark.parametrize("unit", [2.0**-66, 1e-20, 1e6])
def test_result_does_not_depend_on_the_unit(reconstructor, make_observation, unit):
    own = reconstructor.reconstruct(make_observation(), **ROUNDS)
    other = reconstructor.reconstruct(make_observation(unit=unit), **ROUNDS)
    converted = replace(
        own,
        source=own.source * unit,
        forward_image=own.forward_image * unit,
        lens_light=own.lens_light * unit,
        light=own.light | {"amplitude": own.light["amplitude"] * unit},
        samples=own.samples | {"light_amplitude": own.samples["light_amplitude"] * unit},
    )
    # powers of two change no bit before the scale is divided out
    power_of_two = np.log2(unit) == int(np.log2(unit))
    for result in (other, converted):
        result.samples["light_amplitude"] = result.samples["light_amplitude"] / unit
        result.light["amplitude"] /= unit
    assert_same(other, converted, 1e-7 if power_of_two else 1e-3)
    assert set(other.flags) == set(own.flags)


@pytest.mark.parametrize("value", [np.nan, 1e20])
def test_masked_pixels_have_no_influence(reconstructor, make_observation, value):
    mask = np.zeros((32, 32), bool)
    mask[5:9, 20:25] = True
    clean = make_observation(mask=mask)
    dirty = make_observation(mask=mask)
    dirty.data[mask] = value
    dirty.uncertainty.array[mask] = abs(value)
    results = [reconstructor.reconstruct(o, **ROUNDS) for o in (clean, dirty)]
    assert results[0].lens == results[1].lens
    np.testing.assert_array_equal(results[0].source, results[1].source)
    np.testing.assert_array_equal(results[0].forward_image, results[1].forward_image)


def test_known_parameters_are_held(reconstructor, make_observation, known):
    result = reconstructor.reconstruct(make_observation(), known=known)
    for name, value in known.items():
        light = name.startswith("light_")
        held = result.light[name.removeprefix("light_")] if light else result.lens[name]
        assert held == pytest.approx(value, rel=1e-6)
        np.testing.assert_allclose(result.samples[name], value, rtol=1e-6)
    assert result.provenance["parameters_known"]
    # the source's frame is chosen from the known lens
    half = result.source_grid.field_of_view[0] / 2
    assert half <= 1.4 * known["theta_E"] * (1 + 1e-6)


def test_known_parameters_are_checked(reconstructor, make_observation, known):
    del known["e1"]
    with pytest.raises(ValueError, match="known must name every parameter, got none for e1"):
        reconstructor.reconstruct(make_observation(), known=known)


@pytest.mark.parametrize("shape", [(33, 33), (32, 35), (140, 133)])
def test_frames_of_any_shape_are_rendered_whole(reconstructor, make_observation, known, shape):
    result = reconstructor.reconstruct(make_observation(shape=shape), known=known)
    assert result.forward_image.shape == shape
    # the convergence peaks at the known centre, whatever the parity and the working frame
    row, column = np.unravel_index(result.convergence.argmax(), shape)
    assert abs((column - (shape[1] - 1) / 2) * 0.1 - known["x0"]) <= 0.05
    assert abs((row - (shape[0] - 1) / 2) * 0.1 - known["y0"]) <= 0.05


def test_seed_changes_the_samples_and_repeats_them(reconstructor, make_observation):
    observation = make_observation()
    chains = [
        reconstructor.reconstruct(observation, seed=seed, **ROUNDS).samples["theta_E"]
        for seed in (1, 1, 2)
    ]
    np.testing.assert_array_equal(chains[0], chains[1])
    assert not np.array_equal(chains[0], chains[2])


def test_other_lens_model_is_fitted(checkpoints, make_observation):
    wider = RIMReconstructor(*checkpoints, lens_model="sie+shear+nfw", device="cpu")
    result = wider.reconstruct(make_observation(), num_iterations=1)
    assert result.lens_model == "sie+shear+nfw"
    assert {"kappa_s", "rs"} <= set(result.lens)


def test_no_observation_gives_no_result(reconstructor):
    assert reconstructor.reconstruct([]) == []


@pytest.mark.parametrize(
    "changes, message",
    [
        ({"psf": None}, "J0959 has no PSF; pass psf="),
        ({"uncertainty": None}, "J0959 has no noise; pass uncertainty=.*with_measured_noise"),
        ({"shape": (32, 31)}, r"J0959 must be at least 32 pixels a side, got shape \(32, 31\)"),
        ({"pixel_scale": None}, "pixel_scale"),
        ({"mask": np.ones((32, 32), bool)}, "must have a finite, unmasked pixel"),
    ],
)
def test_observation_without_what_is_needed_is_refused(
    reconstructor, make_observation, changes, message
):
    observation = make_observation(name="J0959", **changes)
    with pytest.raises(ObservationError, match=message):
        reconstructor.reconstruct(observation, **ROUNDS)


def test_recommended_function_exists():
    import astrorim.observation

    assert callable(astrorim.observation.with_measured_noise)


def test_number_of_iterations_below_one_is_refused(reconstructor, make_observation):
    with pytest.raises(ValueError, match="num_rounds must be at least 1, got 0"):
        reconstructor.reconstruct(make_observation(), num_iterations=0)


def test_swapped_networks_are_refused(checkpoints):
    with pytest.raises(CheckpointError, match="encoder must have that role, got 'recurrence'"):
        RIMReconstructor(checkpoints[1], checkpoints[0])


def test_encoder_of_other_parameters_is_refused(checkpoints):
    encoder, recurrence = checkpoints
    other = replace(encoder, parameters=encoder.parameters[::-1])
    with pytest.raises(CheckpointError, match="parameters .* are not those of 'sie\\+shear'"):
        RIMReconstructor(other, recurrence)


def test_loaded_networks_give_the_same_result(
    reconstructor, checkpoints, make_observation, tmp_path
):
    for checkpoint in checkpoints:
        save_checkpoint(checkpoint, tmp_path / f"{checkpoint.role}.safetensors")
    loaded = RIMReconstructor.load(
        tmp_path / "encoder.safetensors", tmp_path / "recurrence.safetensors", device="cpu"
    )
    own, other = (r.reconstruct(make_observation(), **ROUNDS) for r in (reconstructor, loaded))
    np.testing.assert_array_equal(own.source, other.source)
    assert own.lens == other.lens
    assert len(other.provenance["encoder"]["sha256"]) == 64


def test_file_of_the_other_role_is_refused(checkpoints, tmp_path):
    path = tmp_path / "weights.safetensors"
    save_checkpoint(checkpoints[1], path)
    with pytest.raises(CheckpointError, match="must have the role 'encoder', got 'recurrence'"):
        RIMReconstructor.load(path, path)


def test_samples_follow_the_covariance_in_step_coordinates(reconstructor):
    from astrorim.lensing import SourceFrames
    from astrorim.rim.joint import JointResult

    number = len(reconstructor.system.parameters)
    torch.manual_seed(4)
    root = 0.01 * (torch.eye(number) + 0.3 * torch.randn(number, number).tril(-1))
    values = torch.full((1, number), 0.4)
    outcome = JointResult(
        values=values,
        covariance=(root @ root.T)[None],
        source=torch.zeros(1, 4, 4),
        frames=SourceFrames(torch.zeros(1, 2), torch.ones(1), 4),
        chi2=torch.ones(1, 1),
        source_steps=[],
    )
    generator = torch.Generator().manual_seed(1)
    samples = torch.cat(
        [reconstructor._samples(outcome, generator, held=False) for _ in range(40)]
    )[:, 0]
    positive = torch.tensor(
        [p.support[0] > 0 or p.linear for p in reconstructor.system.parameters]
    )
    coordinates = torch.where(positive, samples.log(), samples)
    covariance = torch.cov(coordinates.T)
    scale = outcome.covariance[0].diagonal().sqrt()
    ratio = (covariance - outcome.covariance[0]) / (scale[:, None] * scale)
    assert ratio.abs().max() < 0.05  # 20480 samples: a standard error of 0.01


def test_shipped_networks_are_loaded_by_name(tmp_path, monkeypatch):
    default = RIMReconstructor.load(device="cpu")
    broad = RIMReconstructor.load("residual-encoder", device="cpu")
    assert broad.recurrence.sha256 == default.recurrence.sha256
    assert broad.encoder.backend == "residual-encoder"
    assert {p.dtype for p in broad.encoder.network.parameters()} == {torch.float32}
    named = RIMReconstructor.load("flow-encoder", "conv-gru", device="cpu")
    assert named.encoder.sha256 == default.encoder.sha256
    assert named.recurrence.backend == "conv-gru"
    assert named.recurrence.settings["num_steps"] == 10
    assert set(named.recurrence.settings["error_factors"]) == set(named.encoder.parameters)
    monkeypatch.chdir(tmp_path)
    (tmp_path / "conv-gru").write_text("not weights")
    with pytest.raises(CheckpointError, match="cannot read weights from 'conv-gru'"):
        RIMReconstructor.load("flow-encoder", "conv-gru", device="cpu")


def test_networks_without_weights_are_told(monkeypatch):
    monkeypatch.setattr(ConvGRUNetwork, "weights", lambda _: None)
    with pytest.raises(CheckpointError, match="no weights come with 'conv-gru'; pass recur"):
        RIMReconstructor.load(recurrence="conv-gru", device="cpu")

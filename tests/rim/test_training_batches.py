from __future__ import annotations

from itertools import chain
from types import SimpleNamespace

import pytest
import torch

from astrorim.exceptions import SimulationError
from astrorim.rim import make_trainer
from astrorim.rim.shards import INDEX_NAME, ShardDataset, ShardEntry, index_text, save_shard
from astrorim.rim.training_batches import (
    VALIDATION_SEED,
    DrawnBatches,
    MixedBatches,
    StoredBatches,
)
from astrorim.rim.training_options import TrainingOptions

CELL = {"fine": 4, "middle": 4, "coarse": 4}


@pytest.fixture
def store(simulator, tmp_path):
    """Function that stores lenses as two shards."""

    def make(number=20, seed=3):
        entries = []
        half = number // 2
        for start, size in ((0, half), (half, number - half)):
            path = tmp_path / f"shard_{start}_{size}.safetensors"
            save_shard(simulator.simulate(size, seed=seed, start=start), path)
            digest = f"{start}-{size}-{seed}"
            entries.append(ShardEntry(path.name, start, size, digest))
        facts = {
            "seed": seed, "simulator": "toy", "lens_model": "sie+shear",
            "light_model": "sersic",
        }  # fmt: skip
        (tmp_path / INDEX_NAME).write_text(index_text(facts, entries))
        return ShardDataset(tmp_path, check=False)

    return make


def test_drawn_batches_are_consecutive_lenses_of_the_dataset(simulator):
    batches = DrawnBatches(simulator, seed=1, pixel_scales=(0.1, 0.1))
    second = batches.training(1, 4)
    assert second.index.tolist() == [4, 5, 6, 7]
    expected = simulator.simulate(8, seed=1, pixel_scale=0.1)
    torch.testing.assert_close(second.image, expected.image[4:], rtol=1e-6, atol=1e-6)
    assert batches.validation(2)["toy"].seed == VALIDATION_SEED
    assert batches.sample(3)[0].index.tolist() == [0, 1, 2]


def test_pixel_scales_are_drawn_from_their_range(simulator):
    batches = DrawnBatches(simulator, seed=1, pixel_scales=(0.08, 0.12))
    scales = {float(batches.training(step, 1).pixel_scale) for step in range(5)}
    assert len(scales) == 5
    assert all(0.08 <= scale <= 0.12 for scale in scales)


def test_simulator_of_several_instruments_keeps_their_pixel_scales(plugins):
    simulator = plugins.simulators.create("multi-instrument")
    batches = DrawnBatches(simulator, seed=1, pixel_scales=(0.05, 0.05))
    scales = set(batches.sample(40)[0].pixel_scale.round(decimals=3).tolist())
    assert {round(scale, 3) for scale in scales} == {0.04, 0.2, 0.08}
    single = plugins.simulators.create("foundation")
    own = DrawnBatches(single, seed=1, pixel_scales=(0.05, 0.05)).sample(2)[0]
    assert own.pixel_scale.tolist() == pytest.approx([0.05, 0.05])


def test_lenses_drawn_at_once_are_handed_out_in_order(simulator, monkeypatch):
    calls = []
    draw = simulator.simulate
    monkeypatch.setattr(
        type(simulator),
        "simulate",
        lambda _, number, **options: calls.append(number) or draw(number, **options),
    )
    batches = DrawnBatches(simulator, seed=1, pixel_scales=(0.1, 0.1), at_once=7)
    seen = [batches.training(step, 3).index.tolist() for step in range(6)]
    assert list(chain(*seen)) == list(range(18))
    assert calls == [9, 9]
    again = DrawnBatches(simulator, seed=1, pixel_scales=(0.1, 0.1), at_once=7)
    assert torch.equal(again.training(5, 3).image, batches.training(5, 3).image)


def test_no_lens_at_once_is_refused(simulator):
    with pytest.raises(ValueError, match="at_once must be at least 1, got 0"):
        DrawnBatches(simulator, seed=1, pixel_scales=(0.1, 0.1), at_once=0)


@pytest.fixture
def mixed(simulator):
    parts = {
        name: DrawnBatches(simulator, seed=seed, pixel_scales=(0.1, 0.1))
        for name, seed in (("near", 1), ("far", 2))
    }
    return MixedBatches(parts)


def test_kinds_take_turns(mixed):
    seen = [mixed.training(step, 2) for step in range(4)]
    assert [batch.seed for batch in seen] == [1, 2, 1, 2]
    assert [batch.index.tolist() for batch in seen] == [[0, 1], [0, 1], [2, 3], [2, 3]]
    assert [batch.seed for batch in mixed.sample(2)] == [1, 2]
    assert list(mixed.validation(2)) == ["near", "far"]
    assert (mixed.name, mixed.lens_model) == ("near, far", "sie+shear")


def test_kinds_with_other_light_are_refused(simulator):
    one = DrawnBatches(simulator, seed=1, pixel_scales=(0.1, 0.1))
    other = SimpleNamespace(lens_model="sie+shear", light_model="multi-gaussian")
    with pytest.raises(ValueError, match="same lens light, got sersic, multi-gaussian"):
        MixedBatches({"one": one, "other": other})
    with pytest.raises(ValueError, match="at least one kind of lenses, got none"):
        MixedBatches({})


@pytest.mark.parametrize("network", ["unet-gru", "flow-encoder"])
def test_networks_train_on_a_mixture(mixed, plugins, tmp_path, network):
    sizes = {"unet-gru": CELL, "flow-encoder": {"width": 8, "context": 16}}[network]
    options = TrainingOptions(str(tmp_path / "run"), 1e-4, batch_size=2, masks=True)
    lines = []
    checkpoint = make_trainer(network, mixed, options, plugins, sizes).run(lines.append)
    measure = {"unet-gru": "source_error", "flow-encoder": "theta_E_error"}[network]
    assert {f"near {measure}", f"far {measure}"} <= set(checkpoint.provenance["measures"])
    assert "near" in lines[-1]
    assert "far" in lines[-1]
    assert checkpoint.provenance["simulator"] == "near, far"


def test_a_pass_shows_each_lens_once_and_none_of_validation(store):
    batches = StoredBatches(store())
    seen = [batches.training(step, 6).index.tolist() for step in range(6)]
    for one_pass in (seen[:3], seen[3:]):
        assert sorted(chain.from_iterable(one_pass)) == list(range(18))
    assert seen[:3] != seen[3:]
    assert batches.validation(64)["toy"].index.tolist() == [18, 19]
    assert batches.sample(512)[0].index.tolist() == list(range(18))


def test_a_batch_is_the_same_whenever_it_is_asked_for(store):
    first, second = StoredBatches(store()), StoredBatches(store())
    later = second.training(7, 4)
    for step in range(7):
        first.training(step, 4)
    assert torch.equal(first.training(7, 4).image, later.image)


@pytest.mark.parametrize("seed", [10**9 - 1, 10**9, 3 * 10**9])
def test_seeds_of_evaluation_are_refused(seed, tmp_path):
    dataset = SimpleNamespace(seed=seed, number=20, directory=tmp_path)
    with pytest.raises(SimulationError, match=f"below 10\\^9 - 1 for training, got {seed}"):
        StoredBatches(dataset)


def test_too_few_lenses_are_refused(store):
    batches = StoredBatches(store(4))
    with pytest.raises(SimulationError, match="batch_size must be at most 3.* got 4"):
        batches.training(0, 4)
    dataset = SimpleNamespace(seed=1, number=1, directory="here")
    with pytest.raises(SimulationError, match="must hold at least 2 lenses.* got 1"):
        StoredBatches(dataset)


@pytest.mark.parametrize("network", ["unet-gru", "flow-encoder"])
def test_networks_train_on_stored_lenses(store, plugins, tmp_path, network):
    sizes = {"unet-gru": CELL, "flow-encoder": {"width": 8, "context": 16}}[network]
    options = TrainingOptions(str(tmp_path / "run"), 1e-4, batch_size=4)
    trainer = make_trainer(network, StoredBatches(store()), options, plugins, sizes)
    checkpoint = trainer.run(lambda _: None)
    assert checkpoint.provenance["simulator"] == "toy"
    again = make_trainer(network, StoredBatches(store()), options, plugins, sizes)
    assert again.resume()
    assert again.step_number == trainer.step_number


def test_a_run_on_other_shards_is_not_resumed(store):
    assert StoredBatches(store()).identity() == StoredBatches(store()).identity()
    assert StoredBatches(store()).identity() != StoredBatches(store(18)).identity()

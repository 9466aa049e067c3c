from __future__ import annotations

from itertools import chain
from types import SimpleNamespace

import pytest
import torch

from astrorim.exceptions import SimulationError
from astrorim.rim import make_trainer
from astrorim.rim.shards import INDEX_NAME, ShardDataset, ShardEntry, index_text, save_shard
from astrorim.rim.training import TrainingOptions
from astrorim.rim.training_batches import VALIDATION_SEED, DrawnBatches, StoredBatches

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
    assert batches.validation(2).seed == VALIDATION_SEED
    assert batches.sample(3).index.tolist() == [0, 1, 2]


def test_pixel_scales_are_drawn_from_their_range(simulator):
    batches = DrawnBatches(simulator, seed=1, pixel_scales=(0.08, 0.12))
    scales = {float(batches.training(step, 1).pixel_scale) for step in range(5)}
    assert len(scales) == 5
    assert all(0.08 <= scale <= 0.12 for scale in scales)


def test_a_pass_shows_each_lens_once_and_none_of_validation(store):
    batches = StoredBatches(store())
    seen = [batches.training(step, 6).index.tolist() for step in range(6)]
    for one_pass in (seen[:3], seen[3:]):
        assert sorted(chain.from_iterable(one_pass)) == list(range(18))
    assert seen[:3] != seen[3:]
    assert batches.validation(64).index.tolist() == [18, 19]
    assert batches.sample(512).index.tolist() == list(range(18))


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

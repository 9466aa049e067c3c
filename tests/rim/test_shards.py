from __future__ import annotations

import json
from dataclasses import replace

import pytest
import torch
from safetensors import safe_open
from torch.utils.data import DataLoader

from astrorim.exceptions import SimulationError
from astrorim.rim.shards import (
    INDEX_NAME,
    ShardDataset,
    ShardEntry,
    file_digest,
    index_text,
    read_index,
    save_shard,
)


@pytest.fixture
def directory(simulator, tmp_path):
    """Ten lenses in shards of 4, 4 and 2."""
    entries = []
    for start, number in ((0, 4), (4, 4), (8, 2)):
        path = tmp_path / f"shard_{start}.safetensors"
        save_shard(simulator.simulate(number, seed=3, start=start), path)
        entries.append(ShardEntry(path.name, start, number, file_digest(path)))
    facts = {"seed": 3, "simulator": "toy", "lens_model": "sie+shear", "light_model": "sersic"}
    (tmp_path / INDEX_NAME).write_text(index_text(facts, entries))
    return tmp_path


def test_batches_stream_in_order(directory, simulator):
    dataset = ShardDataset(directory, batch_size=3)
    whole = simulator.simulate(10, seed=3)
    batches = list(dataset)
    assert [len(batch) for batch in batches] == [3, 3, 3, 1]
    assert len(dataset) == 4
    assert torch.cat([batch.index for batch in batches]).tolist() == list(range(10))
    image = torch.cat([batch.image for batch in batches])
    torch.testing.assert_close(image, whole.image)


def test_a_batch_has_a_source_to_evaluate(directory):
    batch = ShardDataset(directory).read(2, 5)
    centre = batch.source_centre
    values = batch.source(centre[:, :1], centre[:, 1:])
    assert values.shape == (5, 1)
    assert bool((values[:, 0] > 0.9 * batch.source_image.amax(dim=(1, 2))).all())


@pytest.mark.parametrize("workers", [0, 2])
def test_a_loader_reads_ahead(directory, workers):
    loader = DataLoader(
        ShardDataset(directory, batch_size=3),
        batch_size=None,
        num_workers=workers,
        multiprocessing_context="spawn" if workers else None,
    )
    indices = [index for batch in loader for index in batch.index.tolist()]
    assert sorted(indices) == list(range(10))


def test_only_one_entry_of_metadata_and_no_pickle(directory):
    """Several would be written in an order of safetensors' own."""
    with safe_open(directory / "shard_0.safetensors", framework="pt") as file:
        assert list(file.metadata()) == ["astrorim"]
        assert json.loads(file.metadata()["astrorim"])["layout"] == 1
        assert "lens/theta_E" in file.keys()  # noqa: SIM118


def test_bits_of_cosmic_rays_come_back(simulator, tmp_path):
    lenses = simulator.simulate(2, seed=3)
    hits = lenses.image > lenses.image.mean()
    save_shard(replace(lenses, cosmic_rays=hits), tmp_path / "a")
    facts = {"seed": 3}
    entry = ShardEntry("a", 0, 2, file_digest(tmp_path / "a"))
    (tmp_path / INDEX_NAME).write_text(index_text(facts, [entry]))
    read = ShardDataset(tmp_path).read(0, 2)
    assert read.cosmic_rays.dtype == torch.bool
    assert torch.equal(read.cosmic_rays, hits)


@pytest.mark.parametrize(("start", "number"), [(-1, 1), (0, 0), (8, 3)])
def test_lenses_that_are_not_there(directory, start, number):
    with pytest.raises(SimulationError, match="must be among the 10 of"):
        ShardDataset(directory).read(start, number)


def test_a_damaged_shard_is_noticed(directory):
    path = directory / "shard_4.safetensors"
    content = bytearray(path.read_bytes())
    content[-1] ^= 1
    path.write_bytes(content)
    dataset = ShardDataset(directory)
    dataset.read(0, 4)
    with pytest.raises(SimulationError, match="must have the SHA-256 .* it is damaged"):
        dataset.read(2, 4)
    assert len(ShardDataset(directory, check=False).read(2, 4)) == 4
    path.write_bytes(content[:1000])
    with pytest.raises(SimulationError, match="cannot be read"):
        ShardDataset(directory, check=False).read(4, 1)
    path.unlink()
    with pytest.raises(SimulationError, match="cannot be read"):
        ShardDataset(directory).read(4, 1)


def test_an_index_is_needed(tmp_path):
    with pytest.raises(SimulationError, match="must hold shards.json, but .* does not"):
        ShardDataset(tmp_path)
    (tmp_path / INDEX_NAME).write_text("{}")
    with pytest.raises(SimulationError, match="is not an index of shards"):
        read_index(tmp_path)
    (tmp_path / INDEX_NAME).write_text('{"layout": 2, "shards": []}')
    with pytest.raises(SimulationError, match="has layout 2, this AstroRIM reads 1"):
        read_index(tmp_path)
    (tmp_path / INDEX_NAME).write_text('{"layout": 1, "shards": []}')
    with pytest.raises(SimulationError, match="got an index of none"):
        ShardDataset(tmp_path)


def test_batch_size_is_checked(directory):
    with pytest.raises(SimulationError, match="must be a positive integer, got 0"):
        ShardDataset(directory, batch_size=0)

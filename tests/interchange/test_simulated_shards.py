from __future__ import annotations

import json
import shutil

import pytest
import torch

from astrorim.exceptions import SimulationError
from astrorim.interchange import simulated_shards
from astrorim.interchange.simulated_shards import shard_bytes, shard_ranges, write_shards
from astrorim.rim.shards import INDEX_NAME, ShardDataset


@pytest.fixture(autouse=True)
def _small_shards(monkeypatch):
    monkeypatch.setattr(simulated_shards, "SHARD_SIZE", 4)


def contents(directory):
    return {path.name: path.read_bytes() for path in directory.iterdir()}


@pytest.mark.parametrize(
    ("start", "stop", "ranges"),
    [
        (0, 8, [(0, 4), (4, 8)]),
        (2, 9, [(2, 4), (4, 8), (8, 9)]),
        (5, 6, [(5, 6)]),
        (4, 8, [(4, 8)]),
    ],
)
def test_shards_begin_at_multiples_of_their_size(start, stop, ranges):
    assert shard_ranges(start, stop, 4) == ranges


def test_the_index_says_what_was_drawn(draw_rich, tmp_path):
    paths = write_shards(draw_rich(6), tmp_path, options={"wide_clumps": False})
    assert [path.name for path in paths] == [f"shard_00000{n}.safetensors" for n in (0, 1)]
    index = json.loads((tmp_path / INDEX_NAME).read_text())
    assert index["seed"] == 9
    assert index["simulator"] == "foundation"
    assert index["options"] == {"wide_clumps": False}
    assert index["lens_model"].startswith("sie+shear+nfw+nfw@halo")
    assert set(index["versions"]) == {"astrorim", "torch", "numpy"}
    assert [(e["start"], e["number"]) for e in index["shards"]] == [(0, 4), (4, 2)]


def test_bytes_do_not_depend_on_the_batches(draw_rich, tmp_path):
    write_shards(draw_rich(7), tmp_path / "whole")
    parts = (draw_rich(n, start=start) for start, n in ((0, 1), (1, 4), (5, 2)))
    write_shards(parts, tmp_path / "parts")
    assert contents(tmp_path / "whole") == contents(tmp_path / "parts")


def test_lenses_come_back_as_they_were(draw_rich, tmp_path):
    batch = draw_rich(7)
    write_shards(batch, tmp_path)
    read = ShardDataset(tmp_path).read(0, 7)
    for name in (
        "image", "noise", "noise_free", "lens_light", "other_light", "cosmic_rays", "index",
        "pixel_scale", "source_image", "source_pixel_scale", "source_centre",
    ):  # fmt: skip
        assert torch.equal(getattr(read, name), getattr(batch, name)), name
    for name in ("lens", "light", "metadata"):
        expected, got = getattr(batch, name), getattr(read, name)
        assert expected.keys() == got.keys()
        assert all(torch.equal(expected[key], got[key]) for key in expected)
    for name in ("seed", "simulator", "lens_model", "light_model", "psf_supersampling"):
        assert getattr(read, name) == getattr(batch, name)
    assert torch.equal(read.psf, batch.psf[:, 2:-2, 2:-2])
    assert torch.equal(read.noise_kernel, batch.noise_kernel[:, 1:-1, 1:-1])
    assert torch.equal(read.rendering_psf, batch.rendering_psf[:, 1:-1, 1:-1])


def test_a_longer_dataset_takes_the_place_of_a_part(draw, tmp_path):
    write_shards(draw(6), tmp_path / "grown")
    write_shards(draw(3, start=4), tmp_path / "grown")
    write_shards(draw(7), tmp_path / "whole")
    assert contents(tmp_path / "grown") == contents(tmp_path / "whole")


def test_a_directory_holds_one_dataset(draw, tmp_path):
    write_shards(draw(2), tmp_path)
    with pytest.raises(SimulationError, match="holds shards with seed 9, asked for 10"):
        write_shards(draw(2, seed=10), tmp_path)


def test_batches_must_follow_one_another(draw, tmp_path):
    with pytest.raises(SimulationError, match="got lens 3 where 2 was to come"):
        write_shards([draw(2), draw(2, start=3)], tmp_path)


def test_too_little_space_is_noticed_before_writing(draw, tmp_path, monkeypatch):
    usage = shutil.disk_usage(tmp_path)._replace(free=1000)
    monkeypatch.setattr(shutil, "disk_usage", lambda _: usage)
    with pytest.raises(SimulationError, match="2 lenses need .* kB, got 1.0 kB free"):
        write_shards(draw(2), tmp_path)
    assert not list(tmp_path.iterdir())


def test_the_measured_size_is_that_of_the_file(draw, tmp_path):
    batch = draw(4)
    (path,) = write_shards(batch, tmp_path)
    assert 4 * shard_bytes(batch) == pytest.approx(path.stat().st_size, rel=0.05)

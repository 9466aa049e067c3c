"""Samples kept lens by lens."""

from __future__ import annotations

import json

import numpy as np
import pytest

from astrorim.exceptions import CheckpointError
from astrorim.inference.draws_checkpoint import DrawsCheckpoint, LensDraws

SETTINGS = {"simulator": "toy", "seed": 10**9, "sizes": (1, 2)}


@pytest.fixture
def store(tmp_path):
    return DrawsCheckpoint(tmp_path / "lenses", SETTINGS)


def test_every_field_comes_back(store, rng):
    draws = LensDraws(
        truth={"a": 1.5, "b": np.nan},
        samples={"b": rng.normal(size=7), "a": rng.normal(size=7)},
        effective_size={"a": 3.5},
    )
    store.write(12, draws)
    found = DrawsCheckpoint(store.directory, SETTINGS).read(12)
    np.testing.assert_equal(dict(found.truth), dict(draws.truth))
    assert list(found.samples) == ["b", "a"]
    for name in "ab":
        np.testing.assert_array_equal(found.samples[name], draws.samples[name])
    assert found.effective_size == {"a": 3.5}
    assert found.reason == ""
    assert store.read(13) is None
    assert {p.name for p in store.directory.iterdir()} == {
        "settings.json",
        "lens_000000012.npz",
    }


def test_a_failure_comes_back_with_its_reason(store):
    store.write(0, LensDraws({"a": 1.0}, reason="ValueError: nö"))
    found = store.read(0)
    assert (found.reason, found.samples, found.truth) == ("ValueError: nö", {}, {"a": 1.0})


def test_other_settings_are_refused_and_named(store):
    other = SETTINGS | {"seed": 10**9 + 1, "weights": "abc"}
    message = "seed 1000000000 instead of 1000000001; weights None instead of 'abc'"
    with pytest.raises(CheckpointError, match=f"was begun with other settings .{message}"):
        DrawsCheckpoint(store.directory, other)


def test_samples_that_nothing_describes_are_refused(store):
    store.write(0, LensDraws({"a": 1.0}, reason="lost"))
    (store.directory / "settings.json").unlink()
    with pytest.raises(CheckpointError, match="holds samples without settings.json"):
        DrawsCheckpoint(store.directory, SETTINGS)


def test_a_damaged_file_is_named(store):
    store.path(3).write_bytes(b"PK\x03\x04 but no more")
    with pytest.raises(CheckpointError, match=r"lens_000000003\.npz is damaged"):
        store.read(3)


def test_damaged_settings_are_named(store):
    (store.directory / "settings.json").write_text("{", encoding="utf-8")
    with pytest.raises(CheckpointError, match=r"settings\.json cannot be read"):
        DrawsCheckpoint(store.directory, SETTINGS)


def test_what_cannot_be_written_leaves_the_old_file(store, monkeypatch):
    store.write(0, LensDraws({"a": 1.0}, {"a": np.zeros(2)}))

    def fail(*_):
        raise OSError("no space left")

    monkeypatch.setattr("pathlib.Path.replace", fail)
    with pytest.raises(OSError, match="no space left"):
        store.write(0, LensDraws({"a": 2.0}, {"a": np.ones(2)}))
    monkeypatch.undo()
    assert store.read(0).truth == {"a": 1.0}
    assert len(list(store.directory.iterdir())) == 2


def test_settings_are_kept_as_text(store):
    text = (store.directory / "settings.json").read_text(encoding="utf-8")
    assert json.loads(text) == {
        "format_version": 2,
        "simulator": "toy",
        "seed": 10**9,
        "sizes": [1, 2],
    }

from __future__ import annotations

import pytest

from astrorim.cli import train
from astrorim.plugins import load_plugins
from astrorim.rim.checkpoint import load_checkpoint


class ShortTrainer:
    """Stands for a trainer: keeps its options and does not train."""

    step_number = 7
    minutes_used = 1.5

    def __init__(self, network, simulator, options, plugins, architecture, start_from=None):
        self.seen = (network, simulator, options)
        self.architecture = architecture
        ShortTrainer.last = self
        self.resumed = False

    def resume(self):
        self.resumed = True
        return True

    def run(self, report):
        report("validated")


@pytest.fixture
def short(monkeypatch):
    monkeypatch.setattr("astrorim.rim.make_trainer", ShortTrainer)
    return ShortTrainer


def test_options_reach_the_trainer(astrorim, short, tmp_path):
    outcome = astrorim(
        *("train", "unet-gru", "--output-dir", tmp_path, "--minutes", 3, "--batch_size", 4),
        *("--lr", "0.002", "--seed", 9, "--pixel-scales", 0.04, 0.06, "--num-threads", 1),
        "--mixed-precision",
    )
    assert outcome.status == 0
    network, simulator, options = short.last.seen
    assert (network, simulator.name) == ("unet-gru", "foundation")
    assert (options.minutes, options.batch_size, options.learning_rate) == (3, 4, 0.002)
    assert (options.seed, options.pixel_scales, options.num_threads) == (9, (0.04, 0.06), 1)
    assert options.mixed_precision
    assert "going on from step 7, 1.5 of 3.0 minutes used" in outcome.err
    assert "astrorim: validated" in outcome.err
    assert outcome.out.strip() == str(tmp_path / "weights.safetensors")


def test_several_simulators_take_turns(astrorim, short, tmp_path):
    outcome = astrorim(
        *("train", "flow-encoder", "--output-dir", tmp_path, "--masks", "--copies", 3),
        *("--simulators", "v1", "realistic", "--arc-visibility", 0.1, 0.4),
        *("--size", "blocks=1", "--size", "width=16", "--num-steps", 9),
    )
    assert outcome.status == 0
    _, batches, options = short.last.seen
    assert list(batches.parts) == [
        "foundation", "realistic", "foundation behind bright galaxies",
        "realistic behind bright galaxies",
    ]  # fmt: skip
    assert len({part.seed for part in batches.parts.values()}) == 4
    assert short.last.architecture == {"blocks": 1, "width": 16}
    assert (options.masks, options.copies, options.num_steps) == (True, 3, 9)


def test_all_stands_for_every_simulator(astrorim, short, tmp_path):
    outcome = astrorim("train", "unet-gru", "--output-dir", tmp_path, "--simulators", "all")
    assert outcome.status == 0
    assert set(short.last.seen[1].parts) == set(load_plugins().simulators.names())


def test_no_resume_removes_the_run_that_is_there(astrorim, short, tmp_path):
    for name in train._WRITTEN:
        (tmp_path / name).touch()
    (tmp_path / "notes.txt").touch()
    assert astrorim("train", "unet-gru", "--output-dir", tmp_path, "--no-resume").status == 0
    assert not short.last.resumed
    assert [path.name for path in tmp_path.iterdir()] == ["notes.txt"]


@pytest.mark.parametrize(
    "options, status, complaint",
    [
        (("no-net",), 1, "unknown network 'no-net'; available: conv-gru, flow-encoder"),
        (("unet-gru", "--seed", 10**9), 1, "seed must be between 0 and 10^9 - 2"),
        (("unet-gru", "--pixel-scales", 0.06, 0.04), 2, "must be LO HI with LO <= HI"),
        (("unet-gru", "--simulator", "nothing"), 1, "unknown simulator 'nothing'"),
        (("unet-gru", "--size", "wide"), 2, "must be NAME=NUMBER with a whole number"),
        (("unet-gru", "--device", "tpu"), 2, "--device must be cpu or cuda, got 'tpu'"),
        (("unet-gru", "--start-from", "none.safetensors"), 1, "no weights at 'none.saf"),
        (
            ("unet-gru", "--simulator", "v1", "--simulators", "v2"), 2,
            "--simulator and --simulators exclude each other",
        ),
    ],
)
def test_wrong_options_are_told(astrorim, tmp_path, options, status, complaint):
    outcome = astrorim("train", *options, "--output-dir", tmp_path)
    assert outcome.status == status
    assert complaint in outcome.err


@pytest.mark.slow
def test_weights_that_training_writes_can_be_loaded(astrorim, tmp_path):
    outcome = astrorim(
        *("train", "unet-gru", "--output-dir", tmp_path, "--minutes", 1e-6),
        *("--batch-size", 1, "--seed", 4),
    )
    assert outcome.status == 0
    weights = outcome.out.strip()
    assert load_checkpoint(weights, load_plugins(), role="recurrence").provenance["steps"] == 1


@pytest.mark.parametrize(
    "option",
    [
        ("--simulator", "v1"), ("--simulators", "all"), ("--lens-model", "sie"),
        ("--pixel-scales", 0.1, 0.2), ("--arc-visibility", 0.1, 0.2),
    ],
)
def test_shards_are_drawn_already(astrorim, tmp_path, option):
    outcome = astrorim(
        "train", "unet-gru", "--data-dir", tmp_path, *option, "--output-dir", tmp_path
    )
    assert outcome.status == 2
    assert f"{option[0]} is of lenses drawn on the fly" in outcome.err


def test_directory_without_shards(astrorim, tmp_path):
    outcome = astrorim("train", "unet-gru", "--data-dir", tmp_path, "--output-dir", tmp_path)
    assert outcome.status == 1
    assert "must hold shards.json" in outcome.err

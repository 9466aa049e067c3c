from __future__ import annotations

import pytest

from astrorim.plugins import load_plugins
from astrorim.rim.checkpoint import load_checkpoint


class ShortTrainer:
    """Stands for a trainer: keeps its options and does not train."""

    def __init__(self, network, simulator, options, plugins, architecture, start_from=None):
        self.seen = (network, simulator, options, architecture, start_from)
        ShortTrainer.last = self

    def resume(self):
        return False

    def run(self, report):
        report("validated")


@pytest.fixture
def short(monkeypatch):
    monkeypatch.setattr("astrorim.rim.make_trainer", ShortTrainer)
    return ShortTrainer


@pytest.mark.parametrize(("network", "num_steps"), [("unet-gru", 6), ("conv-gru", 10)])
def test_the_shipped_weights_are_the_beginning(astrorim, short, tmp_path, network, num_steps):
    outcome = astrorim(
        *("finetune", network, "--output-dir", tmp_path, "--simulators", "v1", "enhanced"),
    )
    assert outcome.status == 0
    seen, batches, options, architecture, start_from = short.last.seen
    shipped = load_plugins().networks.create(network).weights()
    assert (seen, architecture) == (network, {})
    assert start_from.sha256 == load_checkpoint(shipped, load_plugins()).sha256
    assert options.num_steps == num_steps
    assert (options.learning_rate, options.minutes) == (1e-4, 20)
    assert set(batches.parts) == {"foundation", "enhanced"}


def test_weights_of_another_network_are_refused(astrorim, tmp_path):
    shipped = load_plugins().networks.create("conv-gru").weights()
    outcome = astrorim(
        *("finetune", "unet-gru", "--checkpoint", shipped, "--output-dir", tmp_path)
    )
    assert outcome.status == 1
    assert "weights to start from must be of 'unet-gru'" in outcome.err


def test_finetuning_goes_on_where_it_was(astrorim, tmp_path, monkeypatch):
    monkeypatch.setattr("astrorim.rim.training._VALIDATION_NUMBER", 2)
    options = ("finetune", "unet-gru", "--output-dir", tmp_path, "--batch-size", 1)
    first = astrorim(*options, "--minutes", 0.0001)
    assert first.status == 0
    assert "step 1 " in first.err
    begun = load_checkpoint(tmp_path / "weights.safetensors", load_plugins()).provenance[
        "started_from"
    ]
    assert begun["steps"] > 1000
    second = astrorim(*options, "--minutes", 0.0001)
    assert "going on from step 1" in second.err
    assert "step 2 " in second.err

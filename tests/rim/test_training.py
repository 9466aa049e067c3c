from __future__ import annotations

import csv
import json

import pytest
import torch
from safetensors import safe_open

from astrorim.exceptions import CheckpointError
from astrorim.rim.checkpoint import load_checkpoint
from astrorim.rim.objectives import RecurrenceObjective
from astrorim.rim.training import Trainer
from astrorim.rim.training_options import TrainingOptions

SIZES = {"fine": 4, "middle": 4, "coarse": 4}


@pytest.fixture
def make_trainer(tmp_path, system, simulator, plugins):
    def make(folder="run", sizes=SIZES, start_from=None, **options):
        # so long that the schedule, which follows the clock, stands still
        options = {"minutes": 1e9, "batch_size": 4, "warm_up": 3} | options
        return Trainer(
            plugins.networks.create("unet-gru"),
            sizes,
            RecurrenceObjective(system, source_size=16, num_steps=2, spread={"theta_E": 0.02}),
            simulator,
            TrainingOptions(str(tmp_path / folder), **options),
            start_from,
        )

    return make


def train(trainer, number):
    return [trainer._train_step() for _ in range(number)]


def save(trainer):
    trainer.directory.mkdir(parents=True, exist_ok=True)
    return trainer._save(0.0, {"source_error": 1.0})


def bits(trainer):
    """Everything that the next step depends on."""
    state = {f"network {k}": v for k, v in trainer.network.state_dict().items()}
    state |= {f"average {k}": v for k, v in trainer.average.state_dict().items()}
    for index, moments in trainer.optimizer.state_dict()["state"].items():
        state |= {f"{index} {name}": value for name, value in moments.items()}
    return state


def test_loss_falls(make_trainer):
    trainer = make_trainer(learning_rate=5e-3, decay=0.5)
    losses = train(trainer, 30)
    assert sum(losses[-5:]) < 0.9 * sum(losses[:5])


def test_resumed_run_ends_in_the_same_bits(make_trainer):
    whole = make_trainer("whole")
    losses = train(whole, 7)
    first = make_trainer("parts")
    begun = train(first, 3)
    save(first)
    torch.manual_seed(99)  # what happens in between leaves no trace
    second = make_trainer("parts")
    assert second.resume()
    assert second.step_number == 3
    assert begun + train(second, 4) == losses
    expected, got = bits(whole), bits(second)
    assert expected.keys() == got.keys()
    assert all(torch.equal(expected[key], got[key]) for key in expected)


def test_validation_leaves_no_trace(make_trainer, simulator):
    quiet, watched = make_trainer("quiet"), make_trainer("watched")
    losses = train(quiet, 4)
    parts = train(watched, 2)
    with torch.no_grad():
        watched.objective.evaluate(watched.average, simulator.simulate(3, seed=10**9))
    assert parts + train(watched, 2) == losses


def test_run_ends_with_its_budget_and_writes_what_inference_needs(make_trainer, plugins):
    trainer = make_trainer(minutes=1e-4, report_minutes=1e-5)
    lines = []
    checkpoint = trainer.run(lines.append)
    assert len(lines) >= 1
    assert "source_error" in lines[-1]
    assert checkpoint.provenance["steps"] == trainer.step_number
    assert checkpoint.provenance["lenses_seen"] == 4 * trainer.step_number
    assert checkpoint.provenance["options"]["output_dir"] == ""
    loaded = load_checkpoint(trainer.directory / "weights.safetensors", plugins)
    assert loaded.role == "recurrence"
    assert loaded.settings == {"source_size": 16, "num_steps": 2}
    for name, value in trainer.average.state_dict().items():
        assert torch.equal(loaded.network.state_dict()[name], value)
    with (trainer.directory / "log.csv").open(encoding="utf-8") as file:
        rows = list(csv.DictReader(file))
    assert len(rows) == len(lines)
    assert int(rows[-1]["step"]) == trainer.step_number
    assert sorted(p.name for p in trainer.directory.iterdir()) == [
        "log.csv",
        "state.safetensors",
        "weights.safetensors",
    ]


def test_nothing_to_resume(make_trainer):
    assert not make_trainer().resume()


@pytest.mark.parametrize(
    "change", [{"seed": 2}, {"batch_size": 3}, {"sizes": SIZES | {"fine": 8}}]
)
def test_run_of_another_kind_is_not_resumed(make_trainer, change):
    trainer = make_trainer()
    train(trainer, 1)
    save(trainer)
    with pytest.raises(CheckpointError, match="of another kind: stored .* asked for"):
        make_trainer(**change).resume()


def test_averaged_weights_follow_the_trained_ones(make_trainer):
    trainer = make_trainer()
    train(trainer, 3)
    name = "exit.1.bias"
    trained = trainer.network.state_dict()[name]
    averaged = trainer.average.state_dict()[name]
    assert 0 < averaged.abs() < trained.abs() or averaged.sign() == -trained.sign()


def test_gradient_that_is_not_finite_is_left_out(make_trainer, monkeypatch):
    trainer = make_trainer()
    before = {k: v.clone() for k, v in trainer.network.state_dict().items()}
    monkeypatch.setattr(
        type(trainer.objective),
        "loss",
        lambda *_: sum(p.sum() for p in trainer.network.parameters()) * torch.nan,
    )
    train(trainer, 1)
    assert trainer.step_number == 1
    assert all(torch.equal(before[k], v) for k, v in trainer.network.state_dict().items())


def test_training_starts_from_given_weights(make_trainer, plugins):
    first = make_trainer("first")
    train(first, 2)
    save(first)
    begin = load_checkpoint(first.directory / "weights.safetensors", plugins)
    second = make_trainer("second", start_from=begin)
    for name, value in first.average.state_dict().items():
        assert torch.equal(second.network.state_dict()[name], value)
        assert torch.equal(second.average.state_dict()[name], value)
    origin = save(second).provenance["started_from"]
    assert (origin["sha256"], origin["steps"]) == (begin.sha256, 2)
    assert first.start_from is None
    assert save(first).provenance["started_from"] is None


def test_weights_of_another_size_are_refused(make_trainer, plugins):
    first = make_trainer("first")
    save(first)
    begin = load_checkpoint(first.directory / "weights.safetensors", plugins)
    with pytest.raises(CheckpointError, match="must be of 'unet-gru' with .* 'fine': 8"):
        make_trainer("second", sizes=SIZES | {"fine": 8}, start_from=begin)


def test_learning_rate_warms_up_and_falls_to_a_hundredth(make_trainer):
    trainer = make_trainer(minutes=10, warm_up=4, learning_rate=1.0)
    rates = []
    for step, minutes in ((0, 0), (1, 0), (3, 0), (100, 5), (100, 10), (100, 20)):
        trainer.step_number, trainer.minutes_used = step, minutes
        rates.append(trainer._learning_rate())
    assert rates == pytest.approx([0.2525, 0.505, 1.01, 0.51, 0.01, 0.01], rel=1e-9)


def test_mixed_precision_trains_in_float32(make_trainer):
    trainer = make_trainer(mixed_precision=True)
    losses = train(trainer, 2)
    assert torch.isfinite(torch.tensor(losses)).all()
    assert all(p.dtype == torch.float32 for p in trainer.network.parameters())


@pytest.mark.parametrize("seed", [-1, 10**9 - 1, 10**9, 2 * 10**9])
def test_seeds_of_evaluation_are_refused(seed):
    with pytest.raises(ValueError, match=f"10\\^9 - 2 for training, got {seed}"):
        TrainingOptions("run", 1.0, seed=seed)


@pytest.mark.parametrize(
    "name", ["minutes", "batch_size", "learning_rate", "clip", "report_minutes", "copies"]
)
def test_numbers_that_must_be_positive_are_checked(name):
    with pytest.raises(ValueError, match=f"{name} must be positive, got 0"):
        TrainingOptions(**({"output_dir": "run", "minutes": 1.0} | {name: 0}))


def test_a_gpu_draws_many_at_once_by_default():
    assert TrainingOptions("run", 1.0).at_once == 1
    assert TrainingOptions("run", 1.0, device="cuda").at_once > 100
    assert TrainingOptions("run", 1.0, device="cuda", draw_at_once=9).at_once == 9
    with pytest.raises(ValueError, match="draw_at_once must be at least 0, got -1"):
        TrainingOptions("run", 1.0, draw_at_once=-1)


def test_decay_of_one_is_refused():
    with pytest.raises(ValueError, match="decay must be at least 0 and below 1, got 1"):
        TrainingOptions("run", 1.0, decay=1)


def test_state_is_described_in_plain_json(make_trainer):
    trainer = make_trainer()
    train(trainer, 1)
    save(trainer)
    with safe_open(trainer.directory / "state.safetensors", framework="pt") as file:
        stored = json.loads(file.metadata()["astrorim"])
    assert stored["step_number"] == 1
    assert stored["identity"]["simulator"] == "toy"

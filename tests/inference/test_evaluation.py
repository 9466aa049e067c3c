"""Evaluation of methods on simulated lenses, beside the oracle and the null sources."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch

from astrorim.inference import evaluate_lens, evaluate_simulator
from astrorim.inference.oracle import OracleOptions, oracle_inversion
from astrorim.inference.rows_checkpoint import RowsCheckpoint
from astrorim.interchange import truth_of
from astrorim.lensing.interpolation import even_pixels
from astrorim.results import Reconstruction

SMALL = OracleOptions(size=24, search_size=16, stretches=(0.0, 6.0), widths=(1.0,))
NULLS = ["blank image", "observation as source", "Gaussian blob"]


class OracleAsMethod:
    """Gives the oracle's own source, the true lens, and samples that are off by a tenth."""

    def __init__(self):
        self.calls = 0

    def __call__(self, truth, earlier):
        assert "broken" not in earlier
        self.calls += 1
        found = oracle_inversion(truth, SMALL)
        source = torch.from_numpy(found.source)[None].to(found.frames.pixel_scale)
        frames, source = even_pixels(found.frames, source)
        image = np.asarray(truth.observation.data)
        rng = np.random.default_rng(1)
        return Reconstruction(
            name="test",
            observation=truth.observation,
            source=source[0].numpy(),
            source_grid=frames.grid(0),
            forward_image=image,
            lens_light=truth.lens_light,
            background=0.0,
            convergence=np.zeros_like(image),
            lens_model=truth.lens_model,
            light_model=truth.light_model,
            lens=truth.lens | {"e1": truth.lens["e1"] + 0.01},
            light=truth.light,
            samples={"e1": truth.lens["e1"] + 0.1 + 0.01 * rng.normal(size=200)},
        )


def broken(truth, earlier):
    raise RuntimeError("singular\nmatrix")


@pytest.fixture(scope="module")
def rows(small_truth):
    methods = {"broken": broken, "own": OracleAsMethod()}
    return {row["method"]: row for row in evaluate_lens(small_truth, methods, oracle=SMALL)}


def test_every_method_has_a_row(rows, small_truth):
    assert list(rows) == [*NULLS, "oracle inversion", "broken", "own"]
    assert {row["name"] for row in rows.values()} == {small_truth.observation.name}


def test_the_oracle_is_measured_against_itself(rows):
    assert rows["oracle inversion"]["oracle_ratio"] == 1
    # the same source, on a frame without stretch
    assert rows["own"]["oracle_ratio"] == pytest.approx(1, abs=0.03)
    blank = rows["blank image"]
    assert blank["source_error"] == 1
    assert blank["oracle_ratio"] == 1 / rows["oracle inversion"]["source_error"]


def test_errors_are_measured_against_their_bounds(rows):
    bound = rows["oracle inversion"]["bound_e1"]
    assert rows["own"]["bound_ratio_e1"] == pytest.approx(0.01 / bound, rel=1e-6)
    assert rows["own"]["bound_ratio_theta_E"] == 0
    assert rows["own"]["coverage_95_e1"] is False


def test_a_method_that_fails_does_not_stop_the_others(rows):
    assert rows["broken"]["failed"]
    assert rows["broken"]["failure"] == "RuntimeError: singular matrix"
    assert "source_error" not in rows["broken"]
    assert rows["own"]["failed"] is False


def test_without_oracle_nothing_is_measured_against_it(small_truth):
    rows = evaluate_lens(small_truth, {}, oracle=None)
    assert [row["method"] for row in rows] == NULLS
    assert not any("oracle_ratio" in row for row in rows)


class SmallSimulator:
    """Draws the lenses of the fixture, and counts them."""

    name = "small"

    def __init__(self, batch):
        self.batch = batch
        self.drawn = []

    def simulate(self, number, *, seed, start):
        self.drawn.append(start)
        return replace(self.batch, index=torch.tensor([start]))


def test_a_stopped_evaluation_goes_on(small_batch, tmp_path):
    """A second run draws the new lens only and has the same rows for the old ones."""
    simulator = SmallSimulator(small_batch)
    path = tmp_path / "rows.jsonl"

    def run(number):
        checkpoint = RowsCheckpoint(path, {"seed": 10**9})
        return evaluate_simulator(
            simulator, truth_of, {"broken": broken}, number, oracle=None, checkpoint=checkpoint
        )

    first, second = run(2), run(3)
    assert simulator.drawn == [0, 1, 2]
    assert list(second["index"]) == [0] * 4 + [1] * 4 + [2] * 4
    assert second.meta["number"] == 3
    np.testing.assert_array_equal(second["source_error"][:8], first["source_error"])


def test_seeds_of_training_are_refused(small_batch):
    with pytest.raises(ValueError, match="seed must be at least 1000000000 .* got 7"):
        evaluate_simulator(SmallSimulator(small_batch), truth_of, {}, 1, seed=7)

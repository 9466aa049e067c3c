"""Evaluation on simulated lenses."""

from __future__ import annotations

import numpy as np
import pytest
from astropy.table import Table

from astrorim.inference import evaluate_simulator, evaluation, summary_table
from astrorim.interchange import to_observation
from astrorim.plugins import load_plugins
from astrorim.rim import RIMReconstructor


@pytest.fixture(scope="module")
def table():
    return evaluate_simulator(
        RIMReconstructor.load(device="cpu"),
        load_plugins().simulators.create("foundation"),
        to_observation,
        2,
        num_iterations=3,
    )


def test_every_lens_has_a_row_for_each_method(table):
    methods = [
        "blank image",
        "untrained RIM, lens known",
        "RIM, lens known",
        "RIM, lens inferred",
    ]
    assert list(table["method"]) == 2 * methods
    assert list(table["index"]) == 4 * [0] + 4 * [1]


def test_a_blank_image_scores_one(table):
    blank = table[table["method"] == "blank image"]
    np.testing.assert_allclose(blank["source_error"], 1)
    np.testing.assert_allclose(blank["flux_error"], -1)


def test_the_shipped_networks_beat_the_blank_image(table):
    trained = [method.startswith("RIM") for method in table["method"]]
    assert (table[trained]["source_error"] < 0.5).all()


def test_training_helps(table):
    before = table[table["method"] == "untrained RIM, lens known"]["source_error"]
    after = table[table["method"] == "RIM, lens known"]["source_error"]
    assert (after < 0.7 * before).all()


def test_steps_of_the_recurrence_improve_the_source(table):
    known = table[table["method"] == "RIM, lens known"]
    assert (known["source_error_step_6"] < known["source_error_step_1"]).all()
    np.testing.assert_allclose(known["source_error_step_6"], known["source_error"], rtol=1e-5)


def test_inferred_parameters_are_judged(table):
    inferred = table[table["method"] == "RIM, lens inferred"]
    assert (np.abs(inferred["theta_E_error"]) < 0.1).all()
    # the effective radius differs from theta_E by a factor that the ellipticity sets
    np.testing.assert_allclose(
        inferred["effective_radius_error"], inferred["theta_E_error"], atol=0.02
    )
    assert set(inferred["b_covered"]) <= {0, 1}


def test_seeds_of_training_are_refused():
    with pytest.raises(ValueError, match="seed must be at least 1000000000 .* got 7"):
        evaluate_simulator(None, None, None, 1, seed=7)  # type: ignore[arg-type]


def test_summary_gives_median_and_percentiles():
    rows = Table(
        {
            "method": ["a"] * 11,
            "source_error": np.linspace(0, 1, 11),
            "theta_E_error": -np.linspace(0, 1, 11),
            "catastrophic": [1.0] + [0.0] * 10,
        }
    )
    summary = summary_table(rows)
    cells = dict(zip(summary["measure"], summary["a"], strict=True))
    assert cells["source_error"] == "0.5 (0.1 to 0.9)"
    assert cells["theta_E_error"] == "0.5 (0.1 to 0.9), bias -0.5"
    assert cells["catastrophic"] == "9.1 ± 8.7 %"


def test_summary_leaves_what_a_method_does_not_have_empty():
    rows = Table({"method": ["a", "b"], "seconds": [np.nan, 2.0]})
    summary = summary_table(rows)
    assert list(summary["a"]) == [""]
    assert list(summary["b"]) == ["2 (2 to 2)"]


def test_the_truth_is_binned_to_what_images_resolve():
    simulated = load_plugins().simulators.create("realistic").simulate(1, seed=4, shape=(8, 8))
    truth, grid = evaluation._resolvable_truth(simulated)
    assert 0.02 <= grid.pixel_scale < 0.04
    flux = float(simulated.source_image.double().sum() * simulated.source_pixel_scale**2)
    np.testing.assert_allclose(truth.sum() * grid.pixel_scale**2, flux, rtol=1e-6)

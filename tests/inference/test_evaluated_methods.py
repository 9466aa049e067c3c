"""The shipped networks and the refinement as methods."""

from __future__ import annotations

import pytest

from astrorim.inference.evaluated_methods import map_methods, rim_methods
from astrorim.inference.evaluation import evaluate_lens
from astrorim.inference.refiner import LensRefiner
from astrorim.interchange import truth_of
from astrorim.plugins import load_plugins
from astrorim.rim import RIMReconstructor


@pytest.fixture(scope="module")
def reconstructor():
    return RIMReconstructor.load(device="cpu")


@pytest.fixture(scope="module")
def rows(reconstructor):
    batch = load_plugins().simulators.create("foundation").simulate(1, seed=10**9)
    methods = rim_methods(reconstructor, num_iterations=3)
    found = evaluate_lens(truth_of(batch), methods, oracle=None)
    return {row["method"]: row for row in found}


def test_the_shipped_networks_beat_every_null(rows):
    nulls = ("blank image", "observation as source", "Gaussian blob")
    best = min(rows[name]["source_error"] for name in nulls)
    assert rows["RIM, lens known"]["source_error"] < 0.7 * best
    assert rows["RIM, lens inferred"]["source_error"] < best


def test_training_helps(rows):
    before = rows["untrained RIM, lens known"]["source_error"]
    assert rows["RIM, lens known"]["source_error"] < 0.7 * before


def test_steps_of_the_recurrence_improve_the_source(rows):
    known = rows["RIM, lens known"]
    assert known["source_error_step_6"] < known["source_error_step_1"]
    assert known["source_error_step_6"] == pytest.approx(known["source_error"], rel=1e-5)


def test_inferred_parameters_are_judged(rows):
    inferred = rows["RIM, lens inferred"]
    assert abs(inferred["theta_E_error"]) < 0.1
    # the effective radius differs from theta_E by a factor that the ellipticity sets
    assert inferred["effective_radius_error"] == pytest.approx(
        inferred["theta_E_error"], abs=0.02
    )
    assert isinstance(inferred["coverage_68_theta_E"], bool)
    assert "theta_E_error" not in rows["RIM, lens known"]


@pytest.mark.parametrize(
    "name", ["enhanced", "multi-instrument", "expanded", "small-lens", "realistic"]
)
def test_complex_lenses_are_known_with_all_their_components(reconstructor, name):
    batch = load_plugins().simulators.create(name).simulate(1, seed=10**9)
    truth = truth_of(batch)
    method = rim_methods(reconstructor, num_iterations=1)["RIM, lens known"]
    result = method(truth, {})
    assert result.lens_model == truth.lens_model
    assert result.lens == pytest.approx(truth.lens, rel=1e-5, abs=1e-7)


def test_a_start_that_failed_is_named(small_truth):
    (method,) = map_methods(LensRefiner(), ("rim",)).values()
    with pytest.raises(ValueError, match="'RIM, lens inferred', which failed"):
        method(small_truth, {})


def test_unknown_starts_are_refused():
    with pytest.raises(ValueError, match="one of blind, rim, got 'warm'"):
        map_methods(LensRefiner(), ("warm",))

"""``astrorim calibrate``."""

from __future__ import annotations

import argparse

import numpy as np
import pytest
from astropy.table import Table

from astrorim.cli import calibrate, calibration_stages, main
from astrorim.inference.calibration import PosteriorDraws
from astrorim.plugins import load_plugins
from astrorim.results.calibration import measure_calibration

FILES = {"calibration.ecsv", "calibration.pdf", "calibration.png", "calibration.txt"} | {
    "ranks.ecsv",
    "lenses",
}


class Guess:
    """An inference that knows nothing, quickly."""

    calls = 0

    def settings(self):
        return {"width": 0.3}

    def __call__(self, simulated):
        Guess.calls += 1
        rng = np.random.default_rng(int(simulated.index[0]))
        return PosteriorDraws({"theta_E": 1 + 0.3 * rng.normal(size=20)})


@pytest.fixture
def guess(monkeypatch):
    monkeypatch.setattr(calibrate, "STAGES", {"guess": lambda _: Guess()})
    Guess.calls = 0
    return ("calibrate", "--simulator", "foundation", "--stage", "guess", "--lenses")


def test_the_networks_posterior_is_calibrated(networks, tmp_path, capsys):
    output = tmp_path / "calibration"
    status = main(
        [
            *("calibrate", "--simulator", "foundation", "--lenses", "2", "--output"),
            *(str(output), *map(str, networks)),
        ]
    )
    assert status == 0
    assert {path.name for path in output.iterdir()} == FILES
    printed = capsys.readouterr().out
    assert (output / "calibration.txt").read_text(encoding="utf-8") in printed
    table = Table.read(output / "calibration.ecsv")
    assert {"theta_E", "gamma1", "light_x0"} <= set(table["parameter"])
    assert (table["number"] == 2).all()
    assert table.meta["stage"] == "rim"
    assert table.meta["num_iterations"] == 1
    assert len(table.meta["encoder"]) == 64


def test_lenses_have_draws_of_their_own(networks, tmp_path):
    """Draws that all lenses share would give ranks that depend on each other."""
    encoder, recurrence = networks[1], networks[3]
    stage = calibration_stages.RIMStage(encoder, recurrence, 1, "cpu")
    simulator = load_plugins().simulators.create("foundation")
    scaled = []
    for start in range(2):
        draws = stage(simulator.simulate(1, seed=10**9, start=start)).samples["gamma1"]
        scaled.append((draws - draws.mean()) / draws.std())
    assert abs(np.corrcoef(scaled)[0, 1]) < 0.3


def test_the_same_command_goes_on(guess, tmp_path):
    assert main([*guess, "2", "--output-dir", str(tmp_path)]) == 0
    assert main([*guess, "3", "--output-dir", str(tmp_path)]) == 0
    assert Guess.calls == 3
    assert len(Table.read(tmp_path / "ranks.ecsv")) == 3


def test_other_settings_are_refused(guess, tmp_path, astrorim):
    astrorim(*guess, 1, "--output-dir", tmp_path)
    outcome = astrorim(*guess, 1, "--output-dir", tmp_path, "--seed", 10**9 + 1)
    assert outcome.status == 1
    assert "was begun with other settings (seed 1000000000 instead of" in outcome.err


def test_seeds_of_training_are_refused(guess, tmp_path, astrorim):
    outcome = astrorim(*guess, 1, "--output-dir", tmp_path / "new", "--seed", 5)
    assert outcome.status == 2
    assert "--seed must be at least 10^9, got 5" in outcome.err
    assert not (tmp_path / "new").exists()


def test_an_unknown_stage_is_answered_with_those_there_are(astrorim, tmp_path):
    outcome = astrorim(
        *("calibrate", "--simulator", "foundation", "--stage", "guess"),
        *("--output-dir", tmp_path),
    )
    assert outcome.status == 2
    assert "rim" in outcome.err


@pytest.mark.slow
def test_several_workers_give_the_same(networks, tmp_path):
    tables = []
    for workers in ("1", "2"):
        output = tmp_path / workers
        status = main(
            [
                *("calibrate", "--simulator", "foundation", "--lenses", "3", "--workers"),
                *(workers, "--output-dir", str(output), *map(str, networks)),
            ]
        )
        assert status == 0
        tables.append(Table.read(output / "ranks.ecsv"))
    assert len(tables[0]) == 3
    for name in tables[0].colnames:
        # threads change the order of sums, and samples next to the truth their side
        np.testing.assert_allclose(tables[0][name], tables[1][name], atol=2)


def test_files_are_replaced_all_or_none(monkeypatch, tmp_path, rng):
    samples, truth = rng.normal(size=(5, 10, 1)), rng.normal(size=(5, 1))
    report = measure_calibration(samples, truth, ["a"])
    calibrate.write_report(report, tmp_path)
    before = {path.name: path.read_bytes() for path in tmp_path.iterdir()}
    assert set(before) == FILES - {"lenses"}

    def fail(_):
        raise OSError("no space left")

    monkeypatch.setattr("astrorim.plotting.calibration.plot_calibration", fail)
    other = measure_calibration(samples[:4], truth[:4], ["a"])
    with pytest.raises(OSError, match="no space left"):
        calibrate.write_report(other, tmp_path)
    assert {path.name: path.read_bytes() for path in tmp_path.iterdir()} == before


def _map_options(**changed):
    options = {"lens_model": "sie+shear", "light": None, "source_size": 24, "draws": 12}
    options |= {"start_error": 0.1, "parser": argparse.ArgumentParser(), **changed}
    return argparse.Namespace(**options)


@pytest.mark.parametrize(
    ("name", "own"),
    [("map", {"posterior": "laplace"}), ("hmc", {"posterior": "hmc", "draws": 12})],
)
def test_the_refinements_settings_are_its_options(name, own):
    stage = calibration_stages.STAGES[name](_map_options())
    assert stage.settings() == {
        "lens_model": "sie+shear",
        "light_model": None,
        "source_size": 24,
        "start_error": 0.1,
        **own,
    }


@pytest.mark.parametrize("error", [-0.1, 1.0])
def test_start_error_out_of_range_is_refused(error, capsys):
    with pytest.raises(SystemExit, match="2"):
        calibration_stages.STAGES["map"](_map_options(start_error=error))
    assert "--start-error must be in [0, 1)" in capsys.readouterr().err


def test_chains_too_short_to_be_judged_are_refused(capsys):
    with pytest.raises(SystemExit, match="2"):
        calibration_stages.STAGES["hmc"](_map_options(draws=9))
    assert "--draws must be at least 10, got 9" in capsys.readouterr().err


@pytest.mark.slow
def test_the_refinement_is_calibrated_from_a_wrong_start():
    stage = calibration_stages.MapStage("sie+shear", None, 24, 0.1)
    simulated = load_plugins().simulators.create("foundation").simulate(1, seed=10**9, start=2)
    drawn = stage(simulated)
    truth = float(simulated.lens["theta_E"][0])
    assert abs(drawn.statistics["best_theta_E"] / truth - 1) < 0.005
    assert drawn.statistics["reduced_chi2"] < 1.1
    assert drawn.samples["theta_E"].std() < 0.02 * truth

"""Options of the refinement on the command line."""

from __future__ import annotations

import argparse
import json
from types import SimpleNamespace

import pytest

from astrorim.cli.refinement_stage import (
    RefinementStage,
    add_refinement_options,
    load_refinement,
)


def _options(*words: str, **others: object) -> argparse.Namespace:
    parser = argparse.ArgumentParser()
    add_refinement_options(parser)
    given = {"lens_model": None, "light_model": None, "mask": None, "device": "auto"}
    given |= {"forward_model": None, "rim_model": None, **others}
    return argparse.Namespace(**vars(parser.parse_args(words)), **given)


def test_blind_start_needs_no_network_and_no_file():
    stage = load_refinement(_options("--refine", "map"))
    assert isinstance(stage, RefinementStage)
    assert stage.start is None
    assert stage.networks is None
    assert stage.refiner.lens_model == "sie+shear"
    assert stage.refiner.light_model == "multi-gaussian"
    assert stage.refiner.mask == "auto"


def test_models_mask_and_source_are_handed_on():
    options = _options(
        "--source-size", "20", "--noise-correlation", "sky",
        lens_model="sie", light_model="sersic", mask="x",
    )  # fmt: skip
    refiner = load_refinement(options).refiner
    assert (refiner.lens_model, refiner.light_model) == ("sie", "sersic")
    assert refiner.mask == "own"
    assert refiner.options.source_size == 20
    assert refiner.noise_correlation == "sky"


def test_start_is_read_from_a_file(tmp_path):
    path = tmp_path / "a_parameters.json"
    nine = {"b": 1.2, "q": 0.8, "phi": 0.3, "x0": 0.0, "y0": 0.0, "gamma": 0.02}
    nine |= {"gamma_phi": 1.0, "kappa_s": 0.0, "rs": 0.0}
    path.write_text(json.dumps(nine), encoding="utf-8")
    start = load_refinement(_options("--start", str(path))).start
    assert start is not None
    assert start["theta_E"] == pytest.approx(1.2)


def test_unknown_start_is_refused():
    with pytest.raises(ValueError, match="--start must be blind, rim or a file, got 'nowhere'"):
        load_refinement(_options("--start", "nowhere"))


@pytest.mark.parametrize("words", [("--refine", "more"), ("--source-size", "4")])
def test_impossible_choices_are_refused(words, capsys):
    with pytest.raises(SystemExit, match="2"):
        _options(*words)
    assert "invalid choice" in capsys.readouterr().err


@pytest.mark.parametrize(("refine", "posterior"), [("map", "laplace"), ("hmc", "hmc")])
def test_posterior_is_the_one_asked_for(refine, posterior):
    assert load_refinement(_options("--refine", refine)).refiner.posterior == posterior


def test_named_weights_give_the_start(monkeypatch):
    """What the user names is used: weights are not passed over for a blind search."""
    from astrorim.cli import reconstruct

    asked = []
    monkeypatch.setattr(reconstruct, "load_networks", asked.append)
    load_refinement(_options(rim_model="weights.safetensors"))
    assert [args.rim_model for args in asked] == ["weights.safetensors"]
    asked.clear()
    load_refinement(_options("--start", "blind", rim_model="weights.safetensors"))
    assert asked == []


class _Networks:
    """Find a lens unlike those that they were trained on."""

    def reconstruct(self, observation, *, num_iterations, seed):
        del observation, num_iterations, seed
        return SimpleNamespace(
            lens={"theta_E": 1.2}, light={"x0": 0.1}, flags={"outside-training": "unlike"}
        )


class _Refiner:
    """Finds nothing to complain of, and keeps where it started."""

    def refine(self, observation, *, start, seed):
        del observation, seed
        return SimpleNamespace(provenance={"given": start}, flags={})


def test_flags_of_the_start_are_kept_apart_from_those_of_the_result():
    """That the networks do not know a lens says nothing against its refinement."""
    stage = RefinementStage(_Refiner(), networks=_Networks())
    (result,) = stage.reconstruct([object()], num_iterations=10, seed=0)
    assert result.provenance["given"] == {"theta_E": 1.2, "light_x0": 0.1}
    assert result.provenance["start_flags"] == ["outside-training"]
    assert result.flags == {}


def test_a_start_of_the_users_own_has_no_flags():
    stage = RefinementStage(_Refiner(), start={"theta_E": 1.0})
    (result,) = stage.reconstruct([object()], num_iterations=10, seed=0)
    assert result.provenance == {"given": {"theta_E": 1.0}}


def test_unknown_device_is_refused():
    with pytest.raises(ValueError, match="--device must be auto, cpu or cuda, got 'cdua'"):
        load_refinement(_options(device="cdua"))

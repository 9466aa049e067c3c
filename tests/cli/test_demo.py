from __future__ import annotations

import pytest

from astrorim.cli import demo
from astrorim.observation import LensObservation
from astrorim.plugins import load_plugins
from astrorim.results import Reconstruction
from astrorim.results.files import output_paths

FIRST_EVALUATION_SEED = 10**9


def shipped_weights():
    networks = load_plugins().networks
    return [networks.create(name).weights() for name in ("flow-encoder", "unet-gru")]


def test_example_comes_with_the_package_and_was_not_trained_on():
    observation = LensObservation.read(demo.demo_file())
    assert observation.has_noise
    assert observation.psf is not None
    assert observation.meta["SIMSEED"] >= FIRST_EVALUATION_SEED
    assert demo.demo_file().stat().st_size < 200_000


def test_truth_has_the_names_of_the_table():
    truth = demo.true_parameters(LensObservation.read(demo.demo_file()))
    assert {"b", "q", "phi", "x0", "y0", "gamma", "gamma_phi", "light_amplitude"} <= set(truth)
    assert 0.5 < truth["b"] < 2
    assert 0.2 < truth["q"] <= 1


def test_demo_with_any_networks_writes_and_explains(astrorim, networks, tmp_path):
    outcome = astrorim("demo", "--output-dir", tmp_path, *networks)
    assert outcome.status == 0, outcome.err
    assert all(path.is_file() for path in output_paths(tmp_path, "demo").values())
    header, *rows = outcome.out.splitlines()
    assert header.split() == [
        "parameter",
        "value",
        "lower",
        "68%",
        "upper",
        "68%",
        "truth",
        "unit",
    ]
    assert rows[0].split()[0] == "b"
    assert rows[0].split()[-1] == "arcsec"
    assert f"The figure: {tmp_path / 'demo_diagnostic.png'}" in outcome.out


def test_demo_with_the_shipped_weights_finds_the_lens(astrorim, tmp_path):
    if None in shipped_weights():
        pytest.skip("no trained weights are installed with the built-in networks")
    outcome = astrorim("demo", "--output-dir", tmp_path)
    assert outcome.status == 0, outcome.err
    result = Reconstruction.read(tmp_path / "demo.asdf")
    truth = demo.true_parameters(result.observation)
    # published Einstein radii of real lenses agree to 2-5 %; one on the safe side of that
    assert result.lens["theta_E"] == pytest.approx(truth["b"], rel=0.05)
    assert result.reduced_chi2 < 1.5

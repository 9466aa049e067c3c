"""Tests of `LensRefiner` on a simulated lens, from a given start."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch

from astrorim.exceptions import ObservationError, UnknownNameError
from astrorim.inference import lens_search, richer_lens
from astrorim.inference import refiner as refiner_module
from astrorim.inference.blind_start import StartOptions
from astrorim.inference.lens_search import SearchOptions
from astrorim.inference.refiner import LensRefiner, _on_frame
from astrorim.interchange.simulated_pairs import to_observation
from astrorim.plugins import load_plugins
from astrorim.results.quality import LENSING_ODDS, PREDICTED_SHARE

_FAST = SearchOptions(
    source_size=20, max_steps=4, start=StartOptions(num_radii=3, num_more_steps=8)
)


@pytest.fixture(scope="module")
def simulated():
    return load_plugins().simulators.create("foundation").simulate(1, seed=10**9, start=2)


@pytest.fixture(scope="module")
def observation(simulated):
    return to_observation(simulated, 0)


@pytest.fixture(scope="module")
def refiner():
    return LensRefiner(light_model="sersic", mask="own", options=_FAST)


@pytest.fixture(scope="module")
def result(refiner, observation, simulated):
    theta_e = 1.05 * float(simulated.lens["theta_E"][0])
    return refiner.refine(observation, start={"theta_E": theta_e}, seed=3)


def test_lens_and_image_are_recovered(result, simulated):
    truth = float(simulated.lens["theta_E"][0])
    assert result.lens["theta_E"] == pytest.approx(truth, rel=0.01)
    assert result.reduced_chi2 < 1.2
    assert result.provenance["stage"] == "refined"
    assert result.provenance["start"] == "given"
    assert result.provenance["notes"] == []


def test_a_lens_is_needed_and_its_images_are_related(result):
    assert result.provenance[LENSING_ODDS] > 1000
    assert result.provenance[PREDICTED_SHARE] > 0.9
    none = {"no-source-needed", "lensing-not-needed", "images-unrelated"}
    assert not none & set(result.flags)


def test_result_is_in_the_observations_unit(result, observation):
    assert result.forward_image.shape == observation.data.shape
    residual = (observation.data - result.forward_image) / observation.noise
    assert np.median(np.abs(residual)) < 1


def test_samples_scatter_around_the_solution(result):
    for name, value in result.lens.items():
        chain = result.samples[name]
        assert len(chain) == 512
        assert abs(chain.mean() - value) < max(0.3 * chain.std(), 1e-6)
        low, high = np.quantile(chain, [0.16, 0.84])
        assert low <= value <= high


@pytest.mark.parametrize(
    ("start", "message"),
    [
        ({"e1": 0.1}, "must name theta_E"),
        ({"theta_E": -1.0}, "theta_E must be in"),
        ({"theta_E": 1.0, "e1": 2.0}, "e1 must be in"),
    ],
)
def test_unfit_starts_are_refused(refiner, observation, start, message):
    with pytest.raises(ValueError, match=message):
        refiner.refine(observation, start=start)


def test_observation_without_psf_is_refused(refiner, simulated):
    observation = to_observation(simulated, 0)
    observation.psf = None
    with pytest.raises(ObservationError, match="has no PSF"):
        refiner.refine(observation)


def test_unknown_names_are_refused():
    with pytest.raises(UnknownNameError, match="nosuch"):
        LensRefiner(lens_model="nosuch")
    with pytest.raises(ValueError, match="mask must be"):
        LensRefiner(mask="maybe")


def test_unknown_noise_is_refused():
    with pytest.raises(ValueError, match="must be .none. or .sky., got 'white'"):
        LensRefiner(noise_correlation="white")


@pytest.mark.parametrize("wanted", ["none", "sky"])
def test_correlation_of_the_sky_is_handed_on(observation, monkeypatch, wanted):
    class EnoughError(Exception):
        pass

    def found(model, used, values, options, correlation, richer):
        received.append(correlation)
        raise EnoughError("no fit is wanted")

    received = []
    monkeypatch.setattr(refiner_module, "fit_lens", found)
    with pytest.raises(EnoughError, match="no fit is wanted"):
        LensRefiner(light_model="sersic", noise_correlation=wanted).refine(observation)
    (correlation,) = received
    assert (correlation is None) == (wanted == "none")
    if wanted == "sky":
        assert correlation.shape == (5, 5)
        assert correlation[2, 2] == 1


def test_a_mask_of_the_middle_keeps_its_place():
    part = torch.zeros(3, 3, dtype=torch.bool)
    part[0, 2] = True
    whole = _on_frame(part, torch.zeros(7, 9, dtype=torch.bool))
    assert whole.nonzero().tolist() == [[2, 5]]


def test_an_automatic_lens_goes_on_to_a_power_law(result, refiner, observation, monkeypatch):
    """Where there is a misfit, and the evidence wants one."""
    options = replace(_FAST, adaptive=False)
    automatic = LensRefiner(
        lens_model="auto", light_model="sersic", mask="own", options=options
    )
    assert automatic.system.parameters.names == refiner.system.parameters.names
    start = {"theta_E": result.lens["theta_E"]}
    monkeypatch.setattr(lens_search, "_SIGNIFICANT", torch.inf)
    plain = automatic.refine(observation, start=start)
    assert plain.lens_model == "sie+shear"
    assert "slope" not in plain.lens
    monkeypatch.setattr(lens_search, "_SIGNIFICANT", -torch.inf)

    def odds(fit, _state):
        return 9.0 * len(fit.nonlinear)

    monkeypatch.setattr(richer_lens, "log_model_evidence", odds)
    richer = automatic.refine(observation, start=start)
    assert richer.lens_model == "epl+shear"
    assert richer.lens["slope"] == pytest.approx(2, abs=0.2)
    assert richer.lens["theta_E"] == pytest.approx(plain.lens["theta_E"], rel=0.01)
    assert len(richer.samples["slope"]) == 512
    assert richer.reduced_chi2 < plain.reduced_chi2 + 0.01

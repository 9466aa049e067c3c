from __future__ import annotations

import dataclasses
import runpy
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest

from astrorim.interchange.lenstronomy_fitting import fitting_arguments

EXAMPLES = SimpleNamespace(**runpy.run_path(str(Path(__file__).with_name("lens_examples.py"))))

# lenstronomy's own
pytestmark = pytest.mark.filterwarnings("ignore:`axes` should not be `None`")


def sequence(arguments):
    from lenstronomy.Workflow.fitting_sequence import FittingSequence

    return FittingSequence(**arguments, verbose=False)


def reduced_chi2(fit, arguments):
    (mask,) = arguments["kwargs_likelihood"]["image_likelihood_mask_list"]
    return -2 * fit.best_fit_likelihood() / mask.sum()


@pytest.mark.parametrize("lens_model", EXAMPLES.LENSES)
@pytest.mark.parametrize("source", ["sersic", "shapelets"])
def test_fit_starts_and_its_start_is_good(lens_model, source):
    arguments = fitting_arguments(EXAMPLES.make_example(lens_model), source=source)
    # the source is a Gaussian: of index 0.5, not 1 as Sersic profiles start
    limit = {"sersic": 6, "shapelets": 2}[source]
    assert reduced_chi2(sequence(arguments), arguments) < limit


def test_a_fit_runs_and_stays_within_bounds():
    arguments = fitting_arguments(EXAMPLES.make_example("sie+shear+nfw"))
    fit = sequence(arguments)
    before = reduced_chi2(fit, arguments)
    np.random.seed(4)  # noqa: NPY002  (lenstronomy's generator)
    fit.fit_sequence([["PSO", {"sigma_scale": 1.0, "n_particles": 20, "n_iterations": 10}]])
    best = fit.best_fit()
    after = reduced_chi2(fit, arguments)
    assert after < before
    assert best["kwargs_lens"][2]["center_x"] == best["kwargs_lens"][0]["center_x"]
    _, _, _, lower, upper = arguments["kwargs_params"]["lens_model"]
    for own, low, high in zip(best["kwargs_lens"], lower, upper, strict=True):
        assert all(low[name] <= own[name] <= high[name] for name in low)


@pytest.mark.parametrize("lens_model", EXAMPLES.LENSES)
def test_start_lies_within_the_bounds(lens_model):
    params = fitting_arguments(EXAMPLES.make_example(lens_model))["kwargs_params"]
    for start, step, fixed, lower, upper in params.values():
        for i, low in enumerate(lower):
            assert set(start[i]) == {*low, *fixed[i]}
            for name, bound in low.items():
                assert bound < start[i][name] < upper[i][name]
                assert step[i][name] > 0


def test_steps_are_those_of_the_samples_and_bounds_those_of_the_prior():
    result = EXAMPLES.make_example()
    _, step, fixed, lower, upper = fitting_arguments(result)["kwargs_params"]["lens_model"]
    assert step[0]["theta_E"] == pytest.approx(np.std(result.samples["theta_E"]), rel=1e-12)
    assert (lower[0]["theta_E"], upper[0]["theta_E"]) == (0.05, 3.0)
    assert fixed == [{}, {"ra_0": 0.0, "dec_0": 0.0}]
    moved = dataclasses.replace(result, lens=result.lens | {"x0": 0.3})
    _, step, _, _, upper = fitting_arguments(moved)["kwargs_params"]["lens_model"]
    assert upper[0]["center_x"] == pytest.approx(0.3 + 5 * step[0]["center_x"], rel=1e-12)


def test_step_without_samples_is_a_part_of_the_prior():
    result = dataclasses.replace(EXAMPLES.make_example(), samples={})
    _, step, *_ = fitting_arguments(result)["kwargs_params"]["lens_model"]
    assert step[0]["theta_E"] == pytest.approx(0.05 * 2.95, rel=1e-12)


def test_source_starts_with_the_moments_of_the_pixels():
    start = fitting_arguments(EXAMPLES.make_example())["kwargs_params"]["source_model"][0][0]
    assert start["center_x"] == pytest.approx(0.12, abs=0.01)
    assert start["center_y"] == pytest.approx(0.03, abs=0.01)
    assert start["e1"] == pytest.approx(0.25, abs=0.02)
    assert start["e2"] == pytest.approx(0, abs=0.02)


def test_unknown_source_is_refused():
    result = EXAMPLES.make_example()
    with pytest.raises(ValueError, match="'sersic' or 'shapelets', got 'disc'"):
        fitting_arguments(result, source="disc")
    with pytest.raises(ValueError, match="must not be negative, got -1"):
        fitting_arguments(result, source="shapelets", shapelet_order=-1)


def test_dark_source_is_refused():
    result = EXAMPLES.make_example()
    dark = dataclasses.replace(result, source=np.zeros_like(result.source))
    with pytest.raises(ValueError, match="source of 'example' must have light"):
        fitting_arguments(dark)

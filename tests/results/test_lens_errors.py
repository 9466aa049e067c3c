"""One row of numbers for a result: planted errors come out as they were planted."""

from __future__ import annotations

import numpy as np
import pytest

from astrorim.results import metrics
from astrorim.results.lens_errors import in_family, lens_errors, null_sources
from astrorim.results.lens_truth import LensTruth

EFFECTIVE = 1.2445  # mean convergence one inside, of the example's ellipse


@pytest.fixture
def make_truth(make_reconstruction):
    def make(**changes):
        result = make_reconstruction()
        fields = {
            "observation": result.observation,
            "source": result.source,
            "source_grid": result.source_grid,
            "lens_model": "sie+shear",
            "light_model": "sersic",
            "lens": result.lens,
            "light": result.light,
            "lens_light": result.lens_light,
            "effective_einstein_radius": EFFECTIVE,
            "magnification": result.arcs.sum()
            / (result.source.sum() * result.source_grid.pixel_scale**2),
        }
        return LensTruth(**(fields | changes))

    return make


def test_a_perfect_result_has_no_errors(make_reconstruction, make_truth):
    row = lens_errors(make_reconstruction(flags={}), make_truth())
    assert row["source_error"] == 0
    assert row["magnification_error"] == pytest.approx(0, abs=1e-12)
    assert row["theta_E_error"] == 0
    assert abs(row["effective_radius_error"]) < 1e-3
    assert not row["catastrophic"]
    assert row["good_flagged"] is False
    assert "catastrophic_flagged" not in row


def test_planted_errors_are_found(make_reconstruction, make_truth):
    result = make_reconstruction()
    lens = result.lens | {"theta_E": result.lens["theta_E"] * 1.05, "e1": 0.13}
    wrong = make_reconstruction(lens=lens, source=1.25 * result.source)
    row = lens_errors(wrong, make_truth())
    assert row["theta_E_error"] == pytest.approx(0.05, rel=1e-9)
    assert row["e1_error"] == pytest.approx(0.03, rel=1e-9)
    assert row["source_error"] == pytest.approx(0.25, rel=1e-9)
    assert row["magnification_error"] == pytest.approx(1 / 1.25 - 1, rel=1e-9)
    assert row["theta_E_beyond"] is False


@pytest.mark.parametrize("flags", [{}, {"source-at-edge": "advice"}])
def test_a_catastrophe_is_caught_by_any_flag(make_reconstruction, make_truth, flags):
    result = make_reconstruction()
    lens = result.lens | {"theta_E": result.lens["theta_E"] * 0.85}
    row = lens_errors(make_reconstruction(lens=lens, flags=flags), make_truth())
    assert row["catastrophic"]
    assert row["theta_E_beyond"]
    assert row["catastrophic_flagged"] is bool(flags)
    assert "good_flagged" not in row


def test_badly_fitted_arcs_are_catastrophic(make_reconstruction, make_truth):
    row = lens_errors(make_reconstruction(flags={"arc-misfit": "advice"}), make_truth())
    assert row["catastrophic"]
    assert row["catastrophic_flagged"]


def test_coverage_of_planted_samples(make_reconstruction, make_truth):
    """A truth at the 90th percentile is outside the 68 % interval, inside the other."""
    samples = make_reconstruction().samples
    truth = make_truth()
    line = np.linspace(0, 1, 400)
    for percentile, inside in ((0.90, (False, True)), (0.75, (True, True)), (0.99, (0, 0))):
        planted = samples | {"e1": truth.lens["e1"] + line - percentile}
        row = lens_errors(make_reconstruction(samples=planted), truth)
        assert (row["coverage_68_e1"], row["coverage_95_e1"]) == inside


def test_parameters_are_judged_only_inside_the_models_family(make_reconstruction, make_truth):
    result = make_reconstruction()
    halo = make_truth(lens_model="sie+shear+nfw@group")
    assert not in_family(result, halo)
    row = lens_errors(result, halo)
    assert "theta_E_error" not in row
    assert "coverage_68_e1" not in row
    assert abs(row["effective_radius_error"]) < 1e-3
    assert in_family(result, make_truth(lens_model="sie", lens={"theta_E": 1.25}))
    assert not in_family(result, make_truth(lens_model="epl+shear"))


def test_known_parameters_are_not_judged(make_reconstruction, make_truth):
    row = lens_errors(make_reconstruction(provenance={"parameters_known": True}), make_truth())
    assert "source_error" in row
    assert "effective_radius_error" not in row
    assert "catastrophic" not in row


def test_null_sources(make_truth):
    truth = make_truth()
    source, grid = truth.resolvable
    nulls = null_sources(truth)
    assert metrics.source_error(nulls["blank image"], source) == 1
    assert nulls["Gaussian blob"].sum() == pytest.approx(source.sum(), rel=1e-9)
    assert 0 < metrics.source_error(nulls["Gaussian blob"], source) < 1
    observed = nulls["observation as source"]
    x, y = grid.coordinates()
    # the middle of the frame is at the origin of the source plane, as bright there as here
    near = np.unravel_index(np.argmin(np.hypot(x, y)), x.shape)
    middle = np.asarray(truth.observation.data)[46:50, 46:50]
    scale = truth.observation.grid.pixel_scale
    assert middle.min() < observed[near] * scale**2 < middle.max()

"""Figure of a calibration."""

from __future__ import annotations

import numpy as np
import pytest
from matplotlib.colors import to_hex
from matplotlib.figure import Figure

from astrorim.plotting.calibration import plot_calibration
from astrorim.results.calibration import measure_calibration


@pytest.fixture
def make_report(rng):
    def make(parameters, *, lost=0):
        truth = rng.normal(size=(30, parameters))
        samples = rng.normal(size=(30, 40, parameters))
        samples[:lost] = np.nan
        names = [f"parameter_{i}" for i in range(parameters)]
        return measure_calibration(
            samples, truth, names, meta={"simulator": "toy", "stage": "rim"}
        )

    return make


def titled(figure, title):
    (axes,) = [axes for axes in figure.axes if axes.get_title().startswith(title)]
    return axes


def dashed(axes):
    """Curves of parameters: what has a style of its own."""
    return [line for line in axes.lines if line.get_linewidth() > 1.5]


@pytest.mark.parametrize("parameters, panels", [(1, 4), (7, 4), (8, 6), (14, 6), (15, 8)])
def test_every_parameter_has_a_curve_in_both_kinds_of_panels(make_report, parameters, panels):
    report = make_report(parameters)
    figure = plot_calibration(report)
    assert len(figure.axes) == panels
    labels = {
        kind: [axes for axes in figure.axes if axes.get_xlabel().startswith(kind)]
        for kind in ("level of the interval", "rank")
    }
    curves = [line for axes in labels["level of the interval"] for line in dashed(axes)]
    ranks = [line for axes in labels["rank"] for line in dashed(axes)]
    assert [line.get_label() for line in ranks] == list(report.names)
    for column, (curve, rank) in enumerate(zip(curves, ranks, strict=True)):
        np.testing.assert_array_equal(curve.get_ydata(), report.curve.fraction[:, column])
        np.testing.assert_array_equal(rank.get_ydata(), report.ranks.difference[:, column])
        assert curve.get_color() == rank.get_color()


def test_curves_of_a_panel_differ_in_colour_and_in_dashes(make_report):
    axes = titled(plot_calibration(make_report(7)), "Ranks")
    assert len({to_hex(line.get_color()) for line in dashed(axes)}) == 7
    assert len({str(line._dash_pattern) for line in dashed(axes)}) == 7


def test_bands_are_those_of_the_report(make_report):
    report = make_report(2)
    figure = plot_calibration(report)
    (band,) = titled(figure, "Ranks").collections
    vertices = band.get_paths()[0].vertices
    assert vertices[:, 1].max() == pytest.approx(report.ranks.upper.max())
    assert vertices[:, 1].min() == pytest.approx(report.ranks.lower.min())
    (band,) = titled(figure, "Coverage").collections
    # of 30 exact posteriors 95 % have 10 to 20 truths inside the 50 % interval
    vertices = band.get_paths()[0].vertices
    middle = vertices[np.isclose(vertices[:, 0], 0.5), 1]
    assert (middle.min(), middle.max()) == pytest.approx((10 / 30, 20 / 30))


def test_the_joint_curve_and_the_fractions_are_shown(make_report):
    report = make_report(3)
    figure = plot_calibration(report)
    (curve,) = dashed(titled(figure, "All"))
    np.testing.assert_array_equal(curve.get_ydata(), report.tarp.fraction)
    axes = titled(figure, "Inside 68 % and 95 % intervals")
    assert [text.get_text() for text in axes.get_yticklabels()] == list(report.names)
    inner, outer = axes.containers
    np.testing.assert_array_equal(inner[0].get_xdata(), report.coverage.fraction)
    np.testing.assert_array_equal(outer[0].get_xdata(), report.outer.fraction)


def test_the_title_counts_the_lenses(make_report):
    figure = Figure(layout="constrained")
    assert plot_calibration(make_report(2, lost=4), figure) is figure
    assert figure.get_suptitle() == "toy   rim   26 of 30 lenses"


def test_it_can_be_saved_without_any_lens(make_report, tmp_path):
    figure = plot_calibration(make_report(2, lost=30))
    for ending in ("png", "pdf"):
        figure.savefig(tmp_path / f"figure.{ending}")
        assert (tmp_path / f"figure.{ending}").stat().st_size > 1000

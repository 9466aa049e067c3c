"""The diagnostic figure: what is on it, and what it must survive."""

from __future__ import annotations

import subprocess
import sys

import numpy as np
import pytest
from matplotlib.figure import Figure

from astrorim.plotting import figure_to_png, plot_reconstruction


def panel(figure, title):
    (axes,) = [a for a in figure.axes if title in a.get_title()]
    return axes


@pytest.fixture(scope="module")
def figure(reconstruction):
    return plot_reconstruction(reconstruction)


def test_panels(figure):
    titles = [axes.get_title() for axes in figure.axes if axes.get_title()]
    assert titles[:3] == ["Observation", "Forward image", "Observation $-$ lens light"]
    assert any("Residual" in title for title in titles)
    assert "Source" in titles
    assert figure_to_png(figure, dpi=50).startswith(b"\x89PNG")


def test_images_are_what_they_say(figure, reconstruction):
    shown = panel(figure, "Forward").images[0]
    np.testing.assert_array_equal(shown.get_array(), reconstruction.forward_image)
    observed = figure.axes[0].images[0]
    assert np.ma.getmaskarray(observed.get_array())[82, 12]
    assert observed.norm is shown.norm
    residual = panel(figure, "Residual").images[0]
    assert residual.norm.vmin == -residual.norm.vmax
    source = panel(figure, "Source").images[0]
    assert tuple(source.get_extent()) == reconstruction.source_grid.extent


def test_colour_bars_carry_units(figure):
    labels = [axes.get_ylabel() for axes in figure.axes]
    assert "flux [electron / s / pixel]" in labels
    assert any("arcsec$^2$" in label for label in labels)


def test_sky_axes_where_there_is_a_wcs(figure, make_reconstruction):
    assert hasattr(figure.axes[0], "coords")
    plain = plot_reconstruction(make_reconstruction(with_wcs=False))
    assert not hasattr(plain.axes[0], "coords")
    assert plain.axes[0].get_xlabel() == "x [arcsec]"
    figure_to_png(plain, dpi=50)


def test_draws_into_a_given_figure(reconstruction):
    mine = Figure(figsize=(8, 6))
    curve = np.array([[1.0, 0.0], [0.0, 1.0], [-1.0, 0.0]])
    assert plot_reconstruction(reconstruction, mine, critical_curve=curve) is mine
    figure_to_png(mine, dpi=50)


@pytest.mark.parametrize(
    "changes",
    [
        {"source": np.zeros((60, 60))},
        {"source": np.full((60, 60), np.nan)},
        {"forward_image": np.zeros((96, 96)), "lens_light": np.zeros((96, 96))},
        {"samples": {}},
        {"flags": {f"flag_{i}": "a long piece of advice, $5 worth " * 5 for i in range(9)}},
    ],
)
def test_survives_results_that_went_wrong(make_reconstruction, changes):
    figure_to_png(plot_reconstruction(make_reconstruction(**changes)), dpi=50)


def test_pyplot_is_not_touched(tmp_path):
    code = "import sys, astrorim.plotting; sys.exit('matplotlib.pyplot' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0

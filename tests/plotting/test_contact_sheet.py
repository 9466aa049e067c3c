from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch
from matplotlib.figure import Figure

from astrorim.plotting import figure_to_png
from astrorim.plotting.contact_sheet import _square_of_light, plot_contact_sheet
from astrorim.plugins import load_plugins


@pytest.fixture(scope="module")
def simulated():
    foundation = load_plugins().simulators.create("foundation")
    return foundation.simulate(4, seed=2, shape=(24, 30), supersampling=1, pixel_scale=0.1)


def panels(figure):
    return [axes for part in figure.subfigs for axes in part.axes]


def test_each_lens_has_its_source_beside_it(simulated):
    figure = plot_contact_sheet(simulated, title="foundation")
    sources, images = panels(figure)[::2], panels(figure)[1::2]
    assert len(sources) == len(images) == 4
    for i in range(4):
        np.testing.assert_array_equal(images[i].images[0].get_array(), simulated.image[i])
        assert images[i].images[0].get_extent() == pytest.approx([-1.5, 1.5, -1.2, 1.2])
        extent = sources[i].images[0].get_extent()
        shown = sources[i].images[0].get_array()
        scale = float(simulated.source_pixel_scale[i])
        assert extent[1] - extent[0] == pytest.approx(shown.shape[1] * scale)
        for axes, label in ((sources[i], "source"), (images[i], "image")):
            texts = [text.get_text() for text in axes.texts]
            assert label in texts
            assert any(text.endswith('"') for text in texts), "no scale bar"
    assert figure.get_suptitle().startswith("foundation")


def test_titles_say_radius_and_redshifts(simulated):
    figure = plot_contact_sheet(simulated)
    title = figure.subfigs[1].get_suptitle()
    radius = float(simulated.metadata["effective_einstein_radius"][1])
    assert title.startswith("1:")
    assert f'= {radius:.2f}"' in title
    for name in ("z_lens", "z_source"):
        assert f"{float(simulated.metadata[name][1]):.2f}" in title
    assert figure.subfigs[5].get_visible() is False


def test_what_is_not_known_is_not_in_the_title(simulated):
    bare = replace(simulated, metadata={}, lens={})
    assert plot_contact_sheet(bare).subfigs[0].get_suptitle() == "0:"


def test_the_source_lies_where_it_is(simulated):
    """The brightest pixel shown is at the brightest position of the source plane."""
    axes = panels(plot_contact_sheet(simulated))[0]
    centre_x, centre_y = simulated.source_centre[0].tolist()
    shown = axes.images[0].get_array()
    left, right, bottom, top = axes.images[0].get_extent()
    row, column = np.unravel_index(np.argmax(shown), shown.shape)
    x = left + (column + 0.5) * (right - left) / shown.shape[1]
    y = bottom + (row + 0.5) * (top - bottom) / shown.shape[0]
    image = simulated.source_image[0]
    place = divmod(int(image.argmax()), image.shape[1])
    scale = float(simulated.source_pixel_scale[0])
    middle = (image.shape[0] - 1) / 2
    assert y == pytest.approx(centre_y + (place[0] - middle) * scale, abs=1e-5)
    assert x == pytest.approx(centre_x + (place[1] - middle) * scale, abs=1e-5)


def test_a_square_holds_the_light():
    axis = np.arange(40)
    image = np.exp(-((axis - 12) ** 2 + (axis[:, None] - 25) ** 2) / 18)
    row, column, half = _square_of_light(image)
    assert (row, column) == (25, 12)
    cut = image[row - half : row + half + 1, column - half : column + half + 1]
    assert cut.sum() > 0.95 * image.sum()
    assert half < 12
    image[2, 38] = 3
    row, column, half = _square_of_light(image)
    assert row - half <= 2
    assert column + half >= 38
    assert 0 <= min(row - half, column - half)
    assert max(row, column) + half <= 39
    assert _square_of_light(np.zeros((9, 9))) == (4, 4, 4)


def test_a_source_without_light_is_drawn(simulated):
    dark = replace(simulated, source_image=torch.zeros_like(simulated.source_image))
    assert figure_to_png(plot_contact_sheet(dark), dpi=40)[:4] == b"\x89PNG"


def test_a_figure_of_one_s_own_is_drawn_into(simulated):
    figure = Figure(figsize=(6, 6), layout="constrained")
    assert plot_contact_sheet(simulated, figure, pairs_per_row=2) is figure
    assert len(figure.subfigs) == 4

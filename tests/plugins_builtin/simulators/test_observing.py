"""Telescopes: margins, edges, visibility, shifts."""

from __future__ import annotations

import pytest
import torch

from astrorim.plugins import load_plugins
from astrorim_plugins.simulators.declaration import Visibility
from astrorim_plugins.simulators.foundation import Foundation
from astrorim_plugins.simulators.multi_instrument import MultiInstrument
from astrorim_plugins.simulators.observing import Observatory
from astrorim_plugins.simulators.optics import psf_kernel
from astrorim_plugins.simulators.photometry import arc_visibility
from astrorim_plugins.simulators.rendering import fourier_collect, separable_collect

NAMES = load_plugins().simulators.names()


def create(name, **options):
    return load_plugins().simulators.create(name, **options)


def observatory(name, shape=(10, 12), **options):
    simulator, plugins = create(name), load_plugins()
    settings = {
        "pixel_scale": None, "supersampling": 2, "sky_subtracted": True, "detector_seed": 0,
    }  # fmt: skip
    return Observatory(
        simulator.declaration,
        plugins.lens_models.resolve(simulator.lens_model),
        plugins.light_models.create("sersic"),
        shape=shape,
        **(settings | options),
    )


@pytest.mark.parametrize("name", NAMES)
def test_a_uniform_scene_stays_uniform_to_the_edge(name):
    """The prior version convolved frames padded with zeros."""
    for optics in observatory(name).optics.values():
        grid = optics.grid
        assert grid.margin * grid.supersampling >= optics.size // 2
        params = {"fwhm": torch.tensor([3 * grid.pixel_scale]), "beta": torch.tensor([2.5])}
        params |= {"ellipticity": torch.zeros(1), "angle": torch.zeros(1)}
        kernel = psf_kernel(optics.kind, torch.tensor([grid.spacing]), optics.size, params)
        y, x = ((n + 2 * grid.margin) * grid.supersampling for n in grid.shape)
        collect = separable_collect if optics.separable else fourier_collect
        image = collect(torch.ones((1, 1, y, x)), kernel, grid)
        expected = torch.full_like(image, grid.pixel_scale**2)
        torch.testing.assert_close(image, expected, rtol=1e-4, atol=0)


def test_only_round_gaussians_are_collected_along_the_axes():
    assert [o.separable for o in observatory("foundation").optics.values()] == [True]
    assert not any(o.separable for o in observatory("enhanced").optics.values())


def test_each_instrument_and_kind_of_psf_is_a_telescope():
    optics = observatory("multi-instrument").optics
    assert len(optics) == 6
    assert optics[1, 1].kind == "moffat"
    assert optics[1, 1].grid.pixel_scale == pytest.approx(0.20)
    assert {
        o.grid.pixel_scale for o in observatory("expanded", pixel_scale=0.1).optics.values()
    } == {0.1}


@pytest.mark.parametrize("name", ["foundation", "small-lens"])
def test_visibility_is_that_of_the_images_and_flagged(name):
    drawn = create(name).simulate(8, seed=7, supersampling=2)
    arcs = drawn.noise_free - drawn.lens_light
    if drawn.other_light is not None:
        arcs = arcs - drawn.other_light
    visibility = arc_visibility(arcs, drawn.lens_light)
    torch.testing.assert_close(visibility, drawn.metadata["arc_visibility"], rtol=5e-3, atol=0)
    visible = drawn.metadata["arcs_visible"] == 1
    assert torch.equal(visible, drawn.metadata["arc_visibility"] >= 0.35)
    assert bool((drawn.metadata["lens_magnitude_redraws"][~visible] == 8).all())


def test_only_lenses_that_ask_for_visible_arcs_are_drawn_again():
    drawn = create("expanded").simulate(24, seed=7, supersampling=1)
    redraws, wanted = (
        drawn.metadata[n] for n in ("lens_magnitude_redraws", "wants_visible_arcs")
    )
    assert bool((redraws[wanted == 0] == 0).all())
    found = (wanted == 1) & (drawn.metadata["arcs_visible"] == 1)
    assert bool((drawn.metadata["arc_visibility"][found] >= 0.25).all())


def test_faint_arcs_make_the_lens_light_magnitude_drawn_again(monkeypatch):
    before = Foundation().simulate(8, seed=7, supersampling=1)
    threshold = float(before.metadata["arc_visibility"].median()) * 1.05
    rule = Visibility(least=threshold)
    monkeypatch.setitem(Foundation.declaration.__dict__, "visibility", rule)
    drawn = Foundation().simulate(8, seed=7, supersampling=1)
    redraws = drawn.metadata["lens_magnitude_redraws"]
    invisible = before.metadata["arc_visibility"] < threshold
    assert bool((redraws[invisible] > 0).all())
    torch.testing.assert_close(drawn.source_image, before.source_image)
    flagged = drawn.metadata["arcs_visible"] == 0
    assert bool((redraws[flagged] == 8).all())
    assert bool((drawn.metadata["arc_visibility"][~flagged] >= threshold).all())


def test_a_shift_moves_image_and_truth_together():
    """By up to half a detector pixel; the prior version's reached an eighth."""
    options = {"seed": 4, "supersampling": 2, "shape": (64, 64)}
    moved = MultiInstrument().simulate(12, **options)
    still = MultiInstrument(without="shift").simulate(12, **options)
    meta = moved.metadata
    step = meta["shift_x"] * meta["has_shift"] * moved.pixel_scale
    for a, b in ((moved.lens["x0"], still.lens["x0"]), (moved.light["x0"], still.light["x0"])):
        torch.testing.assert_close(a - b, step, rtol=0, atol=1e-6)
    change = moved.source_centre[:, 0] - still.source_centre[:, 0]
    torch.testing.assert_close(change, step, rtol=0, atol=1e-5)
    assert 0.3 < float(meta["shift_x"].abs().max()) <= 0.5
    axis = torch.arange(64.0)[None, None, :]

    def place(drawn):
        weight = drawn.lens_light
        bright = weight * (weight > 0.02 * weight.amax(dim=(1, 2), keepdim=True))
        return (bright * axis).sum(dim=(1, 2)) / bright.sum(dim=(1, 2))

    pixels = meta["shift_x"] * meta["has_shift"]
    assert float((place(moved) - place(still) - pixels).abs().max()) < 0.06


def test_a_plane_that_is_not_left_is_not_listed():
    """A wrong sky subtraction needs one."""
    options = {"seed": 4, "supersampling": 1, "shape": (8, 8)}
    drawn = MultiInstrument(sky_subtracted=False).simulate(8, **options)
    assert not bool(drawn.metadata["effect_sky_residual"].any())
    assert bool(MultiInstrument().simulate(8, **options).metadata["effect_sky_residual"].any())

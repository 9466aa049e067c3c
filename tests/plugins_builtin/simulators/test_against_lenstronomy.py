"""Noise-free images of every simulator against lenstronomy, from the recorded truth."""

from __future__ import annotations

import sys

import numpy as np
import pytest

from astrorim.plugins import load_plugins

LIMIT = 1e-4
"""Of the peak; what the recorded truth, float32, and its use in float32 amount to."""

SEED = 1_000_000_031

# lenstronomy's own call of numpy's transforms
pytestmark = pytest.mark.filterwarnings("ignore:`axes` should not be `None`:DeprecationWarning")


def foundation(**options):
    return load_plugins().simulators.create("foundation", **options)


def largest_deviation(drawn, reference, capsys):
    """Over a batch, of what lenstronomy can render, relative to the peak of each image.

    Where sub-pixels are wider than 0.01 arcsec the core of the lens light has finer points
    than lenstronomy's, and the arcs alone are compared.
    """
    deviations = []
    for i, scale in enumerate((drawn.pixel_scale / drawn.psf_supersampling).tolist()):
        if scale > 0.0101:
            drawn.noise_free[i] -= drawn.lens_light[i]
            drawn.light["amplitude"][i] = 0
    for i in range(len(drawn)):
        if reference["has_galaxy_image"](drawn, i):
            continue
        ours = drawn.noise_free[i]
        if drawn.other_light is not None:
            ours = ours - drawn.other_light[i]
        theirs = reference["lenstronomy_image"](drawn, i)
        deviations.append(np.abs(ours.double().numpy() - theirs).max() / theirs.max())
    with capsys.disabled():
        sys.stdout.write(
            f"\n{drawn.simulator} {drawn.lens_model}: {max(deviations):.1e} of the peak, "
            f"median {np.median(deviations):.1e}, {len(deviations)} images\n"
        )
    return max(deviations)


@pytest.mark.parametrize("start, number", [(0, 5), pytest.param(5, 45, marks=pytest.mark.slow)])
@pytest.mark.parametrize("name", load_plugins().simulators.names())
def test_images_agree_with_lenstronomy(name, start, number, reference, capsys):
    """Same truth, sub-pixels and kernel, edges of the frame included."""
    simulator = load_plugins().simulators.create(name)
    drawn = simulator.simulate(number, seed=SEED, start=start)
    assert largest_deviation(drawn, reference, capsys) < LIMIT


@pytest.mark.parametrize(
    "lens_model", ["epl+shear", "sie+nfw+nfw@halo+mass-sheet", "sie+shear+sie@2+sis@b"]
)
def test_other_sums_of_masses_agree_too(lens_model, reference, capsys):
    drawn = foundation(lens_model=lens_model).simulate(2, seed=SEED)
    assert largest_deviation(drawn, reference, capsys) < LIMIT


def test_frames_and_pixels_of_any_size_agree(reference, capsys):
    drawn = foundation().simulate(
        2, seed=SEED, shape=(31, 44), pixel_scale=0.08, supersampling=2
    )
    assert largest_deviation(drawn, reference, capsys) < LIMIT


def test_components_of_no_strength_are_left_out(reference):
    values = dict.fromkeys(("theta_E", "e1", "e2", "x0", "y0", "x0_2", "y0_2"), 1.0)
    names, _ = reference["mass_components"]("sie+sis@2", values | {"theta_E_2": 0.0})
    assert names == ["SIE"]

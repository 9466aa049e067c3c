"""What a truth holds, and the source that images can show."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from astrorim.grid import SourceGrid
from astrorim.results.lens_truth import LensTruth


@pytest.fixture
def truth(reconstruction):
    rng = np.random.default_rng(2)
    return LensTruth(
        observation=reconstruction.observation,
        source=rng.random((16, 16)),
        source_grid=SourceGrid((16, 16), 0.006, 0.1, -0.2),
        lens_model="sie+shear",
        light_model="sersic",
        lens=reconstruction.lens,
        light=reconstruction.light,
        lens_light=reconstruction.lens_light,
        effective_einstein_radius=1.25,
        magnification=8.0,
    )


def test_source_is_binned_to_what_images_resolve(truth):
    source, grid = truth.resolvable
    assert grid == SourceGrid((4, 4), 0.024, 0.1, -0.2)
    flux = truth.source.sum() * truth.source_grid.pixel_scale**2
    assert source.sum() * grid.pixel_scale**2 == pytest.approx(flux, rel=1e-12)


def test_light_parameters_are_known_by_prefixed_names(truth):
    assert truth.known["theta_E"] == truth.lens["theta_E"]
    assert truth.known["light_x0"] == truth.light["x0"]


def test_a_truth_of_another_frame_is_refused(truth):
    with pytest.raises(ValueError, match="lens_light must have the observation's shape"):
        replace(truth, lens_light=truth.lens_light[:-1])
    with pytest.raises(ValueError, match=r"source must have its grid's shape \(16, 16\)"):
        replace(truth, source=truth.source[:-1])

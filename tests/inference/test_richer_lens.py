"""Tests of the step to a richer lens model."""

from __future__ import annotations

from dataclasses import replace

import pytest
import torch

from astrorim.inference.lens_fit import LensFit
from astrorim.inference.refinement import RefinementOptions, refine
from astrorim.inference.richer_lens import carried_over, with_richer_lens
from astrorim.lensing.system import LensSystem
from astrorim.plugins import load_plugins


@pytest.fixture(scope="module")
def systems():
    models = load_plugins().lens_models
    return [LensSystem(models.resolve(name)) for name in ("sie", "epl")]


def test_parameters_are_carried_over_by_name(systems):
    simple, richer = systems
    values = torch.arange(1.0, 6.0)[None] / 10
    result = carried_over(values, simple, richer)
    found = dict(zip(richer.parameters.names, result[0].tolist(), strict=True))
    given = dict(zip(simple.parameters.names, values[0].tolist(), strict=True))
    assert found == given | {"slope": pytest.approx(2.0)}
    assert carried_over(result, richer, simple).tolist() == values.tolist()


@pytest.mark.parametrize(("slope", "kept"), [(2.0, False), (2.35, True)])
def test_a_power_law_is_kept_where_the_image_asks_for_it(ring, systems, slope, kept):
    """Not for a lens that an isothermal one fits as well: the evidence counts its cost."""
    case = ring(signal=100.0)
    simple, richer = systems
    true = case.model.changed(system=richer)
    values = carried_over(case.values, simple, richer)
    values[0, richer.parameters.index_of("slope")] = slope
    x, y = case.frames.coordinates()
    source = torch.exp(-0.5 * ((x - 0.12) ** 2 + (y - 0.06) ** 2) / 0.15**2)
    image = true.source_operator(values, case.frames).apply(source)
    image = image * 100 / image.max()
    noise = torch.randn(image.shape, generator=torch.Generator().manual_seed(3))
    data = replace(case.model.data, image=image + noise)
    fit = LensFit(case.model.changed(data=data), case.used, 12)
    options = RefinementOptions(max_steps=8, tempered=False)
    state = refine(fit, case.values, case.frames, options=options)
    found, better = with_richer_lens(fit, state, richer, 8)
    assert (found.model.system is richer) is kept
    if kept:
        error = better.values[0, richer.parameters.index_of("slope")] - slope
        assert abs(float(error)) < 0.1
        assert better.inversion.chi2 < state.inversion.chi2 - 20
    else:
        assert better is state

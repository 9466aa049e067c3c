"""Types of sources, coma and Airy kernels, charge trails, stars."""

from __future__ import annotations

import pytest
import torch

from astrorim_plugins.simulators.realistic import Realistic

OPTIONS = {"seed": 2, "supersampling": 4, "shape": (24, 24)}


@pytest.fixture(scope="module")
def drawn():
    return Realistic().simulate(32, **OPTIONS)


def test_every_kind_of_psf_and_type_of_source_occurs(drawn):
    assert set(drawn.metadata["psf_kind"].tolist()) == {0, 1, 2}
    assert set(drawn.metadata["source_type"].tolist()) == {0, 1, 2}


def test_airy_kernels_have_rings_and_no_coma(drawn):
    """Dark between the core and the first ring, unlike the others."""
    middle = drawn.psf.shape[1] // 2
    line = drawn.psf[:, middle, middle:]
    rises = (line[:, 1:] > line[:, :-1] * 1.001).any(dim=1)
    airy = drawn.metadata["psf_kind"] == 2
    assert torch.equal(rises, airy)
    assert not bool(drawn.metadata["effect_coma"][airy].any())


def test_coma_makes_kernels_lopsided_along_x(drawn):
    lean = (drawn.psf - drawn.psf.flip(2)).abs().amax(dim=(1, 2))
    lean = lean / drawn.psf.amax(dim=(1, 2))
    coma = drawn.metadata["effect_coma"] == 1
    assert 0 < int(coma.sum()) < 32
    offset = torch.arange(drawn.psf.shape[1]) - float(drawn.psf.shape[1] // 2)
    centroid = (drawn.psf * offset).sum(dim=(1, 2))
    assert float(centroid[coma].min()) > 0.01
    assert float(centroid[~coma].abs().max()) < 1e-3


def test_charge_trails_are_in_the_image(drawn):
    plain = Realistic(without="charge_trails").simulate(32, **OPTIONS)
    there = drawn.metadata["effect_charge_trails"] == 1
    differs = (drawn.image != plain.image).flatten(1).any(dim=1)
    assert torch.equal(differs, there)
    loss = 1 - drawn.image.sum(dim=(1, 2)) / plain.image.sum(dim=(1, 2))
    # what trails out of this small frame; the prior version took off 5 %
    assert float(loss.abs().max()) < 0.02
    assert torch.equal(drawn.noise_free, plain.noise_free)


def test_stars_and_galaxies_are_other_light(drawn):
    there = drawn.metadata["effect_neighbours"] == 1
    assert torch.equal(drawn.other_light.amax(dim=(1, 2)) > 0, there)


def test_only_spirals_have_arms_and_disks(drawn):
    spiral = drawn.metadata["source_type"] == 0
    assert not bool(drawn.metadata["effect_spiral"][~spiral].any())
    assert torch.equal(drawn.metadata["source_1_amplitude"] > 0, spiral)


def test_visible_arcs_are_those_near_the_target(drawn):
    distance = (drawn.metadata["arc_visibility"] - drawn.metadata["target_visibility"]).abs()
    assert torch.equal(drawn.metadata["arcs_visible"] == 1, distance <= 0.15)

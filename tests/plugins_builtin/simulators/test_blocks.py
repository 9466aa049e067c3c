from __future__ import annotations

import torch

from astrorim_plugins.simulators import blocks
from astrorim_plugins.simulators.declaration import Declaration
from astrorim_plugins.simulators.enhanced import Enhanced
from astrorim_plugins.simulators.population_simulator import PopulationSimulator

LEFT_OUT = ("clump", "spiral", "has_spiral", "num_clumps", "has_clumps")


class Smooth(PopulationSimulator):
    """What `enhanced` draws, without clumps and spiral pattern."""

    name = "smooth"
    description = "for this test"
    declaration = Declaration(
        tuple(q for q in Enhanced.declaration if not q.name.startswith(LEFT_OUT)),
        lens_model=Enhanced.declaration.lens_model,
        gain=1.0,
        visibility=Enhanced.declaration.visibility,
        keep_theta_E=(0.9, 1.5),
    )


def test_a_population_needs_no_clumps():
    lenses = Smooth().simulate(2, seed=3, shape=(24, 24), supersampling=1)
    assert bool(torch.isfinite(lenses.image).all())
    assert not any(name.startswith("clump") for name in lenses.metadata)


def test_every_block_declares_quantities_of_its_own():
    names = [q.name for q in blocks.exposure(*[blocks.plus_minus(1.0)] * 3)]
    names += [q.name for q in blocks.psf(blocks.plus_minus(1.0))]
    assert len(set(names)) == len(names) == 4

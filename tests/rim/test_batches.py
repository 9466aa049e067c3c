from __future__ import annotations

from dataclasses import replace

import pytest
import torch

from astrorim.exceptions import SimulationError
from astrorim.rim.batches import (
    GriddedSource,
    compact,
    consecutive,
    join_batches,
    without_padding,
)


def test_rings_of_zeros_are_cut_off():
    kernels = torch.zeros(2, 9, 9)
    kernels[0, 3:6, 3:6] = 1
    kernels[1, 4, 2] = 1e-30
    assert without_padding(kernels).shape == (2, 5, 5)
    assert torch.equal(without_padding(kernels)[0, 1:4, 1:4], torch.ones(3, 3))
    assert without_padding(kernels[:1]).shape == (1, 3, 3)


@pytest.mark.parametrize(("size", "left"), [(7, 1), (8, 2), (1, 1)])
def test_a_kernel_of_zeros_keeps_its_middle(size, left):
    assert without_padding(torch.zeros(1, size, size)).shape == (1, left, left)


def test_batches_that_are_joined_are_as_drawn_at_once(simulator):
    whole = simulator.simulate(5, seed=3)
    joined = join_batches(
        [simulator.simulate(n, seed=3, start=start) for start, n in ((0, 2), (2, 3))]
    )
    for name in ("image", "noise", "psf", "pixel_scale", "source_image", "index"):
        torch.testing.assert_close(getattr(joined, name), getattr(whole, name))
    for name, values in whole.lens.items():
        assert torch.equal(joined.lens[name], values)
    x, y = torch.rand(2, 5, 4, 3) - 0.5
    torch.testing.assert_close(joined.source(x, y), whole.source(x, y))
    assert len(joined) == 5


def test_what_only_some_batches_have_is_filled_up(simulator):
    plain, full = simulator.simulate(1, seed=3), simulator.simulate(2, seed=3, start=1)
    wide = torch.nn.functional.pad(full.psf, (1, 1, 1, 1))
    full = replace(
        full,
        psf=wide,
        rendering_psf=wide.roll(1, -1),
        other_light=torch.ones_like(full.image),
        cosmic_rays=torch.ones_like(full.image, dtype=torch.bool),
        noise_kernel=torch.full((2, 3, 3), 1 / 3),
    )
    joined = join_batches([plain, full])
    assert torch.equal(joined.psf[:1, 1:-1, 1:-1], plain.psf)
    assert torch.equal(joined.rendering_psf[0], joined.psf[0])
    assert not joined.other_light[0].any()
    assert not joined.cosmic_rays[0].any()
    assert joined.cosmic_rays.dtype == torch.bool
    assert joined.noise_kernel[0].flatten().tolist() == [0, 0, 0, 0, 1, 0, 0, 0, 0]


def test_compact_leaves_out_what_no_lens_has(simulator):
    lenses = simulator.simulate(2, seed=3)
    wide = torch.nn.functional.pad(lenses.psf, (2, 2, 2, 2))
    kernel = torch.zeros(2, 5, 5)
    kernel[:, 2, 2] = 1
    empty = replace(
        lenses,
        psf=wide,
        rendering_psf=wide,
        other_light=torch.zeros_like(lenses.image),
        cosmic_rays=torch.zeros_like(lenses.image, dtype=torch.bool),
        noise_kernel=kernel,
    )
    small = compact(empty)
    assert torch.equal(small.psf, lenses.psf)
    for name in ("rendering_psf", "other_light", "cosmic_rays", "noise_kernel"):
        assert getattr(small, name) is None


def test_other_datasets_are_not_joined(simulator):
    first = simulator.simulate(1, seed=3)
    with pytest.raises(SimulationError, match=r"one dataset, got seed \[3, 4\]"):
        join_batches([first, simulator.simulate(1, seed=4)])
    with pytest.raises(SimulationError, match="record the same, got z_lens in some only"):
        join_batches([first, replace(first, metadata={"z_lens": torch.ones(1)})])
    with pytest.raises(SimulationError, match="at least one batch, got none"):
        join_batches([])
    with pytest.raises(SimulationError, match="odd or all an even number"):
        join_batches([first, replace(first, psf=first.psf[:, 1:, 1:])])


def test_a_source_on_a_grid_is_the_source_between_its_pixels(simulator):
    lenses = simulator.simulate(3, seed=3)
    scale = torch.full((3,), 0.02)
    steps = (torch.arange(64) - 31.5) * 0.02
    x = (lenses.source_centre[:, 0, None, None] + steps).expand(3, 64, 64)
    y = (lenses.source_centre[:, 1, None, None] + steps[:, None]).expand(3, 64, 64)
    image = lenses.source(x, y)
    gridded = GriddedSource(image, lenses.source_centre, scale)
    torch.testing.assert_close(gridded(x, y), image, rtol=1e-4, atol=1e-3)
    between_x, between_y = x[:, 16:48, 16:48] + 0.007, y[:, 16:48, 16:48] - 0.004
    expected = lenses.source(between_x, between_y)
    # a pixel is a quarter to an eighth of the sources' sigma
    error = (gridded(between_x, between_y) - expected).abs().amax(dim=(1, 2))
    assert bool((error < 0.02 * expected.amax(dim=(1, 2))).all())
    flat = gridded(between_x.flatten(1), between_y.flatten(1))
    torch.testing.assert_close(flat, gridded(between_x, between_y).flatten(1))
    assert not gridded(x + 10, y).any()


def test_consecutive_lenses_are_those_of_the_batch(simulator):
    whole = simulator.simulate(5, seed=3)
    part = consecutive(whole, 1, 3)
    assert part.index.tolist() == [1, 2, 3]
    assert torch.equal(part.image, whole.image[1:4])
    assert torch.equal(part.lens["theta_E"], whole.lens["theta_E"][1:4])
    x = torch.linspace(-0.2, 0.2, 4).expand(3, 4)
    y = torch.zeros_like(x)
    everywhere = whole.source(x[:1].expand(5, 4), y[:1].expand(5, 4))
    assert torch.equal(part.source(x, y), everywhere[1:4])
    assert consecutive(whole, 0, 5) is whole


def test_sources_that_can_be_cut_are_cut(plugins):
    whole = plugins.simulators.create("enhanced").simulate(4, seed=3, supersampling=1)
    part = consecutive(whole, 2, 2)
    assert len(part.source) == 2
    x = torch.linspace(-0.2, 0.2, 4).expand(4, 4)
    expected = whole.source(x, 0 * x)[2:]
    torch.testing.assert_close(part.source(x[2:], 0 * x[2:]), expected, rtol=1e-6, atol=0)
    assert part.metadata["z_lens"].shape == (2,)

from __future__ import annotations

import pytest
import torch

from astrorim.rim.recurrence import NUM_CELL_INPUTS
from astrorim_plugins.networks.conv_gru import ConvGRUNetwork


@pytest.fixture
def cell():
    torch.manual_seed(2)
    return ConvGRUNetwork().build(hidden=8).double()


def test_it_has_the_size_of_the_prior_network():
    number = sum(p.numel() for p in ConvGRUNetwork().build().parameters())
    assert 735_000 < number < 755_000


def test_fresh_cell_leaves_the_source_as_it_is(cell):
    inputs = torch.randn(2, NUM_CELL_INPUTS, 10, 10, dtype=torch.float64)
    update, state = cell(inputs, cell.initial_state(2, 10, inputs))
    assert update.shape == (2, 1, 10, 10)
    assert not update.any()
    assert state.shape == (2, 8, 10, 10)
    assert state.any()


def test_memory_changes_the_next_step(cell):
    torch.nn.init.normal_(cell.exit[-1].weight, std=0.1)
    inputs = torch.randn(1, NUM_CELL_INPUTS, 8, 8, dtype=torch.float64)
    first, state = cell(inputs, cell.initial_state(1, 8, inputs))
    second, _ = cell(inputs, state)
    assert not torch.allclose(first, second)


def test_a_step_sees_no_farther_than_six_pixels(cell):
    torch.nn.init.normal_(cell.exit[-1].weight, std=0.1)
    inputs = torch.randn(1, NUM_CELL_INPUTS, 21, 21, dtype=torch.float64, requires_grad=True)
    update, _ = cell(inputs, cell.initial_state(1, 21, inputs))
    update[0, 0, 10, 10].backward()
    seen = inputs.grad[0].abs().sum(dim=0).nonzero() - 10
    assert seen.abs().max() <= 6


def test_unknown_option_is_told():
    with pytest.raises(TypeError, match="conv-gru has no option fine; it has channels_in"):
        ConvGRUNetwork().build(fine=3)

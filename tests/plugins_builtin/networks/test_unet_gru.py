from __future__ import annotations

import pytest
import torch

from astrorim.interfaces import NetworkBackend
from astrorim.plugins import load_plugins
from astrorim.rim.recurrence import NUM_CELL_INPUTS
from astrorim_plugins.networks.unet_gru import ConvGRU, UNetGRU

SIZES = {"fine": 4, "middle": 6, "coarse": 8}


@pytest.fixture
def cell(dtype):
    cell = UNetGRU().build(**SIZES).to(dtype)
    torch.nn.init.normal_(cell.exit[-1].weight, std=0.1)
    return cell


@pytest.fixture
def inputs(generator, dtype):
    return torch.randn(2, NUM_CELL_INPUTS, 16, 16, generator=generator, dtype=dtype)


def test_backend_is_registered_as_a_recurrence():
    backend = load_plugins().networks.create("unet-gru")
    assert isinstance(backend, NetworkBackend)
    assert (backend.name, backend.role) == ("unet-gru", "recurrence")


def test_default_input_is_what_the_recurrence_gives():
    assert UNetGRU().architecture()["channels_in"] == NUM_CELL_INPUTS


@pytest.mark.parametrize("size", [8, 16, 20])
def test_update_has_the_size_of_the_source(cell, generator, dtype, size):
    inputs = torch.randn(3, 6, size, size, generator=generator, dtype=dtype)
    state = cell.initial_state(3, size, inputs)
    update, memory = cell(inputs, state)
    assert update.shape == (3, 1, size, size)
    assert update.dtype == dtype
    assert [m.shape for m in memory] == [m.shape for m in state]
    assert [m.shape[1:] for m in memory] == [
        (6, size // 2, size // 2),
        (8, size // 4, size // 4),
    ]


def test_fresh_cell_changes_nothing(inputs, dtype):
    fresh = UNetGRU().build(**SIZES).to(dtype)
    update, memory = fresh(inputs, fresh.initial_state(2, 16, inputs))
    assert not update.any()
    assert all(m.any() for m in memory)


def test_memory_matters(cell, inputs):
    first, memory = cell(inputs, cell.initial_state(2, 16, inputs))
    second, _ = cell(inputs, memory)
    assert not torch.equal(first, second)


def test_sources_of_a_batch_do_not_meet(cell, inputs):
    together, _ = cell(inputs, cell.initial_state(2, 16, inputs))
    alone, _ = cell(inputs[1:], cell.initial_state(1, 16, inputs))
    torch.testing.assert_close(alone, together[1:], rtol=1e-12, atol=1e-14)


def test_closed_gate_keeps_the_memory(generator, dtype):
    unit = ConvGRU(2, 3).to(dtype)
    torch.nn.init.zeros_(unit.gates.weight)
    torch.nn.init.constant_(unit.gates.bias, -1e3)
    x = torch.randn(1, 2, 8, 8, generator=generator, dtype=dtype)
    h = torch.randn(1, 3, 8, 8, generator=generator, dtype=dtype)
    assert torch.equal(unit(x, h), h)


@pytest.mark.parametrize("size", [15, 18])
def test_size_that_is_no_multiple_of_four_is_refused(cell, inputs, size):
    with pytest.raises(ValueError, match=f"source size must be a multiple of 4, got {size}"):
        cell.initial_state(2, size, inputs)


def test_unknown_option_lists_what_exists():
    with pytest.raises(TypeError, match="no option depth; it has channels_in, fine, middle"):
        UNetGRU().build(depth=3)

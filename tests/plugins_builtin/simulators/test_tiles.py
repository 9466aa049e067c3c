"""Tiles of lenses, and the threads that work on them."""

from __future__ import annotations

import threading

import pytest
import torch

from astrorim_plugins.simulators.tiles import map_tiles, tile_rows, tile_size

CPU = torch.device("cpu")


@pytest.fixture
def _two_threads():
    before = torch.get_num_threads()
    torch.set_num_threads(2)
    yield
    torch.set_num_threads(before)


def threads_of_a_new_thread():
    found = []
    thread = threading.Thread(target=lambda: found.append(torch.get_num_threads()))
    thread.start()
    thread.join()
    return found[0]


def test_a_tile_is_one_lens_on_a_processor_and_many_on_an_accelerator():
    assert tile_size(CPU) == 1
    assert tile_size(torch.device("cuda")) > 1


def test_lenses_of_a_tile_have_the_same_key_and_fill_it():
    tiles = tile_rows(["a", "b", "a", "a", "b", "a"], 3, 3)
    found = [(key, rows.tolist(), meant) for key, rows, meant in tiles]
    assert found == [("a", [0, 2, 3], 3), ("a", [5, 5, 5], 1), ("b", [1, 4, 4], 2)]


def test_tiles_are_filled_no_further_than_wanted():
    tiles = tile_rows(["a", "b", "a", "a", "a", "a"], 4, 2)
    found = [(rows.tolist(), meant) for _, rows, meant in tiles]
    assert found == [([0, 2, 3, 4], 4), ([5, 5], 1), ([1, 1], 1)]


@pytest.mark.usefixtures("_two_threads")
def test_every_call_runs_with_one_thread_and_without_gradients():
    def settings(_):
        return torch.get_num_threads(), torch.is_grad_enabled()

    assert map_tiles(settings, [(i,) for i in range(8)], CPU) == [(1, False)] * 8


@pytest.mark.usefixtures("_two_threads")
def test_results_do_not_depend_on_the_threads_or_the_order():
    numbers = torch.randn((12, 200, 201), generator=torch.Generator().manual_seed(1))

    def work(row):
        return torch.exp(numbers[row] * torch.sin(numbers[row])).cumsum(dim=1)

    two = map_tiles(work, [(i,) for i in range(12)], CPU)
    back = map_tiles(work, [(i,) for i in reversed(range(12))], CPU)[::-1]
    torch.set_num_threads(1)
    one = map_tiles(work, [(i,) for i in range(12)], CPU)
    for i in range(12):
        assert torch.equal(one[i], two[i])
        assert torch.equal(one[i], back[i])


@pytest.mark.usefixtures("_two_threads")
def test_threads_keep_their_settings_afterwards():
    """Of the caller, and of those that are started later."""
    for _ in range(20):
        map_tiles(lambda tile: tile, [(i,) for i in range(3)], CPU)
        assert torch.get_num_threads() == 2
        assert threads_of_a_new_thread() == 2


def fail(tile):
    raise RuntimeError(f"tile {tile}")


@pytest.mark.usefixtures("_two_threads")
def test_settings_come_back_after_a_failure_too():
    with pytest.raises(RuntimeError, match="tile 0"):
        map_tiles(fail, [(0,), (1,)], CPU)
    assert threads_of_a_new_thread() == 2

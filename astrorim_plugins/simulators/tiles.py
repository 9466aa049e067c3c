"""Work on tiles of a few lenses, so that a lens' numbers do not depend on its batch.

On a processor every tile is computed by a single thread: vector instructions then always
cut an array alike, however many threads there are, and threads share the tiles out among
themselves. A GPU computes hundreds of lenses at once; there the last bits of a lens may
depend on its batch.
"""

from __future__ import annotations

import math
import threading
from collections.abc import Callable, Hashable, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, TypeVar

import torch

if TYPE_CHECKING:
    from torch import Tensor

__all__ = ["block_size", "fill_size", "map_tiles", "tile_rows", "tile_size"]

T = TypeVar("T")

_CPU_TILE = 1
"""One lens on 96 x 96 pixels of 4 x 4 sub-pixels stays in a processor's cache."""
_GPU_TILE = 512
"""So many that the launch of a kernel takes no longer than its work."""
_GPU_FILL = 32
_CPU_BLOCK = 32
_GPU_BLOCK = 512


def tile_size(device: torch.device) -> int:
    """Most lenses in a tile."""
    return _CPU_TILE if device.type == "cpu" else _GPU_TILE


def fill_size(device: torch.device) -> int:
    """Number of which the lenses of a tile are a multiple."""
    return _CPU_TILE if device.type == "cpu" else _GPU_FILL


def block_size(device: torch.device) -> int:
    """Number of lenses that are drawn together, before rendering.

    On a processor a lens' draws are then made by the same instructions whatever the batch.
    """
    return _CPU_BLOCK if device.type == "cpu" else _GPU_BLOCK


def tile_rows(
    keys: Sequence[Hashable], size: int, fill: int
) -> list[tuple[Hashable, Tensor, int]]:
    """Tiles of lenses that have the same key.

    Parameters
    ----------
    keys : sequence
        One for each lens of a batch.
    size : int
        Most lenses in a tile.
    fill : int
        Number of which the lenses of a tile are a multiple.

    Returns
    -------
    list of (key, Tensor (n,) int64, int)
        Key, lenses of the tile, and how many of them are meant: the last one is repeated
        until the tile is full.
    """
    groups: dict[Hashable, list[int]] = {}
    for row, key in enumerate(keys):
        groups.setdefault(key, []).append(row)
    tiles = []
    for key, rows in groups.items():
        for number in range(math.ceil(len(rows) / size)):
            own = rows[number * size : (number + 1) * size]
            filled = own + own[-1:] * (-len(own) % fill)
            tiles.append((key, torch.tensor(filled), len(own)))
    return tiles


def map_tiles(function: Callable[..., T], tiles: Sequence, device: torch.device) -> list[T]:
    """Call a function on every tile; on a processor with one thread for each call.

    Parameters
    ----------
    function : callable
        Called with the members of a tile.
    tiles : sequence of tuple
        Arguments of each call.
    device : torch.device
        Where the work is done.

    Returns
    -------
    list
        Results, in the order of the tiles.
    """
    if device.type != "cpu":
        with torch.no_grad():
            return [function(*tile) for tile in tiles]
    before = torch.get_num_threads()
    try:
        with ThreadPoolExecutor(min(before, len(tiles)), initializer=_one_thread) as pool:
            return list(pool.map(lambda tile: _without_gradient(function, tile), tiles))
    finally:
        # torch would start threads that come later with what was last set; a thread of its
        # own, since this one's number never changed.
        last = threading.Thread(target=torch.set_num_threads, args=(before,))
        last.start()
        last.join()


def _one_thread() -> None:
    # Both of this thread of Python alone. The outskirts of Gaussians and Sersic profiles are
    # subnormal numbers, on which a processor is ten times slower.
    torch.set_num_threads(1)
    torch.set_flush_denormal(True)


def _without_gradient(function: Callable[..., T], tile: tuple) -> T:
    with torch.no_grad():
        return function(*tile)

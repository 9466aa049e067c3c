"""Random numbers that depend on the seed, the lens and the quantity alone.

The generator is Philox4x32-10, a keyed bijection of 128-bit counters. The key is the
seed; the counter holds the number of the block, the name of the quantity and the number
of the lens, so that a lens is the same whichever batch, order or worker draws it, and a
new quantity leaves the others as they were.

References
----------
Salmon J. K., Moraes M. A., Dror R. O., Shaw D. E., 2011, "Parallel random numbers: as
easy as 1, 2, 3", SC '11, section 3.3 and table 2.
"""

from __future__ import annotations

import math
import zlib
from collections.abc import Mapping
from functools import lru_cache
from typing import TYPE_CHECKING

import torch

if TYPE_CHECKING:
    from torch import Tensor

__all__ = ["RandomStreams", "box_muller", "philox4x32", "stream_number", "unit_interval"]

_MASK = 0xFFFFFFFF
_MULTIPLIERS = (0xD2511F53, 0xCD9E8D57)
_WEYL = (0x9E3779B9, 0xBB67AE85)
_ROUNDS = 10
_WORDS = 4


def philox4x32(
    counter: tuple[Tensor, Tensor, Tensor, Tensor], key: tuple[int, int]
) -> tuple[Tensor, Tensor, Tensor, Tensor]:
    r"""Philox4x32-10: four 32-bit words for each 128-bit counter.

    A round maps :math:`(c_0, c_1, c_2, c_3)` to
    :math:`(h_1 \oplus c_1 \oplus k_0,\ l_1,\ h_0 \oplus c_3 \oplus k_1,\ l_0)`, where
    :math:`h` and :math:`l` are the high and low words of :math:`M_0 c_0` and
    :math:`M_1 c_2` (Salmon et al. 2011, section 3.3).

    Parameters
    ----------
    counter : tuple of Tensor, (...), int64
        Words of the counter, lowest first, each in [0, 2^32); they broadcast.
    key : tuple of int
        The two words of the key, each in [0, 2^32).

    Returns
    -------
    tuple of Tensor, (...), int64
        Four words in [0, 2^32); the same on every device, as only integers are used.
    """
    c0, c1, c2, c3 = counter
    k0, k1 = key
    for _ in range(_ROUNDS):
        # Products may pass 2^63 and wrap; the bits are right, and masking after the
        # arithmetic shift removes the copies of the sign.
        product0 = c0 * _MULTIPLIERS[0]
        product1 = c2 * _MULTIPLIERS[1]
        c0, c1, c2, c3 = (
            ((product1 >> 32) & _MASK) ^ c1 ^ k0,
            product1 & _MASK,
            ((product0 >> 32) & _MASK) ^ c3 ^ k1,
            product0 & _MASK,
        )
        k0 = (k0 + _WEYL[0]) & _MASK
        k1 = (k1 + _WEYL[1]) & _MASK
    return c0, c1, c2, c3


def stream_number(name: str) -> int:
    """Number of the stream called ``name``: the CRC-32 of its UTF-8 bytes."""
    return zlib.crc32(name.encode())


@lru_cache(maxsize=64)
def _layout(
    streams: tuple[tuple[str, int], ...], namespace: str
) -> tuple[tuple[int, ...], tuple[int, ...], dict[str, slice]]:
    """Block numbers, stream numbers and the columns of each stream's words."""
    blocks: list[int] = []
    numbers: list[int] = []
    columns: dict[str, slice] = {}
    for name, count in streams:
        start = _WORDS * len(blocks)
        size = math.ceil(count / _WORDS)
        blocks += range(size)
        numbers += [stream_number(namespace + name)] * size
        columns[name] = slice(start, start + count)
    if len(set(numbers)) != len(streams):
        raise ValueError(
            "two streams of one request share a number; rename one of "
            + ", ".join(name for name, _ in streams)
        )
    return tuple(blocks), tuple(numbers), columns


class RandomStreams:
    """Named streams of random numbers for a batch of lenses.

    Parameters
    ----------
    seed : int
        Seed of the dataset, from 0 to 2^64 - 1.
    index : Tensor, (B,), int64
        Number of each lens in the dataset, not negative.
    namespace : str, optional
        Put before the names of all streams, so that two simulators with the same seed draw
        different numbers.

    Raises
    ------
    ValueError
        If the seed or an index is out of range.
    """

    def __init__(self, seed: int, index: Tensor, namespace: str = "") -> None:
        if int(seed) != seed or not 0 <= seed < 2**64:
            raise ValueError(f"seed must be an integer from 0 to 2^64 - 1, got {seed!r}")
        if index.ndim != 1 or index.dtype != torch.int64:
            raise ValueError(
                f"index must be an int64 tensor (B,), got {index.dtype} {tuple(index.shape)}"
            )
        if index.numel() and int(index.min()) < 0:
            raise ValueError(f"index must not be negative, got {int(index.min())}")
        self.seed = int(seed)
        self.index = index
        self.namespace = namespace

    def words(self, streams: Mapping[str, int]) -> dict[str, Tensor]:
        """32-bit words of several streams, drawn together.

        Parameters
        ----------
        streams : mapping of str to int
            Number of words wanted of each stream, by its name. Asking for more words
            leaves the first ones as they are.

        Returns
        -------
        dict of str to Tensor, (B, count), int64
            Words in [0, 2^32).
        """
        blocks, numbers, columns = _layout(tuple(streams.items()), self.namespace)
        device = self.index.device
        index = self.index[:, None]
        block = torch.tensor(blocks, dtype=torch.int64, device=device)[None, :]
        number = torch.tensor(numbers, dtype=torch.int64, device=device)[None, :]
        counter = (
            block.expand(len(index), -1),
            number,
            index & _MASK,
            (index >> 32) & _MASK,
        )
        words = philox4x32(counter, (self.seed & _MASK, self.seed >> 32))
        table = torch.stack(words, dim=-1).flatten(1)
        return {name: table[:, column] for name, column in columns.items()}

    def uniform(self, streams: Mapping[str, int]) -> dict[str, Tensor]:
        """Uniform numbers in the open interval (0, 1) of several streams.

        Parameters
        ----------
        streams : mapping of str to int
            Number of values wanted of each stream, by its name.

        Returns
        -------
        dict of str to Tensor, (B, count), float64
            Odd multiples of 2^-33, so that neither 0 nor 1 occurs.
        """
        return {name: unit_interval(w) for name, w in self.words(streams).items()}


def unit_interval(words: Tensor) -> Tensor:
    """Map 32-bit words to (0, 1).

    Parameters
    ----------
    words : Tensor, (...), int64
        In [0, 2^32).

    Returns
    -------
    Tensor, (...), float64
        ``(words + 0.5) / 2^32``, exact.
    """
    return (words.to(torch.float64) + 0.5) * 2.0**-32


def box_muller(words: Tensor) -> Tensor:
    r"""Independent standard normal numbers from 32-bit words.

    :math:`z = \sqrt{-2 \ln u_1}\,(\cos 2\pi u_2, \sin 2\pi u_2)` (Box & Muller 1958,
    Ann. Math. Statist. 29, 610, equation 2). The largest possible value is 6.8.

    Parameters
    ----------
    words : Tensor, (..., 2 m), int64
        In [0, 2^32).

    Returns
    -------
    Tensor, (..., 2 m), float32
        The cosines first, then the sines.
    """
    half = words.shape[-1] // 2
    uniform = unit_interval(words)
    radius = torch.sqrt(-2 * torch.log(uniform[..., :half].to(torch.float32)))
    angle = ((2 * math.pi) * uniform[..., half:]).to(torch.float32)
    return torch.cat([radius * torch.cos(angle), radius * torch.sin(angle)], dim=-1)

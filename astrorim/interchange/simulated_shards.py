"""Simulated lenses written as shards for training, with the index beside them."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import replace
from importlib.metadata import version
from itertools import chain, pairwise
from pathlib import Path
from typing import Any

import torch

from astrorim.exceptions import SimulationError
from astrorim.interchange.simulated_files import (
    check_space,
    replace_file,
    sole_writer,
    write_whole,
)
from astrorim.interchange.simulated_truth import dataset_of
from astrorim.interfaces import SimulatedLenses
from astrorim.rim.batches import JoinedSource, compact, join_batches
from astrorim.rim.shards import (
    INDEX_NAME,
    ShardEntry,
    file_digest,
    index_text,
    read_index,
    save_shard,
)

__all__ = ["SHARD_SIZE", "ShardDirectory", "shard_bytes", "shard_ranges", "write_shards"]

SHARD_SIZE = 256
"""Lenses in a shard."""


def shard_ranges(start: int, stop: int, size: int = SHARD_SIZE) -> list[tuple[int, int]]:
    """Lenses of each shard: shards begin at multiples of their size.

    Parameters
    ----------
    start, stop : int
        Numbers of the first lens, and of the one after the last.
    size : int, optional
        Lenses in a whole shard.

    Returns
    -------
    list of (int, int)
        First lens, and the one after the last, of each shard.
    """
    edges = [start, *range((start // size + 1) * size, stop, size), stop]
    return list(pairwise(edges))


def shard_bytes(simulated: SimulatedLenses) -> int:
    """Bytes that a lens takes in a shard, measured on a batch.

    Parameters
    ----------
    simulated : SimulatedLenses
        A batch.

    Returns
    -------
    int
    """
    lenses = compact(simulated)
    values: Iterator[object] = chain(
        vars(lenses).values(),
        lenses.lens.values(),
        lenses.light.values(),
        lenses.metadata.values(),
    )
    total = sum(v.numel() * v.element_size() for v in values if isinstance(v, torch.Tensor))
    return -(-total // len(lenses))


class ShardDirectory:
    """A directory of shards that grows.

    Parameters
    ----------
    directory : Path
        It must exist, and nothing else may write to it: see
        `~astrorim.interchange.simulated_files.sole_writer`.
    """

    def __init__(self, directory: Path) -> None:
        self.directory = directory
        self.facts: dict[str, Any] = {}
        self.entries: dict[int, ShardEntry] = {}
        if (directory / INDEX_NAME).exists():
            self.facts, entries = read_index(directory)
            self.entries = {
                entry.start: entry for entry in entries if (directory / entry.file).exists()
            }

    def missing(self, ranges: Iterable[tuple[int, int]]) -> list[tuple[int, int]]:
        """Ranges that no shard covers, widened to take in the part that one holds.

        Parameters
        ----------
        ranges : iterable of (int, int)
            Of `shard_ranges`.

        Returns
        -------
        list of (int, int)
        """
        wanted = []
        for start, stop in ranges:
            block = start // SHARD_SIZE
            held = [e for e in self.entries.values() if e.start // SHARD_SIZE == block]
            if any(e.start <= start and stop <= e.stop for e in held):
                continue
            edges = [start, stop, *(edge for e in held for edge in (e.start, e.stop))]
            wanted.append((min(edges), max(edges)))
        return wanted

    def check_dataset(self, facts: Mapping[str, Any]) -> None:
        """Refuse to mix datasets; versions may differ.

        Parameters
        ----------
        facts : mapping of str to object
            What the shards to be written have in common.

        Raises
        ------
        SimulationError
            If the index says something else.
        """
        for name, value in facts.items() if self.facts else ():
            if name != "versions" and self.facts.get(name) != value:
                raise SimulationError(
                    f"{self.directory} holds shards with {name} {self.facts.get(name)!r}, "
                    f"asked for {value!r}; choose another directory"
                )

    def write(self, simulated: SimulatedLenses) -> ShardEntry:
        """Write one shard, without telling the index.

        Parameters
        ----------
        simulated : SimulatedLenses
            All its lenses.

        Returns
        -------
        ShardEntry
            For `add`.

        Raises
        ------
        SimulationError
            If it cannot be written.
        """
        start = int(simulated.index[0])
        path = self.directory / f"shard_{start // SHARD_SIZE:06d}.safetensors"
        with replace_file(path) as part:
            save_shard(simulated, part)
            digest = file_digest(part)
        return ShardEntry(path.name, start, len(simulated), digest)

    def add(self, entry: ShardEntry, facts: Mapping[str, Any]) -> None:
        """Put a shard into the index, in the place of one with the same file.

        Parameters
        ----------
        entry : ShardEntry
            What `write` returned.
        facts : mapping of str to object
            What all shards have in common; of `facts_of`.

        Raises
        ------
        SimulationError
            If the index cannot be written.
        """
        self.facts = dict(facts)
        kept = [e for e in self.entries.values() if e.file != entry.file]
        self.entries = {e.start: e for e in (*kept, entry)}
        text = index_text(self.facts, list(self.entries.values()))
        write_whole(self.directory / INDEX_NAME, text.encode())


def facts_of(simulated: SimulatedLenses, options: Mapping[str, Any]) -> dict[str, Any]:
    """What the index says of all shards.

    Parameters
    ----------
    simulated : SimulatedLenses
        A batch.
    options : mapping of str to object
        Options of the simulator, plain JSON types.

    Returns
    -------
    dict
        Dataset, options, and the versions of what drew it.
    """
    return dataset_of(simulated) | {  # type: ignore[operator]
        "options": dict(options),
        "versions": {name: version(name) for name in ("astrorim", "torch", "numpy")},
    }


def write_shards(
    batches: SimulatedLenses | Iterable[SimulatedLenses],
    directory: str | Path,
    *,
    options: Mapping[str, Any] | None = None,
) -> list[Path]:
    """Write lenses as shards of 256, and their index ``shards.json``.

    Shards begin at multiples of 256 lenses. Files appear complete or not at all. In
    memory are the lenses of one shard.

    Parameters
    ----------
    batches : SimulatedLenses or iterable of SimulatedLenses
        Consecutive batches of one dataset.
    directory : str or Path
        Made if it does not exist.
    options : mapping of str to object, optional
        Options of the simulator, plain JSON types, for the index.

    Returns
    -------
    list of Path
        The shards.

    Raises
    ------
    SimulationError
        If the directory cannot be written, has too little space, holds another dataset,
        or the batches do not follow one another.
    """
    directory = Path(directory)
    stream = [batches] if isinstance(batches, SimulatedLenses) else batches
    paths = []
    with sole_writer(directory):
        opened = ShardDirectory(directory)
        for lenses in _shards_of(stream):
            facts = facts_of(lenses, options or {})
            opened.check_dataset(facts)
            check_space(directory, len(lenses), shard_bytes(lenses))
            entry = opened.write(lenses)
            opened.add(entry, facts)
            paths.append(directory / entry.file)
    return paths


def _shards_of(batches: Iterable[SimulatedLenses]) -> Iterator[SimulatedLenses]:
    """The same lenses in batches that end at multiples of `SHARD_SIZE`."""
    held: list[SimulatedLenses] = []
    following: int | None = None
    for batch in batches:
        begin = int(batch.index[0])
        if following is not None and begin != following:
            raise SimulationError(
                f"batches must follow one another, got lens {begin} where {following} was "
                "to come"
            )
        following = begin + len(batch)
        for start, stop in shard_ranges(begin, following, SHARD_SIZE):
            held.append(_rows(batch, start - begin, stop - begin))
            if stop % SHARD_SIZE == 0:
                yield join_batches(held)
                held = []
    if held:
        yield join_batches(held)


def _rows(batch: SimulatedLenses, begin: int, end: int) -> SimulatedLenses:
    """Some lenses of a batch, for writing: the source is left as it is."""
    if (begin, end) == (0, len(batch)):
        return batch

    def cut(value: Any) -> Any:
        if isinstance(value, torch.Tensor):
            return value[begin:end]
        if isinstance(value, Mapping):
            return {name: tensor[begin:end] for name, tensor in value.items()}
        return value

    changes = {name: cut(value) for name, value in vars(batch).items()}
    return replace(batch, **changes | {"source": JoinedSource((), ())})

"""Simulated lenses in compact files for training: safetensors, many lenses in each.

A shard holds the lenses ``start`` to ``start + number - 1`` of a dataset, every tensor of
a batch under its name, mappings as ``lens/theta_E``. The index beside the shards says what
was drawn and what each file holds, with its SHA-256.
"""

from __future__ import annotations

import bisect
import hashlib
import json
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save_file
from torch.utils.data import IterableDataset, get_worker_info

from astrorim.exceptions import SimulationError
from astrorim.interfaces import SimulatedLenses
from astrorim.rim.batches import GriddedSource, compact, join_batches

if TYPE_CHECKING:
    import os

    from torch import Tensor

__all__ = [
    "INDEX_NAME",
    "ShardDataset",
    "ShardEntry",
    "file_digest",
    "index_text",
    "read_index",
    "save_shard",
]

INDEX_NAME = "shards.json"
"""The index of a directory of shards."""

LAYOUT = 1
"""Version of the files' layout."""

_METADATA = "astrorim"
_MAPPINGS = ("lens", "light", "metadata")
_TENSORS = (
    "image", "noise", "psf", "pixel_scale", "noise_free", "lens_light", "source_image",
    "source_pixel_scale", "source_centre", "index",
)  # fmt: skip
_OPTIONAL = ("other_light", "rendering_psf", "cosmic_rays", "noise_kernel")
_FACTS = ("seed", "simulator", "lens_model", "light_model", "psf_supersampling")


@dataclass(frozen=True)
class ShardEntry:
    """A line of the index.

    Parameters
    ----------
    file : str
        Name of the file in the directory of the index.
    start : int
        Number of its first lens in the dataset.
    number : int
        How many lenses it holds.
    sha256 : str
        Digest of the file, hexadecimal.
    """

    file: str
    start: int
    number: int
    sha256: str

    @property
    def stop(self) -> int:
        """Number of the lens after its last."""
        return self.start + self.number


def save_shard(simulated: SimulatedLenses, path: str | os.PathLike[str]) -> None:
    """Write a batch into one safetensors file; the source is kept as ``source_image``.

    Parameters
    ----------
    simulated : SimulatedLenses
        A batch, wherever its tensors live.
    path : str or path-like
        Where to; an existing file is replaced.
    """
    lenses = compact(simulated)
    tensors = {name: getattr(lenses, name) for name in _TENSORS}
    for name in _OPTIONAL:
        if getattr(lenses, name) is not None:
            tensors[name] = getattr(lenses, name)
    if "cosmic_rays" in tensors:
        tensors["cosmic_rays"] = tensors["cosmic_rays"].to(torch.uint8)
    for mapping in _MAPPINGS:
        for name, values in getattr(lenses, mapping).items():
            tensors[f"{mapping}/{name}"] = values
    tensors = {name: values.detach().cpu().clone() for name, values in tensors.items()}
    facts = {"layout": LAYOUT} | {name: getattr(lenses, name) for name in _FACTS}
    # one entry only: safetensors writes several in an order of its own
    save_file(tensors, path, metadata={_METADATA: json.dumps(facts)})


def file_digest(path: str | os.PathLike[str]) -> str:
    """SHA-256 of a file, hexadecimal.

    Parameters
    ----------
    path : str or path-like
        The file.

    Returns
    -------
    str
    """
    with Path(path).open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def read_index(directory: str | os.PathLike[str]) -> tuple[dict[str, Any], list[ShardEntry]]:
    """Read the index of a directory of shards.

    Parameters
    ----------
    directory : str or path-like
        What ``astrorim simulate --format shards`` wrote to.

    Returns
    -------
    facts : dict
        What all shards have in common: simulator, options, seed, models, versions.
    entries : list of ShardEntry
        In the order of their lenses.

    Raises
    ------
    SimulationError
        If there is no index, or it cannot be understood.
    """
    path = Path(directory) / INDEX_NAME
    try:
        facts = json.loads(path.read_text(encoding="utf-8"))
        entries = sorted(
            (ShardEntry(**entry) for entry in facts.pop("shards")), key=lambda e: e.start
        )
        layout = facts["layout"]
    except FileNotFoundError:
        raise SimulationError(
            f"the directory must hold {INDEX_NAME}, but {str(directory)!r} does not; write "
            "one with `astrorim simulate NAME --format shards`"
        ) from None
    except (ValueError, TypeError, KeyError, OSError) as error:
        raise SimulationError(
            f"{str(path)!r} is not an index of shards ({error!r}); simulate them again"
        ) from error
    if layout != LAYOUT:
        raise SimulationError(
            f"{str(path)!r} has layout {layout!r}, this AstroRIM reads {LAYOUT}; simulate "
            "the shards again"
        )
    return facts, entries


def index_text(facts: dict[str, Any], entries: list[ShardEntry]) -> str:
    """JSON of an index, the same text for the same content.

    Parameters
    ----------
    facts : dict
        What all shards have in common.
    entries : list of ShardEntry
        In any order.

    Returns
    -------
    str
    """
    rows = [asdict(entry) for entry in sorted(entries, key=lambda e: e.start)]
    return json.dumps({"layout": LAYOUT} | facts | {"shards": rows}, indent=1) + "\n"


class ShardDataset(IterableDataset[SimulatedLenses]):
    """Simulated lenses streamed from shards, batch by batch.

    Only what is asked for is read. The function ``source`` of a batch interpolates
    ``source_image`` bilinearly; see `~astrorim.rim.batches.GriddedSource`.

    Parameters
    ----------
    directory : str or path-like
        With an index.
    batch_size : int, optional
        Lenses in a batch when iterating; the last batch may be smaller.
    check : bool, optional
        Whether the SHA-256 of each shard is compared when it is first read.

    Raises
    ------
    SimulationError
        If there is no index, it names no lenses, or the batch size is not positive.

    Examples
    --------
    Let torch read ahead; batches are made here, so that it must not make them::

        loader = torch.utils.data.DataLoader(ShardDataset("shards"), batch_size=None,
                                             num_workers=2)
    """

    def __init__(
        self, directory: str | os.PathLike[str], *, batch_size: int = 16, check: bool = True
    ) -> None:
        if int(batch_size) != batch_size or batch_size < 1:
            raise SimulationError(f"batch_size must be a positive integer, got {batch_size!r}")
        self.directory = Path(directory)
        self.batch_size = int(batch_size)
        self.facts, self.entries = read_index(directory)
        self._ends: list[int] = []
        for entry in self.entries:
            self._ends.append((self._ends[-1] if self._ends else 0) + entry.number)
        if not self._ends:
            raise SimulationError(
                f"{str(directory)!r} must hold shards, got an index of none; simulate some"
            )
        self._unchecked = set(self.entries) if check else set()

    @property
    def seed(self) -> int:
        """Seed of the dataset."""
        return int(self.facts["seed"])

    @property
    def number(self) -> int:
        """How many lenses there are."""
        return self._ends[-1]

    def __len__(self) -> int:
        return (self.number + self.batch_size - 1) // self.batch_size

    def __iter__(self) -> Iterator[SimulatedLenses]:
        worker = get_worker_info()
        first, step = (0, 1) if worker is None else (worker.id, worker.num_workers)
        for batch in range(first, len(self), step):
            start = batch * self.batch_size
            yield self.read(start, min(self.batch_size, self.number - start))

    def read(self, start: int, number: int) -> SimulatedLenses:
        """Read lenses by their position in the dataset.

        Parameters
        ----------
        start : int
            Position of the first, from zero.
        number : int
            How many.

        Returns
        -------
        SimulatedLenses
            On the CPU.

        Raises
        ------
        SimulationError
            If they are not all there, or a shard is missing or damaged.
        """
        if number < 1 or start < 0 or start + number > self.number:
            raise SimulationError(
                f"lenses must be among the {self.number} of {str(self.directory)!r}, got "
                f"{number} from position {start}"
            )
        parts = []
        stop = start + number
        while start < stop:
            which = bisect.bisect_right(self._ends, start)
            entry, end = self.entries[which], self._ends[which]
            begin = end - entry.number
            upto = min(stop, end)
            parts.append(self._read_rows(entry, start - begin, upto - begin))
            start = upto
        return join_batches(parts)

    def _read_rows(self, entry: ShardEntry, begin: int, end: int) -> SimulatedLenses:
        path = self.directory / entry.file
        try:
            if entry in self._unchecked:
                digest = file_digest(path)
                if digest != entry.sha256:
                    raise SimulationError(
                        f"{str(path)!r} must have the SHA-256 {entry.sha256}, got {digest}; "
                        "it is damaged, simulate it again"
                    )
                self._unchecked.discard(entry)
            with safe_open(path, framework="pt") as file:
                facts = json.loads(file.metadata()[_METADATA])
                tensors: dict[str, Tensor] = {
                    name: file.get_slice(name)[begin:end]
                    for name in file.keys()  # noqa: SIM118  (not a mapping)
                }
        except (OSError, SafetensorError) as error:
            raise SimulationError(
                f"{str(path)!r} cannot be read ({error}); simulate it again"
            ) from error
        return _batch_of(facts, tensors)


def _batch_of(facts: dict[str, Any], tensors: dict[str, Tensor]) -> SimulatedLenses:
    mappings: dict[str, dict[str, Tensor]] = {name: {} for name in _MAPPINGS}
    single = {}
    for name, values in tensors.items():
        mapping, _, key = name.partition("/")
        if key:
            mappings[mapping][key] = values
        else:
            single[name] = values
    if "cosmic_rays" in single:
        single["cosmic_rays"] = single["cosmic_rays"].to(torch.bool)
    source = GriddedSource(
        single["source_image"], single["source_centre"], single["source_pixel_scale"]
    )
    make = partial(SimulatedLenses, **single, **mappings)  # type: ignore[arg-type]
    return make(source=source, **{name: facts[name] for name in _FACTS})

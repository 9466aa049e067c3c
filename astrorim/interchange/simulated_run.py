"""Datasets drawn and written in batches, by one process or several, that can be resumed.

Work is cut into tasks that depend on the request alone; their files are written by
whoever draws them, while catalogue and index are written by one process, in order.
"""

from __future__ import annotations

import functools
import json
import multiprocessing
import os
import signal
import threading
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Mapping
from concurrent.futures import Future, ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from dataclasses import dataclass, field
from multiprocessing.connection import wait
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import torch

from astrorim.exceptions import SimulationError
from astrorim.interchange.simulated_catalogue import CatalogueRows
from astrorim.interchange.simulated_files import check_space, sole_writer
from astrorim.interchange.simulated_lenses import (
    LENS_FORMATS,
    LensDirectory,
    measured_size,
    write_lens_files,
)
from astrorim.interchange.simulated_shards import (
    ShardDirectory,
    facts_of,
    shard_bytes,
    shard_ranges,
)
from astrorim.interchange.simulated_truth import dataset_of
from astrorim.plugins import load_plugins
from astrorim.rim.batches import join_batches
from astrorim.rim.shards import ShardEntry

if TYPE_CHECKING:
    from astrorim.interfaces import SimulatedLenses, Simulator

__all__ = ["FORMATS", "SimulationRequest", "simulate_to_directory"]

FORMATS = (*LENS_FORMATS, "shards")
"""Names of all formats."""

_PROBED = 4
"""Lenses whose size is measured before a run; the largest decides."""

_AHEAD = 2
"""Tasks handed out for each worker: what is finished early waits in memory."""

T = TypeVar("T")
Task = TypeVar("Task")
Progress = Callable[[int], object]


@dataclass(frozen=True)
class SimulationRequest:
    """A dataset, or a part of one, and where it is to be written.

    Parameters
    ----------
    simulator : str
        Registered name or alias.
    directory : Path
        Where to; made if it does not exist.
    number : int
        How many lenses.
    seed : int
        Seed of the dataset.
    start : int, optional
        Number of the first lens.
    shape : tuple of int, optional
        Frame, ``(ny, nx)``, detector pixels.
    pixel_scale : float, optional
        Side of a detector pixel, arcsec; the simulator's own by default.
    supersampling : int, optional
        Sub-pixels along the side of a pixel when rendering.
    options : mapping of str to object, optional
        Options of the simulator, plain JSON types.
    format_name : str, optional
        One of `FORMATS`.
    suffix : str, optional
        At the end of the files' names; not for shards.
    batch_size : int, optional
        Lenses drawn at a time; changes nothing in the files.

    Raises
    ------
    SimulationError
        If the format is unknown, or shards are to have a suffix.
    """

    simulator: str
    directory: Path
    number: int
    seed: int
    start: int = 0
    shape: tuple[int, int] = (96, 96)
    pixel_scale: float | None = None
    supersampling: int = 4
    options: Mapping[str, Any] = field(default_factory=dict)
    format_name: str = "fits"
    suffix: str = ""
    batch_size: int = 16

    def __post_init__(self) -> None:
        if self.format_name not in FORMATS:
            raise SimulationError(
                f"format_name must be one of {', '.join(FORMATS)}, got {self.format_name!r}"
            )
        if self.suffix and self.format_name == "shards":
            raise SimulationError(
                f"suffix must be empty for shards, got {self.suffix!r}; choose a directory "
                "of their own"
            )

    @property
    def stop(self) -> int:
        """Number of the lens after the last."""
        return self.start + self.number

    def draw(self, start: int, number: int) -> SimulatedLenses:
        """Draw some of the dataset's lenses.

        Parameters
        ----------
        start : int
            Number of the first lens.
        number : int
            How many.

        Returns
        -------
        SimulatedLenses
        """
        simulator = _simulator(self.simulator, json.dumps(dict(self.options)))
        return simulator.simulate(
            number,
            seed=self.seed,
            start=start,
            shape=self.shape,
            pixel_scale=self.pixel_scale,
            supersampling=self.supersampling,
        )


@functools.lru_cache(maxsize=1)
def _simulator(name: str, options: str) -> Simulator:
    return load_plugins().simulators.create(name, **json.loads(options))


def simulate_to_directory(
    request: SimulationRequest,
    *,
    workers: int = 1,
    begun: Progress = lambda _: None,
    progress: Progress = lambda _: None,
) -> None:
    """Draw a dataset and write it, going on where an earlier run stopped.

    The files do not depend on the number of workers, on the batch size, or on whether and
    where an earlier run was stopped. Whether the disk has room for all of it is checked
    before anything is written, with the measured size of a lens.

    Parameters
    ----------
    request : SimulationRequest
        What to draw, and where to.
    workers : int, optional
        Processes that draw and write, each in one thread; by default this one.
    begun : callable, optional
        Called once with the number of lenses that are there already.
    progress : callable, optional
        Called with the number of lenses that were finished since.

    Raises
    ------
    SimulationError
        If the directory cannot be written, has too little space or holds another dataset,
        or a worker ends before its work.
    """
    if request.format_name == "shards":
        _run_shards(request, workers, begun, progress)
    else:
        _run_lenses(request, workers, begun, progress)


def _run_lenses(
    request: SimulationRequest, workers: int, begun: Progress, progress: Progress
) -> None:
    with LensDirectory.open(
        request.directory, format_name=request.format_name, suffix=request.suffix
    ) as opened:
        opened.check_dataset({"seed": request.seed})
        lenses = range(request.start, request.stop)
        finished = opened.finished().intersection(lenses)
        begun(len(finished))
        first = next((n for n in lenses if n not in finished), None)
        if first is None:
            return
        probe = request.draw(first, min(_PROBED, request.stop - first))
        opened.check_dataset(dataset_of(probe))
        size = measured_size(probe, request.format_name)
        check_space(request.directory, len(lenses) - len(finished), size)
        del probe
        batches = (
            [n for n in lenses[at : at + request.batch_size] if n not in finished]
            for at in range(0, len(lenses), request.batch_size)
        )
        write = functools.partial(_write_lenses, request)
        for rows in _in_order(write, filter(None, batches), workers):
            opened.catalogue.add(rows)
            progress(len(rows.lines))


def _write_lenses(request: SimulationRequest, wanted: list[int]) -> CatalogueRows:
    start = wanted[0]
    simulated = request.draw(start, wanted[-1] - start + 1)
    return write_lens_files(
        simulated,
        [n - start for n in wanted],
        request.directory,
        format_name=request.format_name,
        suffix=request.suffix,
    )


def _run_shards(
    request: SimulationRequest, workers: int, begun: Progress, progress: Progress
) -> None:
    with sole_writer(request.directory):
        opened = ShardDirectory(request.directory)
        missing = opened.missing(shard_ranges(request.start, request.stop))
        pending = sum(
            min(stop, request.stop) - max(start, request.start) for start, stop in missing
        )
        begun(request.number - pending)
        if not missing:
            opened.check_dataset({"seed": request.seed})
            return
        probe = request.draw(missing[0][0], min(_PROBED, missing[0][1] - missing[0][0]))
        facts = facts_of(probe, request.options)
        opened.check_dataset(facts)
        number = sum(stop - start for start, stop in missing)
        check_space(request.directory, number, shard_bytes(probe))
        del probe
        write = functools.partial(_write_shard, request)
        written = _in_order(write, missing, workers)
        for entry, (start, stop) in zip(written, missing, strict=True):
            opened.add(entry, facts)
            progress(min(stop, request.stop) - max(start, request.start))


def _write_shard(request: SimulationRequest, lenses: tuple[int, int]) -> ShardEntry:
    start, stop = lenses
    size = request.batch_size
    batches = [
        request.draw(first, min(size, stop - first)) for first in range(start, stop, size)
    ]
    return ShardDirectory(request.directory).write(join_batches(batches))


def _in_order(work: Callable[[Task], T], tasks: Iterable[Task], workers: int) -> Iterator[T]:
    """Results of tasks in their order, with few of them in memory."""
    if workers == 1:
        yield from map(work, tasks)
        return
    pool = ProcessPoolExecutor(
        workers, multiprocessing.get_context("spawn"), initializer=_begin_worker
    )
    waiting: deque[Future[T]] = deque()
    try:
        for task in tasks:
            waiting.append(pool.submit(work, task))
            if len(waiting) >= _AHEAD * workers:
                yield waiting.popleft().result()
        while waiting:
            yield waiting.popleft().result()
    except BrokenProcessPool as error:
        raise SimulationError(
            f"one of {workers} workers ended before its work, killed perhaps for want of "
            "memory; the same command with fewer workers or smaller batches goes on from here"
        ) from error
    finally:
        pool.shutdown(cancel_futures=True)


def _begin_worker() -> None:
    """One thread; no Ctrl-C of its own; an end when the process that began it is gone."""
    torch.set_num_threads(1)
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    parent = multiprocessing.parent_process()
    if parent is None:
        return

    def follow() -> None:
        wait([parent.sentinel])
        os._exit(1)

    threading.Thread(target=follow, daemon=True).start()

"""Reconstruct many lenses: in batches, each on its own account, resumable."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

from astrorim.cli.file_run import FINISHED, FileRun, FileStatus
from astrorim.cli.jobs import LensJob
from astrorim.cli.origins import check_request
from astrorim.cli.terminal import LOGGER

if TYPE_CHECKING:
    from astrorim.observation import LensObservation
    from astrorim.results import Reconstruction

__all__ = ["BatchOptions", "LensStatus", "Reconstructor", "run_batch"]


class Reconstructor(Protocol):
    """What turns observations into results: the networks, or the refinement."""

    def reconstruct(
        self, observations: list[LensObservation], *, num_iterations: int, seed: int
    ) -> list[Reconstruction]:
        """Reconstruct lenses, in their order."""


@dataclass(frozen=True)
class BatchOptions:
    """How to reconstruct many lenses.

    Parameters
    ----------
    output_dir : Path
        Where the files of all lenses go.
    status_file : Path
        The status table.
    num_iterations : int, optional
        Rounds of the joint inference.
    seed : int, optional
        Of each lens's posterior samples.
    batch_size : int, optional
        Lenses that are reconstructed together.
    overwrite : bool, optional
        Whether finished lenses are done again.
    request : mapping of str to str, optional
        Options that results depend on, from `~astrorim.cli.file_run.request_of`.
    """

    output_dir: Path
    status_file: Path
    num_iterations: int = 10
    seed: int = 0
    batch_size: int = 1
    overwrite: bool = False
    request: Mapping[str, str] = field(default_factory=dict)


@dataclass
class LensStatus(FileStatus):
    """What became of a lens: a row of the status table.

    Parameters
    ----------
    name, status, reason : str
        As in `~astrorim.cli.file_run.FileStatus`.
    note : str
        What the user should know about a lens that is done.
    theta_E : float, arcsec
        Einstein radius, intermediate axis; NaN where there is none.
    theta_E_lower, theta_E_upper : float, arcsec
        Its 68 % bounds.
    reduced_chi2, arc_reduced_chi2 : float
        Over all unmasked pixels, and where the model has arcs.
    flags : str
        Quality flags, separated by spaces.
    seconds : float, s
        Time from reading to written files.
    """

    note: str = ""
    theta_E: float = float("nan")
    theta_E_lower: float = float("nan")
    theta_E_upper: float = float("nan")
    reduced_chi2: float = float("nan")
    arc_reduced_chi2: float = float("nan")
    flags: str = ""
    seconds: float = 0.0


def run_batch(
    jobs: Sequence[LensJob],
    load: Callable[[], Reconstructor],
    options: BatchOptions,
) -> FileRun[LensStatus]:
    """Reconstruct lenses and write their files; a bad one costs only itself.

    Results are written and dropped batch by batch, so that memory does not grow with the
    number of lenses.

    Parameters
    ----------
    jobs : sequence of LensJob
        What to reconstruct.
    load : callable
        Loads what reconstructs; not called when everything is finished.
    options : BatchOptions
        How.

    Returns
    -------
    FileRun
        The rows of all lenses.
    """
    import astropy.units as u

    units = {"theta_E": u.arcsec, "theta_E_lower": u.arcsec, "theta_E_upper": u.arcsec,
             "seconds": u.s}  # fmt: skip
    with FileRun(options.status_file, LensStatus, total=len(jobs), units=units) as run:
        runner = _Runner(load, options, run)
        for start in range(0, len(jobs), options.batch_size):
            for row in runner.run(jobs[start : start + options.batch_size]):
                run.add(row)
    return run


class _Runner:
    """Reconstructs batches with networks that are loaded when first needed."""

    def __init__(
        self,
        load: Callable[[], Reconstructor],
        options: BatchOptions,
        run: FileRun[LensStatus],
    ) -> None:
        self._load = load
        self._loaded: Reconstructor | None = None
        self._run = run
        self.options = options

    @property
    def reconstructor(self) -> Reconstructor:
        if self._loaded is None:
            self._loaded = self._load()
        return self._loaded

    def run(self, jobs: Sequence[LensJob]) -> Iterator[LensStatus]:
        """Reconstruct one batch: together if that works, else one by one."""
        ready: list[tuple[LensStatus, LensObservation, dict[str, str], float]] = []
        for job in jobs:
            begun = time.monotonic()
            row = LensStatus(job.name)
            observation = None
            with self._run.isolated(row):
                request = job.request() | dict(self.options.request)
                observation = self._prepare(job, row, request)
            if observation is None:
                yield row
            else:
                ready.append((row, observation, request, time.monotonic() - begun))
        if not ready:
            return
        reconstructor = self.reconstructor  # missing weights end the run
        begun = time.monotonic()
        results: list[Reconstruction] | None = None
        if len(ready) > 1:
            try:
                results = self._reconstruct(reconstructor, [o for _, o, _, _ in ready])
            except Exception as error:  # noqa: BLE001  (one of them is bad: find it)
                LOGGER.debug("a batch failed (%s); its lenses are tried one by one", error)
        share = (time.monotonic() - begun) / len(ready)
        for number, (row, observation, request, seconds) in enumerate(ready):
            begun = time.monotonic()
            with self._run.isolated(row):
                if results is None:
                    (result,) = self._reconstruct(reconstructor, [observation])
                else:
                    result = results[number]
                result.provenance = result.provenance | {"request": request}
                result.to_directory(self.options.output_dir)
                _fill(row, result)
            row.seconds = seconds + share + time.monotonic() - begun
            if row.status == "ok":
                LOGGER.debug("%s: done in %.2f s", row.name, row.seconds)
            yield row

    def _reconstruct(
        self, reconstructor: Reconstructor, observations: list[LensObservation]
    ) -> list[Reconstruction]:
        return reconstructor.reconstruct(
            observations, num_iterations=self.options.num_iterations, seed=self.options.seed
        )

    def _prepare(
        self, job: LensJob, row: LensStatus, request: Mapping[str, str]
    ) -> LensObservation | None:
        """Read a lens; None if it is finished, which ``row`` then says."""
        from astrorim.exceptions import ObservationError

        finished = None if self.options.overwrite else _finished(job, self.options.output_dir)
        if finished is not None:
            check_request(job.name, finished.get("provenance", {}).get("request"), request)
            row.status, row.reason = "skipped", FINISHED
            _fill_from_document(row, finished)
            return None
        observation = job.read()
        if observation.psf is None:
            raise ObservationError(
                "no PSF in the file; pass --psf, a FITS file with an odd, square stamp"
            )
        if not observation.has_noise:
            row.note = _measure_noise(observation)
            LOGGER.warning("%s: %s", job.name, row.note)
        return observation


def _measure_noise(observation: LensObservation) -> str:
    """Give an observation the noise of its blank sky; return what to say about it."""
    import numpy as np
    from astropy.nddata import StdDevUncertainty

    from astrorim.observation import measure_sky_noise

    sigma = measure_sky_noise(observation.data, observation.mask)
    noise = np.full(observation.data.shape, sigma, dtype=observation.data.dtype)
    observation.uncertainty = StdDevUncertainty(noise)
    return (
        f"no noise map: {sigma:.4g} {observation.unit} measured on the blank sky, without the "
        "lens's own photon noise; pass --noise"
    )


def _finished(job: LensJob, directory: Path) -> dict[str, Any] | None:
    """The parameters of a lens all of whose files are there, else None."""
    from astrorim.results.files import output_paths

    paths = output_paths(directory, job.name)
    if not all(path.is_file() for path in paths.values()):
        return None
    try:
        document = json.loads(paths["parameters"].read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return None
    return document if isinstance(document, dict) else None


def _fill(row: LensStatus, result: Reconstruction) -> None:
    if "theta_E" in result.lens:
        value, lower, upper = result.parameter("b")
        row.theta_E, row.theta_E_lower, row.theta_E_upper = (
            float(quantity.value) for quantity in (value, lower, upper)
        )
    row.reduced_chi2 = result.reduced_chi2
    row.arc_reduced_chi2 = result.arc_reduced_chi2
    row.flags = " ".join(result.flags)


def _fill_from_document(row: LensStatus, document: dict[str, Any]) -> None:
    """Fill in what the parameters file of a finished lens says."""

    def number(value: Any) -> float:
        return float(value) if isinstance(value, (int, float)) else float("nan")

    if "theta_E" in document.get("lens", {}):
        lower, upper = document.get("bounds", {}).get("b", (None, None))
        row.theta_E = number(document.get("b"))
        row.theta_E_lower, row.theta_E_upper = number(lower), number(upper)
    row.reduced_chi2 = number(document.get("reduced_chi2"))
    row.arc_reduced_chi2 = number(document.get("arc_reduced_chi2"))
    row.flags = " ".join(document.get("flags", {}))

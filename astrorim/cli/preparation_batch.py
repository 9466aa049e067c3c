"""Prepare many images: each on its own account, resumable, with a table of what became."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

from astrorim.cli.arguments import in_options
from astrorim.cli.file_run import FINISHED, FileRun, FileStatus
from astrorim.cli.jobs import LensJob
from astrorim.cli.origins import check_request, request_checksum, request_of
from astrorim.cli.terminal import LOGGER
from astrorim.exceptions import AstroRIMError, ObservationError
from astrorim.preparation.records import record
from astrorim.results.files import file_stem

if TYPE_CHECKING:
    from astrorim.observation import LensObservation
    from astrorim.preparation import Preparation

__all__ = ["PreparationStatus", "check_target", "expand_bands", "run_preparations"]

_RECIPE = "PREPHASH"


@dataclass
class PreparationStatus(FileStatus):
    """What became of an image: a row of the table.

    Parameters
    ----------
    name, status, reason : str
        As in `~astrorim.cli.file_run.FileStatus`.
    image : str
        Its file.
    shape : str
        Rows and columns of what came out.
    sky, sky_error : float, flux
        Sky per pixel, in the image's unit.
    noise : str
        Where the noise map comes from.
    missing : str
        What a reconstruction will still ask for.
    advice : str
        What the user should look at.
    """

    image: str = ""
    shape: str = ""
    sky: float = float("nan")
    sky_error: float = float("nan")
    noise: str = ""
    missing: str = ""
    advice: str = ""


def expand_bands(jobs: Sequence[LensJob]) -> list[LensJob]:
    """One job for each band of each file.

    Parameters
    ----------
    jobs : sequence of LensJob
        Of files with one band or several.

    Returns
    -------
    list of LensJob
        Named ``NAME_BAND`` where a file holds several.
    """
    from astrorim.observation.observation_set import bands_of

    found = []
    for job in jobs:
        try:
            bands = bands_of(job.image)
        except (AstroRIMError, OSError) as error:
            found.append(replace(job, fault=str(error)))
            continue
        if len(bands) < 2:
            found.append(job)
            continue
        found += [
            LensJob(f"{job.name}_{band}", job.image, dict(job.options) | {"hdu": hdu})
            for band, hdu in bands.items()
        ]
    return found


def run_preparations(
    jobs: Sequence[LensJob],
    options: Preparation,
    output_dir: Path,
    *,
    ending: str = "fits",
    overwrite: bool = False,
    figure: bool = False,
) -> int:
    """Prepare images and write observations and ``prepared.ecsv``.

    Parameters
    ----------
    jobs : sequence of LensJob
        The images.
    options : Preparation
        What is done to each.
    output_dir : Path
        Where ``NAME.fits`` or ``NAME.asdf`` go.
    ending : {"fits", "asdf"}, optional
        Format.
    overwrite : bool, optional
        Whether finished images are done again.
    figure : bool, optional
        Whether to draw all prepared images into ``prepared.png``.

    Returns
    -------
    int
        1 if an image failed, 3 if the program did.
    """
    table = output_dir / "prepared.ecsv"
    with FileRun(table, PreparationStatus, total=len(jobs), unit="image") as run:
        for job in jobs:
            row = PreparationStatus(job.name, image=str(job.image))
            target = output_dir / f"{file_stem(job.name)}.{ending}"
            with run.isolated(row):
                _one(job, options, target, row, overwrite=overwrite)
            run.add(row)
    if figure:
        _draw(run.rows, output_dir, ending)
    return run.finish("prepared")


def check_target(target: Path, image: Path) -> None:
    """Refuse to write over the image that is read.

    Parameters
    ----------
    target : Path
        What is to be written.
    image : Path
        What is read.

    Raises
    ------
    ObservationError
        If they are the same file.
    """
    if target.exists() and image.exists() and target.samefile(image):
        raise ObservationError(
            f"{str(target)!r} is the image itself; choose another --output-dir"
        )


def _one(
    job: LensJob, options: Preparation, target: Path, row: PreparationStatus, *, overwrite: bool
) -> None:
    from astrorim.preparation import prepare

    request = job.request() | request_of(**asdict(options))
    check_target(target, job.image)
    if target.exists() and not overwrite:
        _skip(target, request, row)
        return
    prepared = prepare(job.read(), options)
    record(
        prepared.observation.meta, _RECIPE, request_checksum(request),
        "image and options of the preparation",
    )  # fmt: skip
    _write(prepared.observation, target)
    for step in prepared.steps:
        LOGGER.info("%s: %s", job.name, step)
    for advice in prepared.advice:
        LOGGER.warning("%s: %s", job.name, in_options(ObservationError(advice)))
    row.shape = "{} x {}".format(*prepared.observation.shape)
    if prepared.sky is not None:
        row.sky, row.sky_error = prepared.sky.level, prepared.sky.error
    row.noise = prepared.noise
    row.missing = " ".join(prepared.missing)
    row.advice = in_options(ObservationError(" | ".join(prepared.advice) or "none"))


def _skip(target: Path, request: dict[str, str], row: PreparationStatus) -> None:
    from astrorim.observation import LensObservation

    finished = LensObservation.read(target)
    check_request(row.name, finished.meta.get(_RECIPE), request)
    row.status, row.reason = "skipped", FINISHED
    row.shape = "{} x {}".format(*finished.shape)
    row.sky = float(finished.meta.get("SKYLEVEL", row.sky))
    row.sky_error = float(finished.meta.get("SKYERR", row.sky_error))
    row.noise = str(finished.meta.get("NOISEMAP", ""))


def _write(observation: LensObservation, target: Path) -> None:
    from astrorim.observation import write_asdf, write_fits

    write = write_asdf if target.suffix == ".asdf" else write_fits
    write(observation, target, overwrite=True)


def _draw(rows: Sequence[PreparationStatus], output_dir: Path, ending: str) -> None:
    from astrorim.observation import LensObservation
    from astrorim.observation.unified_io import replacing
    from astrorim.plotting.observation_sheet import plot_observations

    done = [row.name for row in rows if row.done]
    if not done:
        return
    observations = [
        LensObservation.read(output_dir / f"{file_stem(name)}.{ending}") for name in done
    ]
    with replacing(output_dir / "prepared.png", overwrite=True) as temporary:
        plot_observations(observations).savefig(temporary, dpi=150)

"""Prepare many images: each on its own account, resumable, with a table of what became."""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from astrorim.cli.arguments import in_options
from astrorim.cli.jobs import LensJob
from astrorim.cli.terminal import LOGGER, progress_bar
from astrorim.exceptions import AstroRIMError, ObservationError
from astrorim.preparation.records import record

if TYPE_CHECKING:
    from astrorim.observation import LensObservation
    from astrorim.preparation import Preparation

__all__ = ["PreparationStatus", "expand_bands", "run_preparations"]

_RECIPE = "PREPHASH"


@dataclass
class PreparationStatus:
    """What became of an image: a row of the table.

    Parameters
    ----------
    name : str
        The lens.
    image : str
        Its file.
    status : {"ok", "failed", "skipped"}
        Skipped images were finished before.
    reason : str
        Why it failed or was skipped.
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

    name: str
    image: str = ""
    status: str = "ok"
    reason: str = ""
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
        1 if an image failed.
    """
    output_dir.mkdir(parents=True, exist_ok=True)
    rows: list[PreparationStatus] = []
    try:
        with progress_bar(len(jobs), "image") as bar:
            for job in jobs:
                rows.append(_one(job, options, output_dir, ending, overwrite=overwrite))
                bar.update()
    finally:
        if rows:
            _write_table(rows, output_dir / "prepared.ecsv")
    if figure:
        _draw(rows, output_dir, ending)
    counts = Counter(row.status for row in rows)
    print(
        f"{counts['ok']} prepared, {counts['skipped']} skipped, {counts['failed']} failed; see "
        f"{output_dir / 'prepared.ecsv'}"
    )
    reasons = Counter(_kind(row.reason) for row in rows if row.status == "failed")
    for reason, number in reasons.most_common():
        print(f"  {number} failed: {reason}")
    return int(counts["failed"] > 0)


def _kind(reason: str) -> str:
    """A reason without what only its own file has: paths and numbers."""
    first = reason.split(";", maxsplit=1)[0].split("(", maxsplit=1)[0]
    return " ".join(word for word in first.split() if "/" not in word).strip()


def _one(
    job: LensJob, options: Preparation, output_dir: Path, ending: str, *, overwrite: bool
) -> PreparationStatus:
    from astrorim.preparation import prepare
    from astrorim.results.files import file_stem

    row = PreparationStatus(job.name, str(job.image))
    target = output_dir / f"{file_stem(job.name)}.{ending}"
    try:
        recipe = _recipe_of(job, options)
        if target.exists() and not overwrite:
            _check_finished(target, recipe, row)
            return row
        if target.exists() and target.samefile(job.image):
            raise ObservationError(
                f"{str(target)!r} is the image itself; choose another --output-dir"
            )
        prepared = prepare(job.read(), options)
        record(
            prepared.observation.meta, _RECIPE, recipe, "image and options of the preparation"
        )
        _write(prepared.observation, target)
    except Exception as error:  # noqa: BLE001  (a bad file must cost only itself)
        row.status, row.reason = "failed", in_options(error)
        if not isinstance(error, (AstroRIMError, OSError, ValueError)):
            row.reason = f"{type(error).__name__}: {row.reason}"
        LOGGER.error("%s: %s", row.name, row.reason)
        LOGGER.debug("%s", error, exc_info=error)
        return row
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
    return row


def _recipe_of(job: LensJob, options: Preparation) -> str:
    """Checksum of the image and of everything that is done to it."""
    digest = hashlib.sha256(repr((sorted(job.options.items(), key=str), options)).encode())
    if job.image.is_file():
        with job.image.open("rb") as stream:
            for block in iter(lambda: stream.read(1 << 20), b""):
                digest.update(block)
    return digest.hexdigest()[:16]


def _check_finished(target: Path, recipe: str, row: PreparationStatus) -> None:
    from astrorim.observation import LensObservation

    finished = LensObservation.read(target)
    if finished.meta.get(_RECIPE) != recipe:
        raise ObservationError(
            f"{target.name!r} in the output directory was made from another image or with "
            "other options; choose another --output-dir or pass --overwrite"
        )
    row.status, row.reason = "skipped", "finished earlier; --overwrite does it again"
    row.shape = "{} x {}".format(*finished.shape)
    row.sky = float(finished.meta.get("SKYLEVEL", row.sky))
    row.sky_error = float(finished.meta.get("SKYERR", row.sky_error))
    row.noise = str(finished.meta.get("NOISEMAP", ""))


def _write(observation: LensObservation, target: Path) -> None:
    from astrorim.observation import write_asdf, write_fits

    write = write_asdf if target.suffix == ".asdf" else write_fits
    write(observation, target, overwrite=True)


def _write_table(rows: Sequence[PreparationStatus], path: Path) -> None:
    import numpy as np
    from astropy.table import Table

    from astrorim.observation.unified_io import replacing

    table = Table()
    for name, kind in PreparationStatus.__annotations__.items():
        values: Any = [getattr(row, name) for row in rows]
        table[name] = np.array(values, dtype=str if kind == "str" else float)
    with replacing(path, overwrite=True) as temporary:
        table.write(temporary, format="ascii.ecsv")


def _draw(rows: Sequence[PreparationStatus], output_dir: Path, ending: str) -> None:
    from astrorim.observation import LensObservation
    from astrorim.observation.unified_io import replacing
    from astrorim.plotting.observation_sheet import plot_observations
    from astrorim.results.files import file_stem

    done = [row.name for row in rows if row.status != "failed"]
    if not done:
        return
    observations = [
        LensObservation.read(output_dir / f"{file_stem(name)}.{ending}") for name in done
    ]
    with replacing(output_dir / "prepared.png", overwrite=True) as temporary:
        plot_observations(observations).savefig(temporary, dpi=150)

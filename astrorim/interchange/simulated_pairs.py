"""Simulated lenses as observations, and as pairs of FITS files with a catalogue."""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Callable, Mapping
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import astropy.units as u
import numpy as np
from astropy.io import fits
from astropy.nddata import StdDevUncertainty
from astropy.table import QTable, vstack
from astropy.wcs import WCS

from astrorim.exceptions import SimulationError
from astrorim.grid import SourceGrid
from astrorim.interchange.simulated_truth import (
    OBSERVATION_UNITS,
    as_array,
    dataset_of,
    header_number,
    pair_names,
    truth_header,
    truth_table,
)
from astrorim.observation import LensObservation

if TYPE_CHECKING:
    from astrorim.interfaces import SimulatedLenses

__all__ = ["catalogue_name", "finished_pairs", "to_observation", "write_pairs"]

BAND = "F814W"
"""The band whose zero point the photometry has."""

SKY_POSITION = (150.0, 2.2)
"""Right ascension and declination, deg, that every simulated frame is centred on."""

_DETECTOR_POINTS = 3
_HEADER_BYTES = 8 * 2880


def to_observation(simulated: SimulatedLenses, i: int) -> LensObservation:
    """One simulated lens as an observation, with its truth in ``meta``.

    Parameters
    ----------
    simulated : SimulatedLenses
        A batch.
    i : int
        Position of the lens in the batch.

    Returns
    -------
    LensObservation
        In adu, with standard deviations, PSF and a WCS: north up, east left.
    """
    scale = header_number(simulated.pixel_scale[i])
    metadata = simulated.metadata
    known: dict[str, Any] = {
        name: header_number(metadata[name][i])
        for name in ("z_lens", "z_source")
        if name in metadata
    }
    for name in ("exposure", "gain"):
        if name in metadata:
            known[name] = header_number(metadata[name][i]) * OBSERVATION_UNITS[name]
    return LensObservation(
        as_array(simulated.image[i]),
        unit=u.adu,
        uncertainty=StdDevUncertainty(as_array(simulated.noise[i])),
        wcs=_wcs(simulated.image.shape[1:], scale),
        psf=as_array(simulated.psf[i]),
        psf_supersampling=simulated.psf_supersampling,
        band=BAND,
        name=Path(pair_names(int(simulated.index[i]))[1]).stem,
        meta=truth_header(simulated, i),
        **known,
    )


def catalogue_name(suffix: str = "") -> str:
    """Name of the catalogue of everything drawn, one row for each pair.

    Parameters
    ----------
    suffix : str, optional
        As for `write_pairs`.

    Returns
    -------
    str
        ``truths.ecsv``.
    """
    return f"truths{suffix}.ecsv"


def finished_pairs(directory: str | Path, *, seed: int, suffix: str = "") -> set[int]:
    """Numbers of the lenses whose pair and catalogue row are in a directory.

    Parameters
    ----------
    directory : str or Path
        What `write_pairs` wrote to; it need not exist.
    seed : int
        Seed of the dataset.
    suffix : str, optional
        As for `write_pairs`.

    Returns
    -------
    set of int

    Raises
    ------
    SimulationError
        If the directory holds a dataset of another seed.
    """
    directory = Path(directory)
    path = directory / catalogue_name(suffix)
    if not path.exists():
        return set()
    table = QTable.read(path)
    _check_same_dataset(directory, table.meta, {"seed": seed})
    return {
        int(index)
        for index in table["index"]
        if all((directory / name).exists() for name in pair_names(int(index), suffix))
    }


def write_pairs(
    simulated: SimulatedLenses, directory: str | Path, *, suffix: str = ""
) -> list[Path]:
    """Write each lens as a pair of FITS files, and all of them into a catalogue.

    ``lensed_XXXXX.fits`` is the observation: image, uncertainty, PSF, and the truth in
    the header. ``source_XXXXX.fits`` is the truth: the source in adu/arcsec^2, and in
    extensions the source on the detector grid (``SOURCEDET``), the noise-free image
    (``NOISEFREE``), the lens light (``LENSLIGHT``) and the arcs (``ARCS``). Files appear
    complete or not at all; pairs that are finished are not written again.

    Parameters
    ----------
    simulated : SimulatedLenses
        A batch.
    directory : str or Path
        Made if it does not exist.
    suffix : str, optional
        Put at the end of the names of all files.

    Returns
    -------
    list of Path
        The observations of the batch, in its order.

    Raises
    ------
    SimulationError
        If the directory cannot be written, has too little space, or holds a dataset of
        another seed.
    """
    directory = Path(directory)
    _check_directory(directory)
    finished = finished_pairs(directory, seed=simulated.seed, suffix=suffix)
    wanted = [i for i, n in enumerate(simulated.index.tolist()) if n not in finished]
    if finished:
        stored = QTable.read(directory / catalogue_name(suffix)).meta
        _check_same_dataset(directory, stored, dataset_of(simulated))
    _check_space(directory, simulated, len(wanted))
    if not wanted:
        return _lensed_paths(simulated, directory, suffix)
    detector = _detector_sources(simulated)
    for i in wanted:
        source_name, lensed_name = pair_names(int(simulated.index[i]), suffix)
        truth = _truth_hdus(simulated, i, detector[i])
        _write_atomically(directory / source_name, truth.writeto)
        observation = to_observation(simulated, i)
        _write_atomically(
            directory / lensed_name,
            partial(observation.write, format="fits"),
        )
    _extend_catalogue(directory / catalogue_name(suffix), simulated, wanted, suffix)
    return _lensed_paths(simulated, directory, suffix)


def _lensed_paths(simulated: SimulatedLenses, directory: Path, suffix: str) -> list[Path]:
    return [directory / pair_names(n, suffix)[1] for n in simulated.index.tolist()]


def _check_same_dataset(
    directory: Path, stored: Mapping[str, object], wanted: Mapping[str, object]
) -> None:
    for name, value in wanted.items():
        if stored.get(name) != value:
            raise SimulationError(
                f"{directory} holds a dataset with {name} {stored.get(name)!r}, asked for "
                f"{value!r}; choose another directory, or ask for the same dataset to go on"
            )


def _wcs(shape: tuple[int, ...], scale: float, centre: tuple[float, float] = (0, 0)) -> WCS:
    """Tangential WCS, north up and east left, of a frame centred on ``centre``, arcsec."""
    ny, nx = shape
    wcs = WCS(naxis=2)
    wcs.wcs.ctype = ["RA---TAN", "DEC--TAN"]
    wcs.wcs.cunit = ["deg", "deg"]
    wcs.wcs.crval = SKY_POSITION
    wcs.wcs.cdelt = [-scale / 3600, scale / 3600]
    wcs.wcs.crpix = [(nx + 1) / 2 - centre[0] / scale, (ny + 1) / 2 - centre[1] / scale]
    wcs.array_shape = (ny, nx)
    return wcs


def _truth_hdus(simulated: SimulatedLenses, i: int, on_detector: np.ndarray) -> fits.HDUList:
    brightness = (u.adu / u.arcsec**2).to_string("fits")
    scale = header_number(simulated.source_pixel_scale[i])
    centre = tuple(simulated.source_centre[i].tolist())
    image = as_array(simulated.source_image[i])
    primary = fits.PrimaryHDU(image, _wcs(image.shape, scale, centre).to_header())
    primary.header["BUNIT"] = (brightness, "surface brightness of the source")
    primary.header.update(truth_header(simulated, i))
    for name in ("z_lens", "z_source"):
        if name in simulated.metadata:
            primary.header[name.upper()] = header_number(simulated.metadata[name][i])
    hdus = fits.HDUList([primary])
    frame = _wcs(simulated.image.shape[1:], header_number(simulated.pixel_scale[i])).to_header()
    noise_free, light = as_array(simulated.noise_free[i]), as_array(simulated.lens_light[i])
    for name, data, unit in (
        ("SOURCEDET", on_detector, brightness),
        ("NOISEFREE", noise_free, "adu"),
        ("LENSLIGHT", light, "adu"),
        ("ARCS", noise_free - light, "adu"),
    ):
        hdu = fits.ImageHDU(data, frame, name=name)
        hdu.header["BUNIT"] = unit
        hdus.append(hdu)
    return hdus


def _detector_sources(simulated: SimulatedLenses) -> np.ndarray:
    """Sources averaged over detector pixels, (B, H, W), adu/arcsec^2."""
    image = simulated.image
    k = _DETECTOR_POINTS
    ny, nx = image.shape[1:]
    positions = SourceGrid((ny, nx), 1.0).coordinates(supersampling=k)
    x, y = (image.new_tensor(position) for position in positions)
    scale = simulated.pixel_scale[:, None, None]
    values = simulated.source(x * scale, y * scale)
    return as_array(values.unflatten(1, (ny, k)).unflatten(3, (nx, k)).mean(dim=(2, 4)))


def _extend_catalogue(
    path: Path, simulated: SimulatedLenses, rows: list[int], suffix: str
) -> None:
    table = truth_table(simulated, rows, suffix=suffix)
    if path.exists():
        old = QTable.read(path)
        old = old[~np.isin(old["index"], table["index"])]
        table = vstack([old, table], metadata_conflicts="silent")
    table.sort("index")
    _write_atomically(path, partial(table.write, format="ascii.ecsv"))


def _write_atomically(path: Path, write: Callable[[Path], None]) -> None:
    """Call ``write`` with a temporary path and rename what it wrote."""
    with tempfile.TemporaryDirectory(dir=path.parent, prefix=".writing-") as folder:
        part = Path(folder) / path.name
        try:
            write(part)
            part.replace(path)
        except OSError as error:
            raise SimulationError(
                f"{path} cannot be written ({error}); free space or choose another directory"
            ) from error


def _check_directory(directory: Path) -> None:
    try:
        directory.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryFile(dir=directory):
            pass
    except OSError as error:
        raise SimulationError(
            f"directory must be one that can be written, got {directory} ({error}); "
            "choose another"
        ) from error


def _check_space(directory: Path, simulated: SimulatedLenses, number: int) -> None:
    """Compare the free space with what the pairs take; headers are counted generously."""
    pixels = 6 * simulated.image[0].numel() + simulated.psf[0].numel()
    size = 4 * (pixels + simulated.source_image[0].numel()) + 2 * _HEADER_BYTES
    free = shutil.disk_usage(directory).free
    if number * size > free:
        raise SimulationError(
            f"{number} pairs need {number * size / 1e6:.1f} MB, got {free / 1e6:.1f} MB free "
            f"in {directory}; simulate fewer or choose another directory"
        )

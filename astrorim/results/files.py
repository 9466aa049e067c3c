"""Files of a result: one ASDF, or six files in a directory; complete or not at all."""

from __future__ import annotations

import contextlib
import json
import math
import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import asdf
import numpy as np
from astropy.io import fits

from astrorim.observation.asdf_files import strict_reading
from astrorim.observation.temporary_rooms import temporary_room
from astrorim.results.parameter_table import REPORTED_PARAMETERS

if TYPE_CHECKING:
    from os import PathLike

    import astropy.units as u
    from astropy.wcs import WCS

    from astrorim.results.reconstruction import Reconstruction

__all__ = [
    "THETA_E_DEFINITION",
    "file_stem",
    "output_paths",
    "parameters_document",
    "read_asdf",
    "write_asdf",
    "write_directory",
]

THETA_E_DEFINITION = "intermediate axis (product average)"
"""Which of the Einstein radii in use the reported ``b`` is."""

_SUFFIXES = {
    "source": "_source.fits",
    "forward": "_forward.fits",
    "residual": "_residual.fits",
    "parameters": "_parameters.json",
    "diagnostic": "_diagnostic.png",
    "asdf": ".asdf",
}


def file_stem(name: str) -> str:
    """Turn the name of a lens into the start of its files' names.

    Whatever is not a letter, a digit, or one of ``. _ + -`` becomes an underscore, and
    leading dots go, so that a name never leads out of its directory.

    Parameters
    ----------
    name : str
        Any text, for example ``"SDSS J0946+1006"``.

    Returns
    -------
    str
        At most 180 characters, never empty.
    """
    stem = re.sub(r"[^\w.+-]+", "_", name.strip()).lstrip(".")[:180]
    return stem or "lens"


def output_paths(directory: str | PathLike[str], name: str) -> dict[str, Path]:
    """Where the six files of a lens are written.

    Parameters
    ----------
    directory : path-like
        Directory of the results.
    name : str
        Name of the lens.

    Returns
    -------
    dict of str to `~pathlib.Path`
        Keys ``source``, ``forward``, ``residual``, ``parameters``, ``diagnostic`` and
        ``asdf``.
    """
    stem = file_stem(name)
    return {key: Path(directory) / f"{stem}{suffix}" for key, suffix in _SUFFIXES.items()}


@contextlib.contextmanager
def _replacing(path: Path, *, overwrite: bool) -> Iterator[Path]:
    """Give a temporary file in the same directory, which takes the place of ``path``."""
    if path.exists() and not overwrite:
        raise FileExistsError(f"{path} exists; pass overwrite=True to replace it")
    path.parent.mkdir(parents=True, exist_ok=True)
    with temporary_room(path.parent) as room:
        temporary = room / path.name
        yield temporary
        temporary.replace(path)


def write_asdf(
    path: str | PathLike[str], tree: Mapping[str, object], *, overwrite: bool = False
) -> Path:
    """Write a tree to an ASDF file that appears complete or not at all.

    Parameters
    ----------
    path : path-like
        File to write; its directory is made if need be.
    tree : mapping of str to object
        What the file holds.
    overwrite : bool, optional
        Whether an existing file may be replaced.

    Returns
    -------
    `~pathlib.Path`
        The file.

    Raises
    ------
    FileExistsError
        If the file exists and ``overwrite`` is False.
    """
    target = Path(path)
    with _replacing(target, overwrite=overwrite) as temporary:
        asdf.AsdfFile(dict(tree)).write_to(temporary)
    return target


def read_asdf(path: str | PathLike[str], key: str, kind: type) -> Any:
    """Read one object of an ASDF file, validated against its schema, arrays in memory.

    Parameters
    ----------
    path : path-like
        File to read.
    key : str
        Where the object stands in the tree.
    kind : type
        What it must be.

    Returns
    -------
    object
        An instance of ``kind``.

    Raises
    ------
    ValueError
        If the file does not hold such an object; the message says what it holds.
    """
    with strict_reading(), asdf.open(path, lazy_load=False, memmap=False) as file:
        found = file.tree.get(key)
        held = [name for name in file.tree if name not in ("asdf_library", "history")]
    if not isinstance(found, kind):
        raise ValueError(  # noqa: TRY004  (a fault of the file, not of an argument)
            f"{path} must hold a {kind.__name__} under {key!r}, got "
            f"{type(found).__name__}; the file holds: {', '.join(held) or 'nothing'}"
        )
    return found


def _plain(value: object) -> object:
    """Convert to what JSON knows; what is not finite becomes null."""
    if isinstance(value, Mapping):
        return {str(key): _plain(item) for key, item in value.items()}
    if isinstance(value, (list, tuple, set, frozenset)):
        return [_plain(item) for item in value]
    if isinstance(value, np.ndarray):
        return _plain(value.tolist())
    if isinstance(value, (bool, np.bool_)):
        return bool(value)
    if isinstance(value, (int, np.integer)):
        return int(value)
    if isinstance(value, (float, np.floating)):
        return float(value) if math.isfinite(value) else None
    return value if value is None else str(value)


def parameters_document(result: Reconstruction) -> dict[str, object]:
    """Contents of ``<name>_parameters.json``.

    Parameters
    ----------
    result : Reconstruction
        A result.

    Returns
    -------
    dict
        The nine reported parameters as plain numbers in arcsec and radians at the top
        level, then their bounds, units, and what the fit amounts to. Numbers that are
        not finite are None.
    """
    table = result.parameters
    rows = {name: table[name] for name in table.colnames[1:]}
    nine = REPORTED_PARAMETERS.names
    document = {name: rows[name][0].value for name in nine}
    document["bounds"] = {name: row[1:].value for name, row in rows.items()}
    document["units"] = {name: row.unit.to_string() for name, row in rows.items()}
    document["unconstrained"] = table.meta["unconstrained"]
    document["reduced_chi2"] = result.reduced_chi2
    document["arc_reduced_chi2"] = result.arc_reduced_chi2
    document["flags"] = result.flags
    document["lens_light"] = {
        name: row[0].value for name, row in rows.items() if name.startswith("light_")
    }
    document["background"] = result.background
    document["name"] = result.name
    document["lens_model"] = result.lens_model
    document["light_model"] = result.light_model
    document["lens"] = result.lens
    document["theta_E_definition"] = THETA_E_DEFINITION
    document["angle_convention"] = "counter-clockwise from +x on the image"
    document["provenance"] = result.provenance
    return _plain(document)  # type: ignore[return-value]


def _bunit(unit: u.UnitBase) -> str:
    """Unit in the FITS standard's words, or in astropy's where it has none (electron)."""
    try:
        return unit.to_string("fits")
    except ValueError:
        return unit.to_string("generic", fraction=False)


def _image_hdu(
    data: np.ndarray, unit: str, wcs: WCS | None, pixel_scale: float, comment: str
) -> fits.PrimaryHDU:
    header = fits.Header() if wcs is None else wcs.to_header(relax=True)
    header["BUNIT"] = (unit, "unit of the pixel values")
    header["PIXSCALE"] = (pixel_scale, "[arcsec] side of a pixel")
    header["CONTENT"] = comment
    return fits.PrimaryHDU(np.asarray(data, dtype=np.float32), header)


def _write_all(result: Reconstruction, paths: Mapping[str, Path]) -> None:
    from astrorim.plotting import figure_to_png, plot_reconstruction

    observation, grid = result.observation, result.source_grid
    unit = _bunit(result.unit)
    scale = observation.grid.pixel_scale
    source = _image_hdu(
        result.source,
        _bunit(result.source_unit),
        result.source_wcs,
        grid.pixel_scale,
        "reconstructed source",
    )
    source.header["X0"] = (grid.x0, "[arcsec] centre of the array, source plane")
    source.header["Y0"] = (grid.y0, "[arcsec] centre of the array, source plane")
    images = {
        "source": source,
        "forward": _image_hdu(
            result.forward_image, unit, observation.wcs, scale, "image that the fit predicts"
        ),
        "residual": _image_hdu(
            result.residual, unit, observation.wcs, scale, "observation minus forward image"
        ),
    }
    for key, hdu in images.items():
        hdu.header["OBJECT"] = result.name[:60].encode("ascii", "replace").decode()
        hdu.writeto(paths[key])
    text = json.dumps(parameters_document(result), indent=2, allow_nan=False)
    paths["parameters"].write_text(text + "\n", encoding="utf-8")
    paths["diagnostic"].write_bytes(figure_to_png(plot_reconstruction(result)))
    asdf.AsdfFile({"reconstruction": result}).write_to(paths["asdf"])


def write_directory(
    result: Reconstruction, directory: str | PathLike[str], *, overwrite: bool = True
) -> dict[str, Path]:
    """Write the six files of a result; see `Reconstruction.to_directory`."""
    folder = Path(directory)
    finished = output_paths(folder, result.name)
    taken = [path.name for path in finished.values() if path.exists()]
    if taken and not overwrite:
        raise FileExistsError(
            f"{folder} already holds {', '.join(taken)}; pass overwrite=True to replace them"
        )
    folder.mkdir(parents=True, exist_ok=True)
    with temporary_room(folder) as room:
        temporary = {key: room / path.name for key, path in finished.items()}
        _write_all(result, temporary)
        for key, path in finished.items():
            temporary[key].replace(path)
    return finished

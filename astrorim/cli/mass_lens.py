"""The mass files of one lens, complete or not at all, and what they say."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from astrorim.cli.lens_metadata import LensMetadata, check_pixel_scale
from astrorim.cli.origins import file_checksum
from astrorim.exceptions import ObservationError

if TYPE_CHECKING:
    from astropy.cosmology import Cosmology

    from astrorim.results import MassProfile, Reconstruction

__all__ = ["MassOptions", "analyse_lens", "finished", "lens_paths"]

_SUFFIXES = {
    "png": "_mass.png",
    "pdf": "_mass.pdf",
    "maps": "_mass_maps.fits",
    "radial": "_mass_radial.ecsv",
    "angular": "_mass_angular.ecsv",
    "curves": "_critical_curves.ecsv",
    "asdf": "_mass.asdf",
    "document": "_mass.json",
}
_NUM_RADII = 40
_INNERMOST = 0.05
"""Innermost radius of the tables, in units of the effective Einstein radius."""


@dataclass(frozen=True)
class MassOptions:
    """How masses are computed, the same for all lenses.

    Parameters
    ----------
    output_dir : Path
        Where the files go.
    cosmology : `~astropy.cosmology.Cosmology`
        The cosmology.
    mass_sheet : float, optional
        Factor lambda of a mass-sheet transformation.
    overwrite : bool, optional
        Whether finished lenses are done again.
    """

    output_dir: Path
    cosmology: Cosmology
    mass_sheet: float = 1.0
    overwrite: bool = False


def lens_paths(directory: Path, name: str) -> dict[str, Path]:
    """Where the mass files of a lens are written.

    Parameters
    ----------
    directory : Path
        Directory of the results.
    name : str
        Name of the lens.

    Returns
    -------
    dict of str to Path
    """
    from astrorim.results.files import file_stem

    stem = file_stem(name)
    return {key: directory / f"{stem}{suffix}" for key, suffix in _SUFFIXES.items()}


def _request(path: Path, given: LensMetadata, options: MassOptions) -> dict[str, Any]:
    """What the files of a lens depend on."""
    return {
        "reconstruction": path.name,
        "reconstruction_sha256": file_checksum(path),
        "given": asdict(given),
        "cosmology": str(options.cosmology),
        "mass_sheet": options.mass_sheet,
    }


def finished(path: Path, given: LensMetadata, options: MassOptions) -> dict[str, Any] | None:
    """Document of a lens all of whose files are there, made of the same; else None.

    Parameters
    ----------
    path : Path
        The reconstruction.
    given : LensMetadata
        What the table says.
    options : MassOptions
        As given.

    Returns
    -------
    dict or None
    """
    paths = lens_paths(options.output_dir, path.stem)
    if options.overwrite or not all(p.is_file() for p in paths.values()):
        return None
    try:
        document = json.loads(paths["document"].read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return None
    same = isinstance(document, dict) and document.get("request") == _request(
        path, given, options
    )
    return document if same else None


def analyse_lens(path: Path, given: LensMetadata, options: MassOptions) -> dict[str, Any]:
    """Read a reconstruction and write the mass files of its lens.

    Parameters
    ----------
    path : Path
        The reconstruction.
    given : LensMetadata
        What the table says; redshifts that it lacks are the observation's.
    options : MassOptions
        How.

    Returns
    -------
    dict
        What ``<name>_mass.json`` holds.

    Raises
    ------
    ValueError
        If the file holds no reconstruction.
    ObservationError
        If a redshift is missing or wrong, or the pixel scale is another.
    """
    from astrorim.observation.temporary_rooms import temporary_room
    from astrorim.results import MassProfile, Reconstruction

    result = Reconstruction.read(path)
    observation = result.observation
    check_pixel_scale(given.pixel_scale_arcsec, observation.grid.pixel_scale)
    for name, redshift, own in (
        ("z_lens", given.z_lens, observation.z_lens),
        ("z_source", given.z_source, observation.z_source),
    ):
        if redshift is None and own is None:
            raise ObservationError(
                f"{name} is neither in the reconstruction nor given; write a table with the "
                "columns lens_name, z_lens and z_source and pass it as --lens-metadata"
            )
    profile = MassProfile.from_reconstruction(
        result,
        cosmology=options.cosmology,
        z_lens=given.z_lens,
        z_source=given.z_source,
        mass_sheet=options.mass_sheet,
    )
    paths = lens_paths(options.output_dir, path.stem)
    options.output_dir.mkdir(parents=True, exist_ok=True)
    with temporary_room(options.output_dir) as room:
        temporary = {key: room / target.name for key, target in paths.items()}
        document = _write(result, profile, temporary)
        document["request"] = _request(path, given, options)
        text = json.dumps(document, indent=2, allow_nan=False)
        temporary["document"].write_text(text + "\n", encoding="utf-8")
        for key, target in paths.items():
            temporary[key].replace(target)
    return document


def _write(
    result: Reconstruction, profile: MassProfile, paths: Mapping[str, Path]
) -> dict[str, Any]:
    import asdf
    import astropy.units as u
    import numpy as np

    from astrorim.plotting import figure_to_pdf, figure_to_png
    from astrorim.plotting.mass import plot_mass
    from astrorim.results.mass_tables import angular_table, derived_table, radial_table

    radius = profile.einstein_radius.to_value(u.arcsec)
    outermost = max(3 * radius, 0.5 * min(result.observation.grid.field_of_view))
    radii = np.geomspace(_INNERMOST * radius, outermost, _NUM_RADII) * u.arcsec
    radial, angular = radial_table(profile, radii), angular_table(profile)
    derived, curves = derived_table(profile), profile.critical_curves()
    maps = profile.maps(result.observation.grid)
    figure = plot_mass(
        result, profile, radial=radial, angular=angular, derived=derived, curves=curves
    )
    paths["png"].write_bytes(figure_to_png(figure, dpi=150))
    paths["pdf"].write_bytes(figure_to_pdf(figure))
    maps.to_hdus().writeto(paths["maps"])
    points = curves.table()
    for key, table in (("radial", radial), ("angular", angular), ("curves", points)):
        table.meta = {"name": result.name, "cosmology": str(profile.cosmology)}
        table.write(paths[key], format="ascii.ecsv")
    tree = {
        "mass_profile": profile, "mass_maps": maps.tree(), "derived": derived,
        "radial": radial, "angular": angular, "critical_curves": points,
    }  # fmt: skip
    asdf.AsdfFile(tree).write_to(paths["asdf"])
    kinds = [c.kind for c in curves.curves]
    flags = dict(result.flags)
    if "tangential" not in kinds:
        flags["no_critical_curve"] = "the model has no closed tangential critical curve"
    if profile.wcs is None:
        flags["no_sky_frame"] = "the observation has no WCS: angles are those of the image"
    return {
        "name": result.name,
        "lens_model": profile.lens_model,
        "z_lens": profile.z_lens,
        "z_source": profile.z_source,
        "derived": {
            name: {
                "unit": derived[name].unit.to_string(),
                "definition": derived[name].info.description,
                **{
                    row: _plain(v)
                    for row, v in zip(derived["row"], derived[name].value, strict=True)
                },
            }
            for name in derived.colnames[1:]
        },
        "parameters": {
            name: {
                "unit": result.parameters[name].unit.to_string(),
                **{
                    row: _plain(v)
                    for row, v in zip(
                        ("value", "lower", "upper"), result.parameters[name].value, strict=True
                    )
                },
            }
            for name in result.parameters.colnames[1:]
        },
        "num_tangential": kinds.count("tangential"),
        "num_radial": kinds.count("radial"),
        "num_cuts": len(curves.cuts),
        "reduced_chi2": _plain(result.reduced_chi2),
        "arc_reduced_chi2": _plain(result.arc_reduced_chi2),
        "flags": flags,
        "provenance": json.loads(json.dumps(result.provenance, default=str)),
    }


def _plain(value: float) -> float | None:
    return float(value) if math.isfinite(value) else None

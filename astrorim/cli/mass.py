"""``astrorim mass``: Einstein radii and masses of reconstructed lenses."""

from __future__ import annotations

import argparse
import csv
from pathlib import Path
from typing import TYPE_CHECKING, Any

from astrorim.cli.arguments import (
    Subparsers,
    add_command,
    add_output_dir,
    existing_directory,
    positive_number,
)
from astrorim.cli.terminal import LOGGER, progress_bar
from astrorim.exceptions import AstroRIMError

if TYPE_CHECKING:
    from astropy.units import Quantity

__all__ = ["add_parser", "read_redshifts", "run"]


def add_parser(commands: Subparsers) -> None:
    """Add the subcommand to the parser.

    Parameters
    ----------
    commands : object
        What ``add_subparsers`` returned.
    """
    parser = add_command(
        commands,
        "mass",
        run,
        summary="turn reconstructions into masses",
        description=(
            "Compute for each NAME.asdf that `astrorim reconstruct` wrote the effective\n"
            "Einstein radius (arcsec; mean convergence 1 inside, of the whole model), the\n"
            "critical surface density (solar masses per kpc2) and the Einstein mass (solar\n"
            "masses), with 68 % bounds, and write masses.ecsv. Redshifts come from the\n"
            "table, or else from the observation. The mass-sheet degeneracy is not in the\n"
            "bounds."
        ),
        examples=(
            "  astrorim mass --reconstruction-dir results --lens-metadata lenses.csv \\\n"
            "      --output-dir masses --cosmology Planck18\n"
            "a table of redshifts (CSV):\n"
            "  lens_name,z_lens,z_source\n"
            "  J0946,0.222,0.609"
        ),
    )
    parser.add_argument(
        "--reconstruction-dir", type=existing_directory, required=True, metavar="DIR",
        help="what `astrorim reconstruct` wrote",
    )  # fmt: skip
    add_output_dir(parser, "masses.ecsv")
    parser.add_argument(
        "--lens-metadata", type=Path, metavar="CSV",
        help="table with columns lens_name, z_lens, z_source",
    )  # fmt: skip
    parser.add_argument(
        "--cosmology", default="Planck15", metavar="NAME",
        help="cosmology by astropy's name: Planck15 (default), Planck18, WMAP9, ...; "
        "or FlatLambdaCDM with --H0 and --Om0",
    )  # fmt: skip
    parser.add_argument("--H0", type=positive_number, help="Hubble constant, km/s/Mpc")
    parser.add_argument("--Om0", type=positive_number, help="matter density today")


def read_redshifts(path: Path) -> dict[str, tuple[float | None, float | None]]:
    """Read redshifts by the name of the lens.

    Parameters
    ----------
    path : Path
        CSV with the columns lens_name (or name), z_lens and z_source; others are ignored.

    Returns
    -------
    dict of str to tuple
        Redshifts of lens and source; None where a cell is empty.

    Raises
    ------
    ValueError
        If a column is missing or a redshift is not a number.
    """
    with path.open(newline="", encoding="utf-8-sig") as file:
        reader = csv.DictReader(file, skipinitialspace=True)
        columns = reader.fieldnames or []
        key = "lens_name" if "lens_name" in columns else "name"
        missing = [name for name in (key, "z_lens", "z_source") if name not in columns]
        if missing:
            raise ValueError(
                f"{path} must have the columns lens_name, z_lens and z_source, got "
                f"{', '.join(columns) or 'none'}"
            )
        rows = list(reader)
    found = {}
    for row in rows:
        try:
            pair = [
                float(row[n]) if (row[n] or "").strip() else None
                for n in ("z_lens", "z_source")
            ]
        except ValueError as error:
            raise ValueError(f"redshifts of {row[key]!r} in {path}: {error}") from error
        found[row[key].strip()] = (pair[0], pair[1])
    return found


def run(args: argparse.Namespace) -> int:
    """Compute the masses.

    Parameters
    ----------
    args : argparse.Namespace
        As `add_parser` declares.

    Returns
    -------
    int
        1 if a lens failed.

    Raises
    ------
    ValueError
        If the folder holds no reconstruction.
    """
    from astropy.table import QTable

    from astrorim.cosmology import resolve_cosmology
    from astrorim.observation.unified_io import replacing

    cosmology = resolve_cosmology(args.cosmology, H0=args.H0, Om0=args.Om0)
    redshifts = read_redshifts(args.lens_metadata) if args.lens_metadata else {}
    files = sorted(args.reconstruction_dir.glob("*.asdf"))
    if not files:
        raise ValueError(
            f"--reconstruction-dir must hold NAME.asdf files, found none in "
            f"{args.reconstruction_dir}"
        )
    rows: list[dict[str, Any]] = []
    failed = 0
    with progress_bar(len(files), "lens") as bar:
        for path in files:
            try:
                rows.append(_row(path, redshifts, cosmology))
            except (AstroRIMError, ValueError, OSError) as error:
                LOGGER.error("%s: %s", path.stem, args.explain(error))
                failed += 1
            bar.update()
    args.output_dir.mkdir(parents=True, exist_ok=True)
    target = args.output_dir / "masses.ecsv"
    if rows:
        table = QTable(rows=rows, meta={"cosmology": str(cosmology.name or cosmology)})
        with replacing(target, overwrite=True) as temporary:
            table.write(temporary, format="ascii.ecsv")
        print("\n".join(table.pformat(max_lines=-1, max_width=-1)))
        print(target)
    return int(failed > 0)


def _row(
    path: Path, redshifts: dict[str, tuple[float | None, float | None]], cosmology: Any
) -> dict[str, Any]:
    from astrorim.results import MassProfile, Reconstruction

    result = Reconstruction.read(path)
    z_lens, z_source = redshifts.get(result.name, redshifts.get(path.stem, (None, None)))
    profile = MassProfile.from_reconstruction(
        result, cosmology=cosmology, z_lens=z_lens, z_source=z_source
    )
    row: dict[str, Any] = {
        "name": result.name,
        "z_lens": profile.z_lens,
        "z_source": profile.z_source,
    }
    row |= _with_bounds("einstein_radius", profile)
    row["critical_surface_density"] = profile.critical_surface_density
    row |= _with_bounds("einstein_mass", profile)
    return row


def _with_bounds(name: str, profile: Any) -> dict[str, Quantity]:
    lower, upper = getattr(profile, f"{name}_bounds")
    return {name: getattr(profile, name), f"{name}_lower": lower, f"{name}_upper": upper}

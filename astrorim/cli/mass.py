"""``astrorim mass``: Einstein radii and masses of reconstructed lenses."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import TYPE_CHECKING, Any

from astrorim.cli.arguments import (
    Subparsers,
    add_command,
    add_output_dir,
    existing_directory,
    positive_number,
)
from astrorim.cli.file_run import FINISHED, FileRun, FileStatus
from astrorim.cli.lens_metadata import LensMetadata, read_lens_metadata
from astrorim.cli.terminal import LOGGER

if TYPE_CHECKING:
    from astrorim.cli.mass_lens import MassOptions

__all__ = ["add_parser", "run"]


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
            "Compute for each NAME.asdf that `astrorim reconstruct` wrote Einstein radii\n"
            "(arcsec, by the name of their definition), the Einstein mass (solar masses), the\n"
            "critical surface density (solar masses per kpc2), convergence, mass and shape\n"
            "against radius (arcsec, kpc) and angle, maps, and all critical curves and\n"
            "caustics (arcsec), with 68 % bounds from the posterior\n"
            "samples. The output directory receives NAME_mass.png and .pdf (six panels),\n"
            "NAME_mass_maps.fits, NAME_mass_radial.ecsv, NAME_mass_angular.ecsv,\n"
            "NAME_critical_curves.ecsv, NAME_mass.asdf with everything and NAME_mass.json;\n"
            "masses.ecsv, mass_status.ecsv and report.html are about all lenses. Lenses that\n"
            "are finished are skipped when the command is given again; those that fail do not\n"
            "stop the others. Redshifts come from the table, or else from the observation.\n"
            "The mass-sheet degeneracy is not in the bounds: see --mass-sheet."
        ),
        examples=(
            "  astrorim mass --reconstruction-dir results --lens-metadata lenses.csv \\\n"
            "      --output-dir masses --cosmology Planck18\n"
            "a table of redshifts (CSV):\n"
            "  lens_name,z_lens,z_source,pixel_scale_arcsec\n"
            "  J0946,0.222,0.609,0.05"
        ),
    )
    parser.add_argument(
        "--reconstruction-dir", type=existing_directory, required=True, metavar="DIR",
        help="what `astrorim reconstruct` wrote",
    )  # fmt: skip
    add_output_dir(
        parser, "the files of each lens, masses.ecsv and report.html", again="lenses"
    )
    parser.add_argument(
        "--lens-metadata", type=Path, metavar="CSV",
        help="table with columns lens_name, z_lens, z_source and, to be checked against the "
        "reconstruction's, pixel_scale_arcsec",
    )  # fmt: skip
    parser.add_argument(
        "--cosmology", default="Planck15", metavar="NAME",
        help="cosmology by astropy's name: Planck15 (default), Planck18, WMAP9, ...; "
        "or FlatLambdaCDM with --H0 and --Om0",
    )  # fmt: skip
    parser.add_argument("--H0", type=positive_number, help="Hubble constant, km/s/Mpc")
    parser.add_argument("--Om0", type=positive_number, help="matter density today")
    parser.add_argument(
        "--mass-sheet", type=positive_number, default=1.0, metavar="LAMBDA",
        help="mass-sheet transformation: kappa becomes LAMBDA kappa + 1 - LAMBDA, which "
        "changes neither image nor Einstein radius (default: 1, none)",
    )  # fmt: skip


def run(args: argparse.Namespace) -> int:
    """Compute the masses.

    Parameters
    ----------
    args : argparse.Namespace
        As `add_parser` declares.

    Returns
    -------
    int
        1 if a lens failed, 3 if the program did.

    Raises
    ------
    ValueError
        If the folder holds no reconstruction.
    """
    from astrorim.cli.mass_lens import MassOptions, analyse_lens, finished
    from astrorim.cosmology import resolve_cosmology
    from astrorim.results.files import file_stem

    cosmology = resolve_cosmology(args.cosmology, H0=args.H0, Om0=args.Om0)
    table = read_lens_metadata(args.lens_metadata) if args.lens_metadata else {}
    metadata = {file_stem(name): row for name, row in table.items()}
    files = sorted(args.reconstruction_dir.glob("*.asdf"))
    files = [path for path in files if not path.name.endswith("_mass.asdf")]
    if not files:
        raise ValueError(
            f"--reconstruction-dir must hold NAME.asdf files, found none in "
            f"{args.reconstruction_dir}"
        )
    unmatched = sorted(set(metadata) - {path.stem for path in files})
    if unmatched:
        LOGGER.warning(
            "rows of %s that no NAME.asdf goes with: %s",
            args.lens_metadata,
            ", ".join(unmatched),
        )
    options = MassOptions(args.output_dir, cosmology, args.mass_sheet, args.overwrite)
    documents: dict[str, dict[str, Any]] = {}
    run = FileRun(args.output_dir / "mass_status.ecsv", FileStatus, total=len(files))
    try:
        with run:
            for path in files:
                row = FileStatus(path.stem)
                given = metadata.get(path.stem, LensMetadata())
                with run.isolated(row):
                    document = finished(path, given, options)
                    if document is not None:
                        row.status, row.reason = "skipped", FINISHED
                    documents[path.stem] = document or analyse_lens(path, given, options)
                run.add(row)
    finally:
        failures = {row.name: row.reason for row in run.rows if not row.done}
        _write_run(args.output_dir, documents, failures, options)
    _print_masses(args.output_dir, documents)
    return run.finish("analysed", args.output_dir / "report.html")


def _write_run(
    directory: Path,
    documents: dict[str, dict[str, Any]],
    failures: dict[str, str],
    options: MassOptions,
) -> None:
    """Tables of all lenses and the report, also of a run that was interrupted."""
    import sys

    import astropy.units as u
    from astropy.table import QTable

    from astrorim import __version__
    from astrorim.cli.mass_report import mass_report
    from astrorim.observation.unified_io import replacing

    name = str(options.cosmology.name or options.cosmology)
    if documents:
        rows: list[dict[str, Any]] = []
        for document in documents.values():
            row = {key: document[key] for key in ("name", "z_lens", "z_source")}
            for quantity, entry in document["derived"].items():
                for suffix, key in (("", "value"), ("_lower", "lower"), ("_upper", "upper")):
                    if quantity == "critical_surface_density" and suffix:
                        continue
                    number = float("nan") if entry[key] is None else entry[key]
                    row[quantity + suffix] = number * u.Unit(entry["unit"])
            row["flags"] = " ".join(document["flags"])
            rows.append(row)
        table = QTable(rows=rows, meta={"cosmology": name, "mass_sheet": options.mass_sheet})
        with replacing(directory / "masses.ecsv", overwrite=True) as temporary:
            table.write(temporary, format="ascii.ecsv")
    provenance = {
        "astrorim": __version__,
        "command": " ".join(["astrorim", *sys.argv[1:]]),
        "cosmology": str(options.cosmology),
        "mass sheet lambda": f"{options.mass_sheet:g}",
    }
    with replacing(directory / "report.html", overwrite=True) as temporary:
        page = mass_report(documents, failures, provenance)
        temporary.write_text(page, encoding="utf-8")


def _print_masses(directory: Path, documents: dict[str, dict[str, Any]]) -> None:
    for document in documents.values():
        radius, mass = (
            document["derived"][key] for key in ("einstein_radius", "einstein_mass")
        )
        print(
            f"{document['name']}: effective Einstein radius {radius['value']:.4f} arcsec, "
            f"Einstein mass {mass['value']:.4g} solMass"
        )
    if documents:
        print(directory / "masses.ecsv")

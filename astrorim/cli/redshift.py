"""``astrorim redshift``: redshifts of lens and source from a spectrum."""

from __future__ import annotations

import argparse
from dataclasses import replace
from pathlib import Path

from astrorim.cli.arguments import Subparsers, add_command, add_output_file, positive_number

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
        "redshift",
        run,
        summary="measure redshifts of lens and source on a spectrum",
        description=(
            "Find the redshift of an early-type lens by its absorption lines, and that of the\n"
            "source behind it by its emission lines, in one blended spectrum; each with a\n"
            "standard deviation, the second-best redshift and flags that say why it is not\n"
            "to be relied on. Wavelengths in angstrom are taken to vacuum. The exit status is\n"
            "1 unless lens and source (with --z-lens: the source) are found without a flag."
        ),
        examples=(
            "  astrorim redshift spectrum.fits --output redshifts.ecsv\n"
            "  astrorim redshift spectrum.ecsv --medium air --z-lens 0.222 --figure fit.png"
        ),
    )
    parser.add_argument(
        "spectrum", metavar="SPECTRUM",
        help="FITS, ECSV or another file that specutils reads, with flux and uncertainty",
    )  # fmt: skip
    parser.add_argument(
        "--format", metavar="NAME", help="specutils' name of the format, if not recognised"
    )
    parser.add_argument(
        "--medium", choices=("vacuum", "air"),
        help="what the wavelengths are measured in, if the file does not say it",
    )  # fmt: skip
    parser.add_argument(
        "--z-lens", type=positive_number, metavar="Z", help="redshift of the lens, if known"
    )
    for role, limits in (("lens", "0.005 1.3"), ("source", "0.01 2.5")):
        parser.add_argument(
            f"--{role}-limits", type=positive_number, nargs=2, metavar=("LOW", "HIGH"),
            help=f"redshifts to search for the {role} (default: {limits})",
        )  # fmt: skip
    add_output_file(parser, "ECSV", "table", required=False)
    parser.add_argument(
        "--figure", type=Path, metavar="PNG", help="figure of the spectrum to write"
    )


def run(args: argparse.Namespace) -> int:
    """Measure and print.

    Parameters
    ----------
    args : argparse.Namespace
        As `add_parser` declares.

    Returns
    -------
    int
        1 if a redshift was not found, or is flagged.
    """
    from astrorim.observation.unified_io import replacing
    from astrorim.spectra import (
        RedshiftOptions,
        measure_redshifts,
        prepare_spectrum,
        read_spectrum,
    )

    options = RedshiftOptions()
    if args.lens_limits:
        options = replace(options, lens_limits=tuple(args.lens_limits))
    if args.source_limits:
        options = replace(options, source_limits=tuple(args.source_limits))
    spectrum = prepare_spectrum(
        read_spectrum(args.spectrum, format=args.format), medium=args.medium
    )
    found = measure_redshifts(spectrum, z_lens=args.z_lens, options=options)
    if args.z_lens is not None:
        print(f"z_lens    {args.z_lens:g} (given)")
    else:
        print(f"z_lens    {found.lens}")
    print(f"z_source  {found.source or 'not found: no emission behind the lens'}")
    for other in found.others:
        if other.reliable:
            print(f"also      {other}, not behind the lens or weaker")
    for role, estimate in (("lens", found.lens), ("source", found.source)):
        if estimate is None:
            continue
        print(f"\nfeatures of the {role} at z = {estimate.redshift:.5f}")
        print("  feature     observed (Angstrom)  strength  significance")
        for f in estimate.features:
            print(
                f"  {f.name:<10}  {f.observed_wavelength:19.1f}  {f.strength:8.3g}  "
                f"{f.significance:12.1f}"
            )
    if found.noise_scale > 1.2 or spectrum.noise_measured:
        how = "measured on the spectrum" if spectrum.noise_measured else "that of the file"
        print(f"\nnoise: {how}, raised by {found.noise_scale:.2f} to the residual's scatter")
    if args.output is not None:
        with replacing(args.output, overwrite=args.overwrite) as temporary:
            found.table().write(temporary, format="ascii.ecsv")
        print(args.output)
    if args.figure is not None:
        from astrorim.plotting.spectrum import draw_redshifts

        figure = draw_redshifts(spectrum, found, title=Path(args.spectrum).stem)
        with replacing(args.figure, overwrite=args.overwrite) as temporary:
            figure.savefig(temporary)
        print(args.figure)
    lens_known = args.z_lens is not None or (found.lens is not None and found.lens.reliable)
    return int(not (lens_known and found.source is not None and found.source.reliable))

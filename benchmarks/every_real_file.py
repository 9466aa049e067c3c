r"""Take every FITS file of a folder of real data from the telescope to solar masses.

Each image goes through ``astrorim prepare``, ``reconstruct --refine map`` and ``mass`` with no
option but those that its description makes necessary: a unit or a pixel scale that no header
has, the noise map, PSF or mask that lies beside it, redshifts. Files that are no lenses, and
images with no option at all, show what is refused and in which words. Finished files are
skipped when the script is given again. Run from the top of the checkout::

    OMP_NUM_THREADS=1 python benchmarks/every_real_file.py FOLDER --output-dir DIR
"""

from __future__ import annotations

import argparse
import contextlib
import io
import json
import time
from dataclasses import dataclass
from fnmatch import fnmatch
from pathlib import Path
from typing import Any

import numpy as np
import torch
from astropy.io import fits
from astropy.table import Table
from list_table import list_table

from astrorim import __version__
from astrorim.cli.main import main as astrorim
from astrorim.plugins import load_plugins

_ACS = ("--unit", "electron/s", "--pixel-scale", "0.05 arcsec")


@dataclass(frozen=True)
class Rule:
    """What an image needs.

    Parameters
    ----------
    pattern : str
        Of its path in the folder.
    options : tuple of str, optional
        Of ``astrorim prepare``.
    beside : dict of str to str, optional
        Options and the files beside the image that they take.
    psf : str, optional
        Where the PSF comes from otherwise; see `_psf`.
    redshifts : tuple of float, optional
        Of lens and source, where its description has them.
    """

    pattern: str
    options: tuple[str, ...] = ()
    beside: tuple[tuple[str, str], ...] = ()
    psf: str = ""
    redshifts: tuple[float, float] | None = None


_PAIR = (("--noise", "noise_map.fits"), ("--psf", "psf.fits"))

RULES = (
    Rule("slacs/*/image.fits", _ACS, (("--noise", "noise.fits"), ("--psf", "psf.fits"))),
    Rule(
        "other/jackpot_f814w/data.fits", _ACS,
        (*_PAIR, ("--mask", "mask_extra_galaxies.fits")), redshifts=(0.222, 0.609),
    ),
    Rule(
        "other/cosmos_web_ring_f277w/data.fits",
        ("--unit", "MJy/sr", "--pixel-scale", "0.06 arcsec"), _PAIR, redshifts=(2.02, 5.104),
    ),
    Rule("other/euclid_q1/euclid_102018665.fits", ("--unit", "adu", "--band", "all")),
    Rule(
        "other/euclid_q1/*_vis_cutout.fits",
        ("--unit", "adu", "--pixel-scale", "0.1 arcsec"),
        psf="other/euclid_q1/euclid_102018665.fits[VIS_PSF]",
    ),
    Rule("other/hst_drizzled_wcs/SDSSJ0029*", psf="slacs/J0029-0055/psf.fits",
         redshifts=(0.2270, 0.9313)),
    Rule("other/hst_drizzled_wcs/SDSSJ0956*", psf="slacs/J0956+5100/psf.fits",
         redshifts=(0.2405, 0.4699)),
    Rule("other/hst_cosmic_rays/SDSS*", ("--cosmic-rays",),
         psf="other/hst_cosmic_rays/tinytim_ACS.fits"),
    Rule("other/cfht_sw05/?.fits", ("--unit", "adu"), psf="seeing"),
    Rule("third_party_mocks/simple/data.fits",
         ("--unit", "electron/s", "--pixel-scale", "0.1 arcsec"), _PAIR, redshifts=(0.5, 1.0)),
    Rule("third_party_mocks/source_complex/data.fits", _ACS, _PAIR, redshifts=(0.5, 1.0)),
)  # fmt: skip
"""What the data's description makes necessary, by file."""

COMPANIONS = ("*/noise.fits", "*/noise_map.fits", "*/psf.fits", "*/mask_extra_galaxies.fits")
"""Files that go with an image."""

REFUSED = {
    "galaxies/*images*": ("--unit", "ct/s", "--pixel-scale", "0.03 arcsec"),
    "galaxies/*catalog*": (),
    "*/tinytim_ACS.fits": ("--unit", "electron/s", "--pixel-scale", "0.0495 arcsec"),
    "*/psf.fits": _ACS,
}
"""Files that are no image of a lens, and options that leave no other reason to refuse."""


def main() -> None:
    """Do all, write the table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--output-dir", type=Path, required=True)
    parser.add_argument("--only", default="*", help="pattern of paths in the folder")
    parser.add_argument("--prepare-only", action="store_true", help="reconstruct nothing")
    args = parser.parse_args()
    rows: list[dict[str, Any]] = []
    for path in sorted(args.folder.rglob("*.fits")):
        name = path.relative_to(args.folder).as_posix()
        if fnmatch(name, args.only):
            rows += _finished_or_new(
                args.folder, name, args.output_dir, prepare_only=args.prepare_only
            )
    Table([{key: row.get(key, "") for key in _COLUMNS} for row in rows]).write(
        args.output_dir / "every_file.ecsv", format="ascii.ecsv", overwrite=True
    )
    (args.output_dir / "every_file.txt").write_text(_text(rows), encoding="utf-8")
    (args.output_dir / "every_file.inc").write_text(_page(rows), encoding="utf-8")
    print(_text(rows))


_COLUMNS = (
    "file", "prepare", "prepare_says", "theta_E", "theta_E_lower", "theta_E_upper",
    "reduced_chi2", "arc_reduced_chi2", "flags", "seconds", "reconstruct_says",
    "einstein_mass", "einstein_mass_lower", "einstein_mass_upper", "mass_says",
)  # fmt: skip


def _finished_or_new(
    folder: Path, name: str, output_dir: Path, *, prepare_only: bool
) -> list[dict[str, Any]]:
    room = output_dir / name.removesuffix(".fits").replace("/", "_")
    done = room / "rows.json"
    if done.is_file():
        return list(json.loads(done.read_text(encoding="utf-8")))
    room.mkdir(parents=True, exist_ok=True)
    rows = _file(folder, name, room, prepare_only=prepare_only)
    if prepare_only:
        print(_text(rows), end="", flush=True)
        return rows
    unfinished = done.with_suffix(".part")
    unfinished.write_text(json.dumps(rows, indent=1), encoding="utf-8")
    unfinished.replace(done)
    for row in rows:
        print(row, flush=True)
    return rows


def _file(folder: Path, name: str, room: Path, *, prepare_only: bool) -> list[dict[str, Any]]:
    for pattern, options in REFUSED.items():
        if fnmatch(name, pattern):
            _, says = _run("prepare", folder / name, *options, "--output-dir", room / "refused")
            status = _table(room / "refused" / "prepared.ecsv")[0]["status"]
            verb = "refused" if status == "failed" else "ACCEPTED"
            return [{"file": name, "prepare": verb, "prepare_says": says}]
    rule = next((r for r in RULES if fnmatch(name, r.pattern)), None)
    if rule is None:
        known = any(fnmatch(name, pattern) for pattern in COMPANIONS)
        words = "goes with the image beside it" if known else "NO RULE"
        return [{"file": name, "prepare": words}]
    _, bare = _run("prepare", folder / name, "--output-dir", room / "bare")
    options = list(rule.options)
    for option, file in rule.beside:
        options += [option, (folder / name).parent / file]
    if rule.psf:
        options += ["--psf", _psf(rule.psf, folder, folder / name, room)]
    redshifts = rule.redshifts or _published_redshifts(folder, name)
    if redshifts is not None:
        options += ["--z-lens", redshifts[0], "--z-source", redshifts[1]]
    _, says = _run(
        "prepare", folder / name, *options, "--output-dir", room / "prepared", "--figure",
        "--overwrite",
    )  # fmt: skip
    (room / "prepare.txt").write_text(f"without options: {bare}\nwith: {says}\n", "utf-8")
    rows = []
    for prepared in _table(room / "prepared" / "prepared.ecsv"):
        row = {"file": name, "prepare": str(prepared["status"])}
        row["prepare_says"] = str(prepared["reason"] or prepared["advice"])
        if prepared["status"] != "failed":
            if len(prepared["name"]) > len(Path(name).stem):
                row["file"] += f"[{str(prepared['name']).removeprefix(Path(name).stem + '_')}]"
            if not prepare_only:
                row |= _measure(room / "prepared" / f"{prepared['name']}.fits", room)
        rows.append(row)
    return rows


def _measure(prepared: Path, room: Path) -> dict[str, Any]:
    """Reconstruct a prepared image, and weigh its lens."""
    out = room / prepared.stem
    began = time.perf_counter()
    _, says = _run("reconstruct", prepared, "--refine", "map", "--output-dir", out)
    row: dict[str, Any] = {"seconds": time.perf_counter() - began}
    (status,) = _table(out / "status.ecsv")
    if status["status"] == "failed":
        return row | {"reconstruct_says": says}
    for key in ("theta_E", "theta_E_lower", "theta_E_upper"):
        row[key] = float(getattr(status[key], "value", status[key]))
    row |= {k: float(status[k]) for k in ("reduced_chi2", "arc_reduced_chi2")}
    row["flags"] = str(status["flags"])
    code, says = _run("mass", "--reconstruction-dir", out, "--output-dir", out / "mass")
    if code:
        return row | {"mass_says": says}
    document = json.loads((out / "mass" / f"{prepared.stem}_mass.json").read_text("utf-8"))
    mass = document["derived"]["einstein_mass"]
    for suffix, key in (("", "value"), ("_lower", "lower"), ("_upper", "upper")):
        row[f"einstein_mass{suffix}"] = mass[key]
    return row


def _run(*words: object) -> tuple[int, str]:
    """Exit status of a command, and what it says was wrong."""
    messages = io.StringIO()
    with contextlib.redirect_stdout(io.StringIO()), contextlib.redirect_stderr(messages):
        try:
            code = astrorim([str(word) for word in words])
        except SystemExit as leaving:
            code = int(leaving.code or 0)
    said = [line for line in messages.getvalue().splitlines() if "error: " in line]
    return code, " | ".join(line.split("error: ", 1)[1] for line in said)


def _table(path: Path) -> Table:
    return Table.read(path, format="ascii.ecsv")


def _published_redshifts(folder: Path, name: str) -> tuple[float, float] | None:
    path = (folder / name).parent.parent / "published.csv"
    if not path.is_file():
        return None
    lens = Path(name).parent.name
    row = next(row for row in Table.read(path) if row["name"] == lens)
    return float(row["z_lens"]), float(row["z_src"])


def _psf(source: str, folder: Path, image: Path, room: Path) -> Path:
    """PSF as a file: another image's, cut to an odd side, or a Moffat as the seeing."""
    path, _, hdu = source.partition("[")
    if source == "seeing":
        fwhm = float(fits.getheader(image)["FINALIQ"])
        scale = torch.tensor([0.1857], dtype=torch.float64)
        params = {"fwhm": fwhm, "beta": 3.0, "ellipticity": 0.0, "angle": 0.0}
        tensors = {k: torch.tensor([v], dtype=torch.float64) for k, v in params.items()}
        size = 2 * round(2.5 * fwhm / 0.1857) + 1
        stamp = load_plugins().psfs.create("moffat").kernel(scale, size, tensors)[0].numpy()
    elif hdu:
        stamp = fits.getdata(folder / path, hdu.removesuffix("]"))
    else:
        stamp = fits.getdata(folder / path)
    if stamp.shape[0] % 2 == 0:  # as the refusal of an even stamp advises
        row, column = np.unravel_index(np.argmax(stamp), stamp.shape)
        half = min(row, column, stamp.shape[0] - 1 - row, stamp.shape[1] - 1 - column)
        stamp = stamp[row - half : row + half + 1, column - half : column + half + 1]
    target = room / "psf_used.fits"
    fits.writeto(target, np.asarray(stamp, dtype="f4"), overwrite=True)
    return target


def _text(rows: list[dict[str, Any]]) -> str:
    lines = []
    for row in rows:
        words = [f"{row['file']:<48} {row['prepare']}"]
        if "theta_E" in row:
            error = 0.5 * (row["theta_E_upper"] - row["theta_E_lower"])
            words.append(
                f"theta_E {row['theta_E']:.4f} +- {error:.4f}  chi2 {row['reduced_chi2']:.2f} "
                f"arc {row['arc_reduced_chi2']:.2f}  {row['seconds']:.0f} s  {row['flags']}"
            )
        if row.get("einstein_mass") is not None:
            error = 0.5 * (row["einstein_mass_upper"] - row["einstein_mass_lower"])
            words.append(f"M_E {row['einstein_mass']:.4g} +- {error:.2g} solMass")
        says = ("prepare_says", "reconstruct_says", "mass_says")
        words += [row[key] for key in says if row.get(key)]
        lines.append("; ".join(words))
    return "\n".join(lines) + "\n"


def _page(rows: list[dict[str, Any]]) -> str:
    """The images, and the reasons of the refusals, as reStructuredText."""
    number = sum(row["prepare"] == "refused" for row in rows)
    beside = sum(row["prepare"].startswith("goes with") for row in rows)
    summary = (
        f"Written on {time.strftime('%Y-%m-%d')} by AstroRIM {__version__} with "
        f"``benchmarks/every_real_file.py``, one thread. Of {len(rows)} images and other "
        f"files {number} are refused and {beside} go with an image beside them."
    )
    heads = (
        "image", "Einstein radius", "Einstein mass, :math:`10^{11} M_\\odot`", "arc chi-square",
        "seconds", "flags",
    )  # fmt: skip
    images = [row for row in rows if "theta_E" in row]
    table = list_table([heads, *(_cells(row) for row in images)])
    lines = [summary, "", *table, "", "Refused:", ""]
    lines += [
        f"* ``{row['file']}``: {row['prepare_says'].partition(': ')[2].replace('*', '')}"
        for row in rows
        if row["prepare"] == "refused" and not row["file"].endswith("psf.fits")
    ]
    stamps = sum(row["file"].endswith("psf.fits") for row in rows)
    lines.append(f"* {stamps} stamps of PSFs, given as an image: each is said to be one.")
    return "\n".join(lines) + "\n"


def _cells(row: dict[str, Any]) -> tuple[str, ...]:
    error = 0.5 * (row["theta_E_upper"] - row["theta_E_lower"])
    mass = ""
    if row.get("einstein_mass") is not None:
        spread = 0.5 * (row["einstein_mass_upper"] - row["einstein_mass_lower"])
        mass = f"{row['einstein_mass'] / 1e11:.3f} ± {spread / 1e11:.3f}"
    arc = row["arc_reduced_chi2"]
    return (
        f"``{row['file']}``",
        f'{row["theta_E"]:.4f} ± {error:.4f}"',
        mass,
        f"{arc:.2f}" if np.isfinite(arc) else "",
        f"{row['seconds']:.0f}",
        row["flags"],
    )


if __name__ == "__main__":
    main()

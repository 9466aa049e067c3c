r"""Reconstruct a lens from its image in a line of a cube, and from a direct image.

A simulated lens is observed twice: directly, with the light of the lens galaxy, and by an
integral-field spectrograph, where the arcs are a Gaussian emission line and the lens galaxy
is a continuum with a slope. The channels have the noise that gives the line image the direct
image's. ``astrorim line-image`` takes the lens galaxy off; ``astrorim reconstruct --refine
map`` fits both. Run from the top of the checkout::

    OMP_NUM_THREADS=1 python benchmarks/line_image.py DIR --index 2
"""

from __future__ import annotations

import argparse
import subprocess
import sys
from pathlib import Path

import numpy as np
from astropy.io import fits
from astropy.table import QTable
from astropy.wcs import WCS

from astrorim import LensObservation
from astrorim.plugins import load_plugins
from astrorim.spectra import observed_wavelength

_REDSHIFTS = (0.5, 1.0)
_STEP, _SIGMA = 1.25, 3.0  # angstrom: a channel, and the line
_SIDE = 80


def main() -> None:
    """Simulate, reconstruct both, print both beside the truth."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--index", type=int, default=2, help="which foundation lens")
    args = parser.parse_args()
    args.folder.mkdir(parents=True, exist_ok=True)
    simulator = load_plugins().simulators.create("foundation")
    lenses = simulator.simulate(1, seed=10**9, start=args.index, shape=(_SIDE, _SIDE))
    _write(lenses, args.folder)
    _run("line-image", args.folder / "cube.fits", "--line", "[O II]",
         "--z-lens", _REDSHIFTS[0], "--z-source", _REDSHIFTS[1], "--half-width", "300 km/s",
         "--psf", args.folder / "psf.fits", "--output", args.folder / "line.fits",
         "--overwrite")  # fmt: skip
    truth = float(lenses.lens["theta_E"][0])
    print(f"truth                    theta_E {truth:.4f}")
    for name in ("direct", "line"):
        out = args.folder / f"{name}_result"
        _run("reconstruct", args.folder / f"{name}.fits", "--refine", "map",
             "--output-dir", out, "--overwrite")  # fmt: skip
        (row,) = QTable.read(out / "status.ecsv")
        value, lower, upper = (
            row[key].value for key in ("theta_E", "theta_E_lower", "theta_E_upper")
        )
        print(
            f"{name:<8} {row['status']:<6}  theta_E {value:.4f} (+{upper - value:.4f} "
            f"-{value - lower:.4f}), {100 * (value / truth - 1):+.2f} %, chi2 "
            f"{row['reduced_chi2']:.2f}, arcs {row['arc_reduced_chi2']:.2f}, "
            f"{row['seconds'].value:.0f} s, {row['flags'] or 'no flags'}"
        )


def _write(lenses: object, folder: Path) -> None:
    """Direct image, PSF and cube."""
    noise, psf = lenses.noise[0].numpy(), lenses.psf[0].numpy()
    light = lenses.lens_light[0].numpy()
    arcs = lenses.noise_free[0].numpy() - light
    scale = float(lenses.pixel_scale[0])
    k = lenses.psf_supersampling
    if k > 1:  # of detector pixels, as a cube's is
        edge = (-psf.shape[0] // 2) % k
        psf = np.pad(psf, edge)
        half = psf.shape[0] // 2
        rows = (np.arange(psf.shape[0]) - half + k // 2) // k
        binned = np.zeros((rows.max() - rows.min() + 1,) * 2)
        np.add.at(binned, np.ix_(rows - rows.min(), rows - rows.min()), psf)
        psf = binned
    fits.writeto(folder / "psf.fits", (psf / psf.sum()).astype("f4"), overwrite=True)
    rng = np.random.default_rng(7)
    wcs = WCS(naxis=3)
    wcs.wcs.ctype = "RA---TAN", "DEC--TAN", "WAVE"
    wcs.wcs.cunit = "deg", "deg", "Angstrom"
    line = observed_wavelength("[O II]", _REDSHIFTS[1]).to_value("AA")
    number = 160
    wcs.wcs.crval = 150.0, 2.0, line - _STEP * number / 2
    wcs.wcs.crpix = (_SIDE + 1) / 2, (_SIDE + 1) / 2, 1
    wcs.wcs.cdelt = -scale / 3600, scale / 3600, _STEP
    direct = LensObservation(
        arcs + light + rng.normal(0, noise), unit="adu", uncertainty=noise, psf=psf,
        wcs=wcs.celestial, z_lens=_REDSHIFTS[0], z_source=_REDSHIFTS[1],
    )  # fmt: skip
    direct.write(folder / "direct.fits", format="fits", overwrite=True)
    wavelength = wcs.wcs.crval[2] + _STEP * np.arange(number)
    profile = np.exp(-0.5 * ((wavelength - line) / _SIGMA) ** 2)
    profile /= profile.sum() * _STEP
    continuum = (1 + 2e-4 * (wavelength - line)) / 100
    channels = 2 * 300 / 299792.458 * line / _STEP
    sigma = noise / (np.sqrt(channels) * _STEP)
    cube = arcs * profile[:, None, None] + light * continuum[:, None, None]
    cube += rng.normal(0, np.broadcast_to(sigma, cube.shape))
    header = wcs.to_header()
    header["BUNIT"] = "10**(-20)*erg/s/cm**2/Angstrom"
    variance = np.broadcast_to(sigma**2, cube.shape).astype("f4")
    fits.HDUList(
        [
            fits.PrimaryHDU(),
            fits.ImageHDU(cube.astype("f4"), header, name="DATA"),
            fits.ImageHDU(variance, name="STAT"),
        ]
    ).writeto(folder / "cube.fits", overwrite=True)


def _run(*words: object) -> None:
    code = "import sys; from astrorim.cli.main import main; sys.exit(main())"
    subprocess.run([sys.executable, "-c", code, *map(str, words)], check=True)


if __name__ == "__main__":
    main()

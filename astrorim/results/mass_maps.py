"""Maps of convergence, potential, shear and magnification, with their sky frame."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

import astropy.units as u
import numpy as np
from astropy.io import fits

from astrorim.results.critical_curves import HOLE
from astrorim.results.files import write_asdf
from astrorim.results.lens_fields import lens_centres, lens_fields, potential

if TYPE_CHECKING:
    from os import PathLike
    from pathlib import Path

    from astropy.wcs import WCS

    from astrorim.grid import SourceGrid
    from astrorim.interfaces import LensModel

__all__ = ["MassMaps", "make_maps"]

_NAMES = ("convergence", "potential", "shear1", "shear2", "magnification")


@dataclass(frozen=True)
class MassMaps:
    """What a lens does at the centres of pixels.

    Pixels whose centre lies within `~astrorim.results.critical_curves.HOLE` of the centre
    of a component, where a profile may be singular, are NaN but in the potential.

    Parameters
    ----------
    convergence, shear1, shear2, magnification : ndarray, (H, W), dimensionless
        Shear components along the axes of the image; the magnification is signed.
    potential : ndarray, (H, W), arcsec^2
        Up to a constant.
    grid : SourceGrid
        Where the pixels lie.
    wcs : `~astropy.wcs.WCS` or None
        Sky frame of the pixels.
    """

    convergence: np.ndarray
    potential: np.ndarray
    shear1: np.ndarray
    shear2: np.ndarray
    magnification: np.ndarray
    grid: SourceGrid
    wcs: WCS | None = None

    def to_hdus(self) -> fits.HDUList:
        """FITS extensions CONVERGENCE, POTENTIAL, SHEAR1, SHEAR2 and MAGNIFICATION.

        Returns
        -------
        `~astropy.io.fits.HDUList`
            Each with its unit (BUNIT; empty where there is none), pixel scale and WCS.
        """
        header = fits.Header() if self.wcs is None else self.wcs.to_header(relax=True)
        hdus = fits.HDUList([fits.PrimaryHDU()])
        for name in _NAMES:
            hdu = fits.ImageHDU(getattr(self, name), header.copy(), name=name.upper())
            unit = "arcsec2" if name == "potential" else ""
            hdu.header["BUNIT"] = (unit, "unit of the pixel values")
            hdu.header["PIXSCALE"] = (self.grid.pixel_scale, "[arcsec] side of a pixel")
            hdus.append(hdu)
        return hdus

    def write(self, path: str | PathLike[str], *, overwrite: bool = False) -> Path:
        """Write the maps with units and WCS to an ASDF file; to FITS with `to_hdus`.

        Parameters
        ----------
        path : path-like
            File to write.
        overwrite : bool, optional
            Whether an existing file may be replaced.

        Returns
        -------
        `~pathlib.Path`

        Raises
        ------
        FileExistsError
            If the file exists and ``overwrite`` is False.
        """
        return write_asdf(path, {"mass_maps": self.tree()}, overwrite=overwrite)

    def tree(self) -> dict[str, object]:
        """Maps as Quantities, pixel scale and WCS by name, for ASDF."""
        tree: dict[str, object] = {
            name: getattr(self, name) * (u.arcsec**2 if name == "potential" else u.one)
            for name in _NAMES
        }
        return tree | {"pixel_scale": self.grid.pixel_scale * u.arcsec, "wcs": self.wcs}


def make_maps(
    model: LensModel, params: Mapping[str, float], grid: SourceGrid, wcs: WCS | None = None
) -> MassMaps:
    """Evaluate a lens at the centres of pixels.

    Parameters
    ----------
    model : LensModel
        Any lens model.
    params : mapping of str to float
        Lens parameters, in their declared units.
    grid : SourceGrid
        The pixels.
    wcs : `~astropy.wcs.WCS`, optional
        Their sky frame, which the maps carry.

    Returns
    -------
    MassMaps
    """
    x, y = grid.coordinates()
    fields = lens_fields(model, params, x, y)
    images = [fields.kappa, fields.gamma1, fields.gamma2, fields.magnification]
    singular = np.zeros(x.shape, dtype=bool)
    for x0, y0 in lens_centres(params):
        singular |= np.hypot(x - x0, y - y0) < HOLE
    kappa, shear1, shear2, mu = (np.where(singular, np.nan, image) for image in images)
    psi = potential(model, params, x, y)
    return MassMaps(kappa, psi, shear1, shear2, mu, grid, wcs)

"""Maps against lenstronomy, with units and WCS, on even and odd frames."""

from __future__ import annotations

import asdf
import numpy as np
import pytest
from astropy.io import fits
from astropy.wcs import WCS

from astrorim.grid import ImageGrid
from astrorim.results import MassProfile

SIE = {"theta_E": 1.3, "e1": 0.15, "e2": -0.1, "x0": 0.0, "y0": 0.0}
SHEAR = {"gamma1": 0.05, "gamma2": -0.08}
Z = (0.3, 1.0)


@pytest.mark.parametrize("size", [30, 31])
def test_maps_agree_with_lenstronomy(size, make_wcs):
    from lenstronomy.LensModel.lens_model import LensModel

    grid = ImageGrid((size, size), 0.1)
    profile = MassProfile.from_parameters("sie+shear", SIE | SHEAR, *Z, wcs=make_wcs())
    maps = profile.maps(grid)
    x, y = grid.coordinates()
    reference = LensModel(["SIE", "SHEAR"])
    keywords = [
        {"theta_E": 1.3, "e1": 0.15, "e2": -0.1, "center_x": 0.0, "center_y": 0.0},
        SHEAR,
    ]
    away = np.hypot(x, y) > 0.05
    singular = size % 2  # an odd frame has a pixel on the centre
    assert np.isnan(maps.convergence).sum() == singular
    gamma1, gamma2 = reference.gamma(x, y, keywords)
    psi = reference.potential(x, y, keywords)
    # lenstronomy softens its SIE, by 1e-4 at the innermost pixel
    for own, other in (
        (maps.convergence, reference.kappa(x, y, keywords)),
        (maps.shear1, gamma1),
        (maps.shear2, gamma2),
        (1 / maps.magnification, 1 / reference.magnification(x, y, keywords)),
        (maps.potential - maps.potential[0, 0], psi - psi[0, 0]),
    ):
        np.testing.assert_allclose(own[away], other[away], rtol=1e-5, atol=1e-5)


def test_files_hold_units_and_sky_frame(tmp_path, make_wcs):
    profile = MassProfile.from_parameters("sie", SIE, *Z, wcs=make_wcs())
    maps = profile.maps(ImageGrid((20, 24), 0.05))
    maps.to_hdus().writeto(tmp_path / "m.fits")
    with fits.open(tmp_path / "m.fits") as hdus:
        names = [hdu.name for hdu in hdus[1:]]
        assert names == ["CONVERGENCE", "POTENTIAL", "SHEAR1", "SHEAR2", "MAGNIFICATION"]
        assert hdus["POTENTIAL"].header["BUNIT"] == "arcsec2"
        np.testing.assert_array_equal(hdus["SHEAR1"].data, maps.shear1)
        wcs = WCS(hdus["CONVERGENCE"].header)
        np.testing.assert_allclose(
            wcs.pixel_scale_matrix, make_wcs().pixel_scale_matrix, rtol=1e-9
        )
    maps.write(tmp_path / "m.asdf")
    with asdf.open(tmp_path / "m.asdf") as file:
        tree = file["mass_maps"]
        assert tree["potential"].unit == "arcsec2"
        np.testing.assert_array_equal(tree["convergence"].value, maps.convergence)
    with pytest.raises(FileExistsError, match="exists; pass overwrite=True"):
        maps.write(tmp_path / "m.asdf")

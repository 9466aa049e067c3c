"""A plugin of a third party: the isothermal sphere with a core."""

import astropy.units as u
import torch

from astrorim.interfaces import LensModel
from astrorim.parameters import Parameter
from astrorim.plugins import hookimpl


class PseudoIsothermal(LensModel):
    """kappa = theta_E / (2 sqrt(core^2 + r^2)); Kormann et al. 1994, A&A 284, 285."""

    name = "pseudo-isothermal"
    parameters = (
        Parameter("theta_E", r"\theta_E", u.arcsec, (0, 50), (0.6, 2), "far deflection"),
        Parameter("core", "s", u.arcsec, (1e-3, 10), (0.02, 0.1), "core radius"),
        Parameter("x0", "x_0", u.arcsec, (-50, 50), (-0.1, 0.1), "centre, x"),
        Parameter("y0", "y_0", u.arcsec, (-50, 50), (-0.1, 0.1), "centre, y"),
    )

    def _frame(self, x, y, p):
        x, y = x - p["x0"], y - p["y0"]
        return x, y, torch.sqrt(p["core"] ** 2 + x**2 + y**2)

    def potential(self, x, y, params):
        s = params["core"]
        _, _, r = self._frame(x, y, params)
        return params["theta_E"] * (r - s - s * torch.log((s + r) / (2 * s)))

    def deflection(self, x, y, params):
        x, y, r = self._frame(x, y, params)
        factor = params["theta_E"] / (params["core"] + r)
        return factor * x, factor * y

    def convergence(self, x, y, params):
        return params["theta_E"] / (2 * self._frame(x, y, params)[2])


@hookimpl
def astrorim_register_lens_models(register):
    register("pseudo-isothermal", PseudoIsothermal)

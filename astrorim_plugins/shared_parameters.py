"""Parameters that more than one built-in model has, declared once."""

from __future__ import annotations

import astropy.units as u

from astrorim.parameters import Parameter

__all__ = ["E1", "E2", "THETA_E", "X0", "Y0"]

THETA_E = Parameter(
    name="theta_E",
    symbol=r"\theta_\mathrm{E}",
    unit=u.arcsec,
    support=(1e-3, 20.0),
    prior=(0.05, 3.0),
    description="Einstein radius, product average of the axes",
)
# The supports are intervals; where |e| exceeds 9/11 the models keep the position angle
# and evaluate an axis ratio of 0.1, see astrorim.lensing.special.bounded_ellipticity.
E1 = Parameter(
    name="e1",
    symbol="e_1",
    unit=u.dimensionless_unscaled,
    support=(-0.8, 0.8),
    prior=(-0.45, 0.45),
    description="Ellipticity (1 - q)/(1 + q) cos 2 phi",
)
E2 = Parameter(
    name="e2",
    symbol="e_2",
    unit=u.dimensionless_unscaled,
    support=(-0.8, 0.8),
    prior=(-0.45, 0.45),
    description="Ellipticity (1 - q)/(1 + q) sin 2 phi",
)
X0 = Parameter(
    name="x0",
    symbol="x_0",
    unit=u.arcsec,
    support=(-5.0, 5.0),
    prior=(-0.1, 0.1),
    description="Centre, along x",
)
Y0 = Parameter(
    name="y0",
    symbol="y_0",
    unit=u.arcsec,
    support=(-5.0, 5.0),
    prior=(-0.1, 0.1),
    description="Centre, along y",
)

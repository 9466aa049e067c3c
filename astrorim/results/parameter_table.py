r"""The nine reported lens parameters, and their table with bounds and units.

Networks and optimisers work with ellipticity and shear components, which have no seam;
here they become an axis ratio or a modulus, and an angle:

.. math::

    e = \sqrt{e_1^2 + e_2^2}, \quad q = \frac{1 - e}{1 + e}, \quad
    \phi = \tfrac12 \operatorname{atan2}(e_2, e_1), \quad
    \gamma = \sqrt{\gamma_1^2 + \gamma_2^2}, \quad
    \phi_\gamma = \tfrac12 \operatorname{atan2}(\gamma_2, \gamma_1)

with :math:`(e_1, e_2) = \frac{1-q}{1+q} (\cos 2\phi, \sin 2\phi)`, the convention of
lenstronomy (Birrer & Amara 2018, Physics of the Dark Universe 22, 189). Angles are
counter-clockwise from +x on the image, in :math:`[0, \pi)`.
"""

from __future__ import annotations

import math
from collections.abc import Mapping

import astropy.units as u
import numpy as np
from astropy.table import QTable

from astrorim.parameters import Parameter, ParameterSet

__all__ = [
    "LIGHT_PREFIX",
    "REPORTED_PARAMETERS",
    "ROWS",
    "bounds_from_samples",
    "build_parameter_table",
    "reported_values",
]

LIGHT_PREFIX = "light_"
"""What the names of lens-light parameters start with, next to those of the lens."""

ROWS = ("value", "lower", "upper")
"""The rows of a parameter table: point estimate and 68 % bounds."""

_NUMBER = u.dimensionless_unscaled

REPORTED_PARAMETERS = ParameterSet(
    (
        Parameter(
            "b", r"b", u.arcsec, (0.0, math.inf), (0.0, 3.0),
            "Einstein radius theta_E, intermediate axis (product average)",
        ),
        Parameter("q", r"q", _NUMBER, (0.0, 1.0), (0.2, 1.0), "axis ratio of the mass"),
        Parameter(
            "phi", r"\phi", u.rad, (0.0, math.pi), (0.0, math.pi),
            "major axis of the mass, counter-clockwise from +x", period=math.pi,
        ),
        Parameter("x0", r"x_0", u.arcsec, (-math.inf, math.inf), (-0.3, 0.3), "lens centre, x"),
        Parameter("y0", r"y_0", u.arcsec, (-math.inf, math.inf), (-0.3, 0.3), "lens centre, y"),
        Parameter("gamma", r"\gamma", _NUMBER, (0.0, math.inf), (0.0, 0.3), "external shear"),
        Parameter(
            "gamma_phi", r"\phi_\gamma", u.rad, (0.0, math.pi), (0.0, math.pi),
            "axis of the external shear, counter-clockwise from +x", period=math.pi,
        ),
        Parameter(
            "kappa_s", r"\kappa_s", _NUMBER, (0.0, math.inf), (0.0, 0.5),
            "NFW halo: convergence scale rho_s r_s / Sigma_crit",
        ),
        Parameter(
            "rs", r"r_s", u.arcsec, (0.0, math.inf), (1.0, 40.0), "NFW halo: scale radius"
        ),
    )
)  # fmt: skip
"""The nine parameters that every result reports, in order; each is declared here, once.

The prior is what is reported for a parameter that the lens model does not contain.
"""

_ABSENT = {"b": 0.0, "q": 1.0, "x0": 0.0, "y0": 0.0, "gamma": 0.0, "kappa_s": 0.0}
"""What a model without the parameter amounts to; the prior's middle for the others."""


def _axis(component1: np.ndarray, component2: np.ndarray) -> np.ndarray:
    """Axis of a spin-2 vector, rad, in [0, pi); rounding may not return pi itself."""
    angle = np.mod(0.5 * np.arctan2(component2, component1), math.pi)
    return np.where(angle >= math.pi, 0.0, angle)


def reported_values(lens: Mapping[str, float | np.ndarray]) -> dict[str, np.ndarray]:
    """Convert internal lens parameters into those of the nine that they determine.

    Parameters
    ----------
    lens : mapping of str to float or ndarray, (...)
        Internal names (``theta_E``, ``e1``, ``e2``, ``x0``, ``y0``, ``gamma1``,
        ``gamma2``, ``kappa_s``, ``rs``, others are ignored); arcsec where a length.

    Returns
    -------
    dict of str to ndarray, (...)
        Reported names that the lens model contains, in the order of
        `REPORTED_PARAMETERS`; arcsec and radians.
    """
    values = {name: np.asarray(value, dtype=float) for name, value in lens.items()}
    found: dict[str, np.ndarray] = {}
    if "theta_E" in values:
        found["b"] = values["theta_E"]
    if "e1" in values and "e2" in values:
        ellipticity = np.hypot(values["e1"], values["e2"])
        found["q"] = (1 - ellipticity) / (1 + ellipticity)
        found["phi"] = _axis(values["e1"], values["e2"])
    if "gamma1" in values and "gamma2" in values:
        found["gamma"] = np.hypot(values["gamma1"], values["gamma2"])
        found["gamma_phi"] = _axis(values["gamma1"], values["gamma2"])
    found |= {name: values[name] for name in ("x0", "y0", "kappa_s", "rs") if name in values}
    return {name: found[name] for name in REPORTED_PARAMETERS.names if name in found}


def bounds_from_samples(
    value: float,
    samples: np.ndarray,
    *,
    period: float | None = None,
    level: float = 0.68,
) -> tuple[float, float]:
    """Central interval of posterior samples.

    The interval is that of the samples; it is not stretched to hold the point estimate,
    which lies outside where the two disagree (an axis ratio next to 1, for example).
    For a periodic quantity the samples are unwrapped around the point estimate first, so
    that ``lower <= upper`` always, and a bound may leave the range of one period.

    Parameters
    ----------
    value : float
        Point estimate.
    samples : ndarray, (S,)
        Posterior samples, in the unit of ``value``; non-finite ones are left out.
    period : float, optional
        Period of an angle, in the unit of ``value``.
    level : float, optional
        Fraction of the samples inside the interval.

    Returns
    -------
    tuple of float
        Lower and upper bound.

    Raises
    ------
    ValueError
        If no finite sample is given or ``level`` is not between 0 and 1.
    """
    if not 0 < level < 1:
        raise ValueError(f"level must lie between 0 and 1, got {level}")
    finite = np.asarray(samples, dtype=float).ravel()
    finite = finite[np.isfinite(finite)]
    if finite.size == 0:
        raise ValueError(
            f"samples must hold at least one finite number, got shape {np.shape(samples)}"
        )
    if period is not None:
        finite = value + np.mod(finite - value + period / 2, period) - period / 2
    lower, upper = np.quantile(finite, [0.5 - level / 2, 0.5 + level / 2])
    return float(lower), float(upper)


def _absent_row(parameter: Parameter) -> tuple[float, float, float]:
    middle = 0.5 * (parameter.prior[0] + parameter.prior[1])
    return _ABSENT.get(parameter.name, middle), *parameter.prior


def build_parameter_table(
    lens: Mapping[str, float],
    light: Mapping[str, float],
    samples: Mapping[str, np.ndarray],
    units: Mapping[str, u.UnitBase],
) -> QTable:
    """Table of the nine reported parameters and of everything else that was fitted.

    A parameter is *unconstrained* if the lens model does not contain it or no samples
    are given for it. The nine then show the width of their declared prior, the others
    an unbounded interval; ``table.meta["unconstrained"]`` lists them.

    Parameters
    ----------
    lens : mapping of str to float
        Internal lens parameters.
    light : mapping of str to float
        Lens-light parameters, without prefix.
    samples : mapping of str to ndarray, (S,)
        Posterior samples: lens names plain, light names prefixed ``light_``. The
        derived parameters are formed sample by sample.
    units : mapping of str to `~astropy.units.UnitBase`
        Unit of every parameter outside the nine (light names prefixed).

    Returns
    -------
    `~astropy.table.QTable`
        Rows ``value``, ``lower``, ``upper`` (column ``row``); one column with its unit
        for each parameter: the nine, further lens parameters, then ``light_*``.
    """
    values = reported_values(lens)
    chains = reported_values({name: samples[name] for name in lens if name in samples})
    columns: dict[str, object] = {"row": list(ROWS)}
    unconstrained: list[str] = []
    for parameter in REPORTED_PARAMETERS:
        name = parameter.name
        row = _absent_row(parameter)
        if name in values:
            row = (float(values[name]), *parameter.prior)
        if name in chains:
            interval = bounds_from_samples(row[0], chains[name], period=parameter.period)
            row = (row[0], *interval)
        else:
            unconstrained.append(name)
        columns[name] = u.Quantity(row, parameter.unit)
    further = {name: lens[name] for name in further_parameters(lens)}
    further |= {LIGHT_PREFIX + name: value for name, value in light.items()}
    for name, value in further.items():
        if name in samples:
            interval = bounds_from_samples(float(value), samples[name])
        else:
            interval = (-math.inf, math.inf)
            unconstrained.append(name)
        columns[name] = u.Quantity((float(value), *interval), units[name])
    described = {parameter.name: parameter.description for parameter in REPORTED_PARAMETERS}
    table = QTable(columns, meta={"unconstrained": unconstrained, "level": 0.68})
    for name in table.colnames:
        table[name].info.description = described.get(name)
    return table


def further_parameters(lens: Mapping[str, float]) -> tuple[str, ...]:
    """Names of the lens parameters that none of the nine reports, in order."""
    reported = {"theta_E", "e1", "e2", "gamma1", "gamma2", *REPORTED_PARAMETERS.names}
    return tuple(name for name in lens if name not in reported)

"""The ranges that `foundation` draws from, each quantity with its own random stream."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import TYPE_CHECKING

import astropy.units as u
import torch

from astrorim.parameters import Parameter, ParameterSet

if TYPE_CHECKING:
    from torch import Tensor

    from astrorim_plugins.simulators.random_streams import RandomStreams

__all__ = ["MAX_CLUMPS", "MAX_EXTRAS", "POPULATION", "draw_uniform"]

MAX_EXTRAS = 2
"""Most extra Sersic profiles of a source."""

MAX_CLUMPS = 4
"""Most Gaussian clumps of a source."""

_NONE = u.dimensionless_unscaled
_ANYWHERE = (-math.inf, math.inf)
_POSITIVE = (0.0, math.inf)
_NUM_MAGNITUDES = 9


def _range(
    name: str,
    symbol: str,
    unit: u.UnitBase,
    prior: tuple[float, float],
    description: str,
    *,
    support: tuple[float, float] = _POSITIVE,
    period: float | None = None,
) -> Parameter:
    return Parameter(name, symbol, unit, support, prior, description, name[:8], period)


_ELLIPTICITY = (0.0, 1.0)
_ANGLE = (0.0, math.pi)

POPULATION = ParameterSet(
    (
        _range("z_lens", r"z_\ell", _NONE, (0.25, 0.70), "redshift of the lens"),
        _range("z_source", "z_s", _NONE, (0.9, 3.0), "redshift of the source, always behind"),
        _range("theta_E", r"\theta_E", u.arcsec, (0.9, 1.5), "Einstein radius"),
        _range(
            "ellipticity", "e", _NONE, (0.15, 0.45), "(1-q)/(1+q) of the mass",
            support=_ELLIPTICITY,
        ),
        _range(
            "orientation", r"\phi", u.rad, _ANGLE, "position angle of the mass",
            support=_ANGLE, period=math.pi,
        ),
        _range("x0", "x_0", u.arcsec, (-0.04, 0.04), "lens centre", support=_ANYWHERE),
        _range("y0", "y_0", u.arcsec, (-0.04, 0.04), "lens centre", support=_ANYWHERE),
        _range("gamma", r"\gamma", _NONE, (0.0, 0.08), "external shear"),
        _range(
            "gamma_orientation", r"\phi_\gamma", u.rad, _ANGLE, "position angle of the shear",
            support=_ANGLE, period=math.pi,
        ),
        _range(
            "source_offset_x", r"x_s/\theta_E", _NONE, (-0.20, 0.20),
            "source centre in Einstein radii", support=_ANYWHERE,
        ),
        _range(
            "source_offset_y", r"y_s/\theta_E", _NONE, (-0.20, 0.20),
            "source centre in Einstein radii", support=_ANYWHERE,
        ),
        _range(
            "source_amplitude", "A_s", _NONE, (2.0, 6.0),
            "main profile at its half-light radius, relative",
        ),
        _range(
            "source_half_light_radius", "R_s", u.arcsec, (0.05, 0.25), "main profile",
        ),
        _range("source_sersic_index", "n_s", _NONE, (1.0, 3.5), "main profile"),
        _range(
            "source_ellipticity", "e_s", _NONE, (0.0, 0.5), "main profile",
            support=_ELLIPTICITY,
        ),
        _range(
            "source_orientation", r"\phi_s", u.rad, _ANGLE, "main profile",
            support=_ANGLE, period=math.pi,
        ),
        _range("num_extras", "N_x", _NONE, (0, MAX_EXTRAS), "number of extra profiles"),
        _range(
            "extra_offset_x", r"x_x/\theta_E", _NONE, (-0.9, 0.9),
            "extra profile's centre in Einstein radii", support=_ANYWHERE,
        ),
        _range(
            "extra_offset_y", r"y_x/\theta_E", _NONE, (-0.9, 0.9),
            "extra profile's centre in Einstein radii", support=_ANYWHERE,
        ),
        _range(
            "extra_amplitude", "A_x", _NONE, (1.0, 3.0),
            "extra profile at its half-light radius, relative",
        ),
        _range("extra_half_light_radius", "R_x", u.arcsec, (0.04, 0.18), "extra profile"),
        _range("extra_sersic_index", "n_x", _NONE, (0.8, 4.0), "extra profile"),
        _range(
            "extra_ellipticity", "e_x", _NONE, (0.0, 0.5), "extra profile",
            support=_ELLIPTICITY,
        ),
        _range(
            "extra_orientation", r"\phi_x", u.rad, _ANGLE, "extra profile",
            support=_ANGLE, period=math.pi,
        ),
        _range(
            "has_clumps", "P_c", _NONE, (0.0, 1.0), "clumps where the draw is below 0.70",
        ),
        _range("num_clumps", "N_c", _NONE, (1, MAX_CLUMPS), "number of clumps, if any"),
        _range(
            "clump_max_amplitude", r"a_\max", _NONE, (0.3, 1.0),
            "largest clump amplitude, in units of the pattern's maximum",
        ),
        _range(
            "clump_amplitude", "a_c", _NONE, (0.05, 1.0),
            "clump amplitude in units of the pattern's maximum",
        ),
        _range("clump_sigma", r"\sigma_c", u.arcsec, (0.024, 0.16), "clump's dispersion"),
        _range(
            "clump_offset_x", "x_c", u.arcsec, (-0.96, 0.96),
            "clump's position in the frame, with wide_clumps", support=_ANYWHERE,
        ),
        _range(
            "clump_offset_y", "y_c", u.arcsec, (-0.96, 0.96),
            "clump's position in the frame, with wide_clumps", support=_ANYWHERE,
        ),
        _range("source_magnitude", "m_s", u.mag, (21.0, 23.2), "AB, unlensed"),
        _range(
            "magnitude_difference", r"m_\ell - m_s", u.mag, (-0.3, 1.2),
            "lens light minus source", support=_ANYWHERE,
        ),
        _range(
            "light_half_light_radius", r"R_\ell", u.arcsec, (0.25, 1.0), "lens light",
        ),
        _range("light_sersic_index", r"n_\ell", _NONE, (3.0, 5.0), "lens light"),
        _range(
            "light_ellipticity_ratio", r"e_\ell/e", _NONE, (0.6, 1.0),
            "component of the light's ellipticity over the mass's",
        ),
        _range(
            "light_ellipticity_offset", r"\Delta e", _NONE, (-0.05, 0.05),
            "added to each component of the light's ellipticity", support=_ANYWHERE,
        ),
        _range(
            "light_offset_x", r"\Delta x_\ell", u.arcsec, (-0.02, 0.02),
            "light's centre minus the mass's", support=_ANYWHERE,
        ),
        _range(
            "light_offset_y", r"\Delta y_\ell", u.arcsec, (-0.02, 0.02),
            "light's centre minus the mass's", support=_ANYWHERE,
        ),
        _range("exposure", "t", u.s, (800.0, 1600.0), "exposure time"),
        _range("sky", "S", u.ct / u.s, (0.06, 0.25), "sky in a detector pixel of 0.04 arcsec"),
        _range("read_noise", r"\sigma_r", u.electron, (0.8, 1.8), "read noise"),
        _range("psf_fwhm", "w", u.arcsec, (0.06, 0.10), "FWHM of the PSF"),
    )
)  # fmt: skip
"""Everything that is drawn, each quantity with its range and its own random stream."""

_COUNTS = {
    "num_extras": 1,
    **{name: MAX_EXTRAS for name in POPULATION.names if name.startswith("extra_")},
    **{name: MAX_CLUMPS for name in POPULATION.names if name.startswith("clump_")},
    "clump_max_amplitude": 1,
    "magnitude_difference": _NUM_MAGNITUDES,
    "light_ellipticity_ratio": 2,
    "light_ellipticity_offset": 2,
}
_INTEGERS = ("num_extras", "num_clumps")


def draw_uniform(streams: RandomStreams, parameters: Sequence[Parameter]) -> dict[str, Tensor]:
    """Draw quantities uniformly from their declared ranges.

    Parameters
    ----------
    streams : RandomStreams
        Random numbers of B lenses.
    parameters : sequence of Parameter
        Quantities of `POPULATION`, or others, which are drawn once for each lens.

    Returns
    -------
    dict of str to Tensor, (B, count), float64
        In the declared units; whole numbers for the quantities that count something.
    """
    uniform = streams.uniform({p.name: _COUNTS.get(p.name, 1) for p in parameters})
    drawn = {}
    for parameter in parameters:
        low, high = parameter.prior
        value = uniform[parameter.name]
        if parameter.name in _INTEGERS:
            drawn[parameter.name] = torch.floor(value * (high - low + 1)) + low
        else:
            drawn[parameter.name] = value * (high - low) + low
    return drawn

"""What `foundation` draws: the ranges, and the draw of lenses from them."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import astropy.units as u
import torch

from astrorim.parameters import Parameter, ParameterSet
from astrorim_plugins.simulators.random_streams import RandomStreams
from astrorim_plugins.simulators.source import ComponentSource

if TYPE_CHECKING:
    from torch import Tensor

    from astrorim.interfaces import LensModel, LightModel

__all__ = ["POPULATION", "Population", "draw_population", "draw_uniform"]

_NONE = u.dimensionless_unscaled
_BRIGHTNESS = u.dimensionless_unscaled
_ANYWHERE = (-math.inf, math.inf)
_POSITIVE = (0.0, math.inf)
_MAX_EXTRAS = 2
_MAX_CLUMPS = 4
_NUM_MAGNITUDES = 9
_CLUMP_REACH = 2.0
_PATTERN_STEP = 0.01
"""Side, arcsec, of the square over whose diagonal a cusp's maximum is read."""


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
            "source_amplitude", "A_s", _BRIGHTNESS, (2.0, 6.0),
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
        _range("num_extras", "N_x", _NONE, (0, _MAX_EXTRAS), "number of extra profiles"),
        _range(
            "extra_offset_x", r"x_x/\theta_E", _NONE, (-0.9, 0.9),
            "extra profile's centre in Einstein radii", support=_ANYWHERE,
        ),
        _range(
            "extra_offset_y", r"y_x/\theta_E", _NONE, (-0.9, 0.9),
            "extra profile's centre in Einstein radii", support=_ANYWHERE,
        ),
        _range(
            "extra_amplitude", "A_x", _BRIGHTNESS, (1.0, 3.0),
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
        _range("num_clumps", "N_c", _NONE, (1, _MAX_CLUMPS), "number of clumps, if any"),
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
    **{name: _MAX_EXTRAS for name in POPULATION.names if name.startswith("extra_")},
    **{name: _MAX_CLUMPS for name in POPULATION.names if name.startswith("clump_")},
    "clump_max_amplitude": 1,
    "magnitude_difference": _NUM_MAGNITUDES,
    "light_ellipticity_ratio": 2,
    "light_ellipticity_offset": 2,
}
_INTEGERS = ("num_extras", "num_clumps")
_CLUMP_PROBABILITY = 0.70


@dataclass(frozen=True)
class Population:
    """A batch of drawn lenses, before rendering.

    Parameters
    ----------
    lens : mapping of str to Tensor, (B,)
        Lens parameters in the model's units.
    light : mapping of str to Tensor, (B,)
        Lens-light parameters with the amplitude of a profile whose total flux is one.
    source : ComponentSource
        The source with a total flux of one.
    magnitude_differences : Tensor, (B, 9), mag
        The lens light's magnitude minus the source's: the first draw and eight more.
    values : mapping of str to Tensor, (B,)
        What else was drawn, by the names of `POPULATION`.
    """

    lens: Mapping[str, Tensor]
    light: Mapping[str, Tensor]
    source: ComponentSource
    magnitude_differences: Tensor
    values: Mapping[str, Tensor]


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


def _components(modulus: Tensor, angle: Tensor) -> tuple[Tensor, Tensor]:
    """Ellipticity or shear as ``modulus (cos 2 angle, sin 2 angle)``."""
    return modulus * torch.cos(2 * angle), modulus * torch.sin(2 * angle)


def draw_population(
    streams: RandomStreams,
    lens_model: LensModel,
    light_model: LightModel,
    *,
    wide_clumps: bool = False,
) -> Population:
    """Draw a batch of lenses.

    Parameters
    ----------
    streams : RandomStreams
        Random numbers of B lenses.
    lens_model : LensModel
        Parameters that the population does not know are drawn from their prior.
    light_model : LightModel
        Sersic profile of the lens light and of the source.
    wide_clumps : bool, optional
        Scatter the clumps over the frame, as separate background sources, instead of
        within two half-light radii of the source.

    Returns
    -------
    Population
        float64.
    """
    known = {"theta_E", "e1", "e2", "x0", "y0", "gamma1", "gamma2"}
    others = [
        p.renamed(f"lens_{p.name}") for p in lens_model.parameters if p.name not in known
    ]
    drawn = draw_uniform(streams, (*POPULATION, *others))
    # Scalars of each lens, (B,); what has several values keeps its last axis.
    values = {name: value[:, 0] for name, value in drawn.items() if value.shape[1] == 1}

    e1, e2 = _components(values["ellipticity"], values["orientation"])
    gamma1, gamma2 = _components(values["gamma"], values["gamma_orientation"])
    lens = {
        "theta_E": values["theta_E"],
        "e1": e1,
        "e2": e2,
        "x0": values["x0"],
        "y0": values["y0"],
        "gamma1": gamma1,
        "gamma2": gamma2,
    }
    lens |= {p.name.removeprefix("lens_"): values[p.name] for p in others}
    lens = {p.name: lens[p.name] for p in lens_model.parameters}

    ratio, offset = drawn["light_ellipticity_ratio"], drawn["light_ellipticity_offset"]
    light = {
        "amplitude": torch.ones_like(e1),
        "half_light_radius": values["light_half_light_radius"],
        "sersic_index": values["light_sersic_index"],
        "e1": e1 * ratio[:, 0] + offset[:, 0],
        "e2": e2 * ratio[:, 1] + offset[:, 1],
        "x0": values["x0"] + values["light_offset_x"],
        "y0": values["y0"] + values["light_offset_y"],
    }
    light["amplitude"] = 1 / light_model.total_flux(light)
    source = _draw_source(drawn, values, light_model, wide_clumps=wide_clumps)
    return Population(
        lens, light, source.scaled(1 / source.total_flux()), drawn["magnitude_difference"], values
    )


def _draw_source(
    drawn: Mapping[str, Tensor],
    values: Mapping[str, Tensor],
    model: LightModel,
    *,
    wide_clumps: bool,
) -> ComponentSource:
    """Main profile, then extra profiles, then clumps relative to the maximum so far."""
    theta_e = values["theta_E"][:, None]
    profiles = {}
    for name in ("amplitude", "half_light_radius", "sersic_index"):
        profiles[name] = torch.cat([drawn[f"source_{name}"], drawn[f"extra_{name}"]], dim=1)
    for axis in ("x", "y"):
        offset = [drawn[f"source_offset_{axis}"], drawn[f"extra_offset_{axis}"]]
        profiles[f"{axis}0"] = theta_e * torch.cat(offset, dim=1)
    modulus = torch.cat([drawn["source_ellipticity"], drawn["extra_ellipticity"]], dim=1)
    angle = torch.cat([drawn["source_orientation"], drawn["extra_orientation"]], dim=1)
    profiles["e1"], profiles["e2"] = _components(modulus, angle)
    profiles["amplitude"][:, 1:] *= _exists(values["num_extras"], _MAX_EXTRAS)

    number = values["num_clumps"] * (values["has_clumps"] < _CLUMP_PROBABILITY)
    if wide_clumps:
        x, y = drawn["clump_offset_x"], drawn["clump_offset_y"]
    else:
        # The same two numbers, now as area and angle of a disc about the source.
        share, turn = ((drawn[f"clump_offset_{a}"] + 0.96) / 1.92 for a in ("x", "y"))
        radius = _CLUMP_REACH * drawn["source_half_light_radius"] * torch.sqrt(share)
        x = profiles["x0"][:, :1] + radius * torch.cos(2 * math.pi * turn)
        y = profiles["y0"][:, :1] + radius * torch.sin(2 * math.pi * turn)
    lowest, highest = POPULATION.by_name("clump_amplitude").prior
    share = (drawn["clump_amplitude"] - lowest) / (highest - lowest)
    relative = lowest + (drawn["clump_max_amplitude"] - lowest) * share
    clumps = {
        "amplitude": torch.zeros_like(relative),
        "sigma": drawn["clump_sigma"],
        "x0": x,
        "y0": y,
    }
    source = ComponentSource(model, profiles, clumps)
    exists = _exists(number, _MAX_CLUMPS)
    for j in range(_MAX_CLUMPS):
        clumps["amplitude"][:, j] = relative[:, j] * exists[:, j] * _pattern_maximum(source)
    return source


def _exists(number: Tensor, most: int) -> Tensor:
    """Whether a lens has its j-th component, (B, most), as zeros and ones."""
    return (torch.arange(most, device=number.device) < number[:, None]).to(number.dtype)


def _pattern_maximum(source: ComponentSource) -> Tensor:
    """Largest brightness at the components' centres, (B,).

    Sersic profiles are read half a diagonal of a 0.01 arcsec square from the centre, since
    the value at a cusp, hundreds of times larger, is not that of any pixel.
    """
    half = _PATTERN_STEP / 2
    x = torch.cat([source.profiles["x0"] + half, source.clumps["x0"]], dim=1)
    y = torch.cat([source.profiles["y0"] + half, source.clumps["y0"]], dim=1)
    return source(x, y).amax(dim=1)

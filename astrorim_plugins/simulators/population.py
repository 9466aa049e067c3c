"""The draw of a population of lenses: mass, light and source of each."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

import torch

from astrorim_plugins.simulators.ranges import (
    MAX_CLUMPS,
    MAX_EXTRAS,
    POPULATION,
    draw_uniform,
)
from astrorim_plugins.simulators.source import ComponentSource

if TYPE_CHECKING:
    from torch import Tensor

    from astrorim.interfaces import LensModel, LightModel
    from astrorim_plugins.simulators.random_streams import RandomStreams

__all__ = ["Population", "draw_population"]

_CLUMP_PROBABILITY = 0.70
_CLUMP_REACH = 2.0
_PATTERN_STEP = 0.01
"""Side, arcsec, of the square over whose diagonal a cusp's maximum is read."""


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
    others = [p.renamed(f"lens_{p.name}") for p in lens_model.parameters if p.name not in known]
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
    source = source.scaled(1 / source.total_flux())
    return Population(lens, light, source, drawn["magnitude_difference"], values)


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
    profiles["amplitude"][:, 1:] *= _exists(values["num_extras"], MAX_EXTRAS)

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
    exists = _exists(number, MAX_CLUMPS)
    for j in range(MAX_CLUMPS):
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

"""The draw of the source: profiles, clumps, spiral pattern, in their order."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import replace
from typing import TYPE_CHECKING

import torch

from astrorim_plugins.simulators.draws.shapes import exists, shape_components
from astrorim_plugins.simulators.sources.components import ComponentSource

if TYPE_CHECKING:
    from torch import Tensor

    from astrorim.interfaces import LightModel
    from astrorim_plugins.simulators.declaration import Declaration

__all__ = ["draw_source", "main_radius", "source_frame"]

_CLUMP_REACH = 2.0
"""Half-light radii of the source within which its clumps lie."""

_BULGE_ROUNDNESS = 0.7
"""Ellipticity of a spiral's bulge over that of its disk."""

_PATTERN_STEP = 0.01
"""Side, arcsec, of the square over whose diagonal a cusp's maximum is read."""

_FRAME_REACH = 3.0
"""Half-light radii of every component that the truth's grid holds."""

Drawn = Mapping[str, "Tensor"]
Table = dict[str, "Tensor"]


def main_radius(values: Drawn) -> Tensor:
    """Half-light radius of the main galaxy, (B,), arcsec: the disk's where it has one."""
    radius = values["source_half_light_radius"]
    if "disk_radius_ratio" not in values:
        return radius
    has_disk = values.get("has_disk", torch.ones_like(radius))
    return torch.where(has_disk > 0, radius * values["disk_radius_ratio"], radius)


def _main(values: Drawn) -> Table:
    theta_e = values["theta_E"]
    e1, e2 = shape_components(values["source_ellipticity"], values["source_orientation"])
    weight = values.get("bulge_fraction", torch.ones_like(theta_e))
    main = {
        "amplitude": values["source_amplitude"] * weight,
        "half_light_radius": values["source_half_light_radius"],
        "sersic_index": values["source_sersic_index"],
        "x0": theta_e * values["source_offset_x"],
        "y0": theta_e * values["source_offset_y"],
        "e1": e1,
        "e2": e2,
    }
    return {name: value[:, None] for name, value in main.items()}


def _disk(values: Drawn, main: Table) -> Table:
    if "disk_turn" in values:
        # Without a disk its shape is round: a divided ellipticity would come near to one.
        modulus = values["has_disk"] * values["source_ellipticity"] / _BULGE_ROUNDNESS
        e1, e2 = shape_components(modulus, values["source_orientation"] + values["disk_turn"])
        amplitude = values["disk_amplitude"] * values["has_disk"]
    else:
        e1, e2 = (main[name][:, 0] * values[f"disk_{name}_ratio"] for name in ("e1", "e2"))
        ratio = values["disk_amplitude_ratio"] * (1 - values["bulge_fraction"])
        amplitude = values["source_amplitude"] * ratio
    disk = {
        "amplitude": amplitude,
        "half_light_radius": values["source_half_light_radius"] * values["disk_radius_ratio"],
        "sersic_index": torch.ones_like(e1),
        "x0": main["x0"][:, 0] + values["disk_offset_x"],
        "y0": main["y0"][:, 0] + values["disk_offset_y"],
        "e1": e1,
        "e2": e2,
    }
    return {name: value[:, None] for name, value in disk.items()}


def _extras(drawn: Drawn, values: Drawn) -> Table:
    theta_e = values["theta_E"][:, None]
    if "extra_e1" in drawn:
        e1, e2 = drawn["extra_e1"], drawn["extra_e2"]
    else:
        e1, e2 = shape_components(drawn["extra_ellipticity"], drawn["extra_orientation"])
    amplitude = drawn["extra_amplitude"]
    return {
        "amplitude": amplitude * exists(values["num_extras"], amplitude.shape[1]),
        "half_light_radius": drawn["extra_half_light_radius"],
        "sersic_index": drawn["extra_sersic_index"],
        "x0": theta_e * drawn["extra_offset_x"],
        "y0": theta_e * drawn["extra_offset_y"],
        "e1": e1,
        "e2": e2,
    }


def _join(*tables: Table) -> Table:
    return {name: torch.cat([table[name] for table in tables], dim=1) for name in tables[0]}


def _clumps(
    declaration: Declaration,
    prefix: str,
    drawn: Drawn,
    values: Drawn,
    main: Table,
    *,
    wide: bool,
) -> Table:
    """Clumps with amplitudes relative to the pattern's maximum."""
    x, y = drawn[f"{prefix}_offset_x"], drawn[f"{prefix}_offset_y"]
    if not wide:
        # The same two numbers, now as area and angle of a disc about the source.
        spread = declaration[f"{prefix}_offset_x"].distribution.interval[1]
        share, turn = ((value + spread) / (2 * spread) for value in (x, y))
        radius = _CLUMP_REACH * main_radius(values)[:, None] * torch.sqrt(share)
        x = main["x0"] + radius * torch.cos(2 * math.pi * turn)
        y = main["y0"] + radius * torch.sin(2 * math.pi * turn)
    least = declaration[f"{prefix}_amplitude"].distribution.interval[0]
    share = (drawn[f"{prefix}_amplitude"] - least) / (1 - least)
    relative = least + (drawn[f"{prefix}_max_amplitude"] - least) * share
    there = exists(values[f"num_{prefix}s"] * values[f"has_{prefix}s"], relative.shape[1])
    return {
        "amplitude": relative * there,
        "sigma": drawn[f"{prefix}_sigma"],
        "x0": x,
        "y0": y,
    }


def _spiral(values: Drawn, main: Table) -> Table:
    winding = torch.zeros_like(values["spiral_phase"])
    if "spiral_turns" in values:
        winding = values["spiral_turns"] / (_CLUMP_REACH * main_radius(values))
    return {
        "amplitude": values["spiral_amplitude"] * values["has_spiral"],
        "phase": values["spiral_phase"],
        "winding": winding,
        "x0": main["x0"][:, 0],
        "y0": main["y0"][:, 0],
    }


def draw_source(
    declaration: Declaration,
    drawn: Drawn,
    values: Drawn,
    model: LightModel,
    *,
    wide_clumps: bool = False,
) -> ComponentSource:
    """Main profile, disk, companions; clumps relative to the maximum so far; the pattern.

    Where types of sources are declared, clumps and pattern come before the companions.

    Parameters
    ----------
    declaration : Declaration
        What is drawn.
    drawn : mapping of str to Tensor, (B, n)
        Every drawn quantity.
    values : mapping of str to Tensor, (B,)
        Those with one number for each lens.
    model : LightModel
        The Sersic profile.
    wide_clumps : bool, optional
        Scatter the clumps over the frame, as separate background sources, instead of
        within two half-light radii of the source.

    Returns
    -------
    ComponentSource
        With a total flux of one.
    """
    main = _main(values)
    own = _join(main, _disk(values, main)) if "disk_radius_ratio" in values else main
    profiles = _join(own, _extras(drawn, values))
    prefixes = [prefix for prefix in ("clump", "knot") if f"num_{prefix}s" in values]
    none = dict.fromkeys(("amplitude", "sigma", "x0", "y0"), main["x0"][:, :0])
    clumps = _join(
        none,
        *(
            _clumps(declaration, prefix, drawn, values, main, wide=wide_clumps)
            for prefix in prefixes
        ),
    )
    typed = "source_type" in values
    spiral = _spiral(values, main) if "has_spiral" in values else {}
    relative = clumps["amplitude"].clone()
    clumps["amplitude"].zero_()
    pattern = ComponentSource(
        model,
        own if typed else profiles,
        clumps,
        spiral if typed else {},
        own["amplitude"].shape[1] if typed else None,
    )
    for j in range(relative.shape[1]):
        if bool((relative[:, j] != 0).any()):
            clumps["amplitude"][:, j] = relative[:, j] * _pattern_maximum(pattern)
    source = replace(pattern, profiles=profiles, spiral=spiral)
    return source.scaled(1 / source.total_flux())


def _pattern_maximum(source: ComponentSource) -> Tensor:
    """Largest brightness at the components' centres, (B,).

    Sersic profiles are read half a diagonal of a 0.01 arcsec square from the centre, since
    the value at a cusp, hundreds of times larger, is not that of any pixel.
    """
    half = _PATTERN_STEP / 2
    x = torch.cat([source.profiles["x0"] + half, source.clumps["x0"]], dim=1)
    y = torch.cat([source.profiles["y0"] + half, source.clumps["y0"]], dim=1)
    return source(x, y).amax(dim=1)


def source_frame(source: ComponentSource, size: int) -> tuple[Tensor, Tensor]:
    """Grid of the truth: the square that holds three half-light radii of every component.

    Parameters
    ----------
    source : ComponentSource
        Sources of B lenses.
    size : int
        Pixels along a side.

    Returns
    -------
    centre : Tensor, (B, 2), arcsec
        Position (x, y) of the grid's centre.
    pixel_scale : Tensor, (B,), arcsec
        Side of a pixel.
    """
    places, reaches = [], []
    half_light = math.sqrt(2 * math.log(2))
    for table, radius in (
        (source.profiles, source.profiles["half_light_radius"]),
        (source.clumps, half_light * source.clumps["sigma"]),
    ):
        there = table["amplitude"] != 0
        places.append(torch.stack([table["x0"], table["y0"]], dim=-1))
        reaches.append(torch.where(there, _FRAME_REACH * radius, -torch.inf))
    if source.galaxies is not None:
        places.append(torch.stack([source.galaxies.x0, source.galaxies.y0], dim=-1)[:, None])
        reaches.append(source.galaxies.reach()[:, None])
    place, reach = torch.cat(places, dim=1), torch.cat(reaches, dim=1)[..., None]
    low = (place - reach).amin(dim=1)
    high = (place + reach).amax(dim=1)
    return (low + high) / 2, (high - low).amax(dim=1) / size

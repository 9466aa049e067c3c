"""The draw of light that is not lensed: the lens galaxy, a second one, field objects."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

import torch

from astrorim_plugins.simulators.draws.shapes import exists, shape_components

if TYPE_CHECKING:
    from torch import Tensor

    from astrorim.interfaces import LightModel

__all__ = ["draw_lens_light", "draw_neighbours", "draw_second_light"]

_STAR_SHARE = 0.2
"""Least share of stars among the field objects, where there are stars."""

_SUB_PIXELS = 4
"""Amplitudes of field objects are declared per sub-pixel, four along a pixel's side."""

Drawn = Mapping[str, "Tensor"]


def draw_lens_light(drawn: Drawn, values: Drawn, model: LightModel) -> dict[str, Tensor]:
    """Sersic profile of the lens galaxy.

    Parameters
    ----------
    drawn : mapping of str to Tensor, (B, n)
        Every drawn quantity.
    values : mapping of str to Tensor, (B,)
        Those with one number for each lens.
    model : LightModel
        The Sersic profile.

    Returns
    -------
    dict of str to Tensor, (B,)
        By the model's names, with a total flux of one.
    """
    e1, e2 = shape_components(values["ellipticity"], values["orientation"])
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
    light["amplitude"] = 1 / model.total_flux(light)
    return light


def draw_second_light(
    values: Drawn, lens: Mapping[str, Tensor], light: Mapping[str, Tensor], model: LightModel
) -> dict[str, Tensor]:
    r"""Light of the second deflector, in units of the first one's flux.

    Luminosity follows the fourth power of the velocity dispersion (Faber & Jackson 1976,
    ApJ 204, 668), so that fluxes are as :math:`\theta_E^2`; half-light radii are as
    :math:`\theta_E`, and the shape is that of the mass.

    Parameters
    ----------
    values : mapping of str to Tensor, (B,)
        Drawn quantities.
    lens, light : mapping of str to Tensor, (B,)
        Mass, and light of the first deflector.
    model : LightModel
        The Sersic profile.

    Returns
    -------
    dict of str to Tensor, (B, 1)
        By the model's names; amplitude zero where there is no second deflector.
    """
    ratio = values["second_ratio"]
    second = {
        "amplitude": torch.ones_like(ratio),
        "half_light_radius": light["half_light_radius"] * ratio,
        "sersic_index": values["second_sersic_index"],
        "e1": lens["e1_second"],
        "e2": lens["e2_second"],
        "x0": lens["x0_second"],
        "y0": lens["y0_second"],
    }
    flux = ratio**2 * values["has_second"]
    second["amplitude"] = flux / model.total_flux(second)
    return {name: value[:, None] for name, value in second.items()}


def draw_neighbours(
    drawn: Drawn, values: Drawn, frame: Tensor, sub_pixel: Tensor
) -> tuple[dict[str, Tensor], dict[str, Tensor]]:
    """Field galaxies and stars, uniform over the frame.

    Parameters
    ----------
    drawn : mapping of str to Tensor, (B, n)
        Every drawn quantity.
    values : mapping of str to Tensor, (B,)
        Those with one number for each lens.
    frame : Tensor, (2,), arcsec
        Width and height of the frame.
    sub_pixel : Tensor, (B,), arcsec
        A quarter of a detector pixel's side.

    Returns
    -------
    galaxies : dict of str to Tensor, (B, n)
        Sersic parameters; counts/arcsec^2, amplitude zero for those that do not exist.
    stars : dict of str to Tensor, (B, n)
        ``amplitude`` (counts/arcsec^2), ``fwhm``, ``x0``, ``y0`` (arcsec), ``beta``;
        empty where stars are not declared.
    """
    amplitude = drawn["neighbour_amplitude"]
    most = amplitude.shape[1]
    number = values["num_neighbours"] * values["has_neighbours"]
    there = exists(number, most)
    area = (sub_pixel**2)[:, None]
    place = {
        f"{axis}0": drawn[f"neighbour_offset_{axis}"] * side
        for axis, side in zip("xy", frame.tolist(), strict=True)
    }
    stars: dict[str, Tensor] = {}
    galaxy = there
    if "star_amplitude" in drawn:
        galaxy = exists(torch.floor((1 - _STAR_SHARE) * number), most)
        stars = {
            "amplitude": drawn["star_amplitude"] * (there - galaxy) / area,
            "fwhm": drawn["star_fwhm"],
            "beta": drawn["star_beta"],
            **place,
        }
    galaxies = {
        "amplitude": amplitude * galaxy / area,
        "half_light_radius": drawn["neighbour_half_light_radius"],
        "sersic_index": drawn["neighbour_sersic_index"],
        "e1": drawn["neighbour_e1"],
        "e2": drawn["neighbour_e2"],
        **place,
    }
    return galaxies, stars

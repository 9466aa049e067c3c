"""The draw of the mass: main deflector, shear, halos, subhalos, a second galaxy."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import TYPE_CHECKING

import torch

from astrorim.exceptions import SimulationError
from astrorim_plugins.lens_models.nfw import NFW
from astrorim_plugins.simulators.draws.shapes import exists, shape_components

if TYPE_CHECKING:
    from torch import Tensor

    from astrorim.parameters import Parameter
    from astrorim_plugins.simulators.declaration import Declaration
    from astrorim_plugins.simulators.distances import Distances

__all__ = ["LENS_PREFIX", "draw_mass", "draw_strength"]

LENS_PREFIX = "lens_"
"""What the names of lens parameters that no declaration knows begin with when drawn."""

_PIVOT_MASS = 1e14
"""Mass at which a group halo has a concentration of five, solar masses."""

_LEAST_SHARE = 0.2
"""Of the Einstein radius that a galaxy in its own halo keeps."""

Drawn = Mapping[str, "Tensor"]


def draw_strength(
    declaration: Declaration, drawn: dict[str, Tensor], distances: Distances
) -> None:
    r"""Settle redshifts and Einstein radius, in place.

    Where a velocity dispersion is declared, the Einstein radius is that of the isothermal
    sphere, :math:`4 \pi (\sigma/c)^2 D_{ls}/D_s`. Where an interval of Einstein radii is
    wanted, the first of the drawn redshifts and dispersions that reaches it is kept, or
    the very first if the lens draws ``any_theta_E``.

    Parameters
    ----------
    declaration : Declaration
        What is drawn.
    drawn : dict of str to Tensor, (B, n)
        Gets ``theta_E``, (B, 1), arcsec; redshifts and dispersion become (B, 1).
    distances : Distances
        Cosmology.
    """
    if "velocity_dispersion" not in drawn:
        return
    names = ("velocity_dispersion", "z_lens", "z_source")
    drawn["theta_E"] = distances.einstein_radius(*(drawn[name] for name in names))
    if declaration.keep_theta_E is not None:
        low, high = declaration.keep_theta_E
        kept = (drawn["theta_E"] >= low) & (drawn["theta_E"] <= high)
        kept = kept | (drawn["any_theta_E"] > 0)
        first = kept.to(torch.uint8).argmax(dim=1, keepdim=True)
        for name in (*names, "theta_E"):
            drawn[name] = drawn[name].gather(1, first)


def _galaxy_in_halo(theta_e: Tensor, kappa_s: Tensor, rs: Tensor) -> Tensor:
    r"""Einstein radius of a galaxy that has a given one together with its own halo.

    The mean convergence of both inside :math:`\theta_E` is one for
    :math:`\theta_E - \alpha_\mathrm{NFW}(\theta_E)`. At least a fifth of the radius stays
    the galaxy's. Where that matters both together reach farther: the declared halos do so
    in one lens in eight of those of `enhanced` that have one, and in two of five of
    `realistic`, whose galaxies are small.
    """
    zero = torch.zeros_like(theta_e)
    halo = {"kappa_s": kappa_s, "rs": rs, "x0": zero, "y0": zero}
    deflection, _ = NFW().deflection(theta_e, zero, halo)
    return torch.maximum(theta_e - deflection, _LEAST_SHARE * theta_e)


def _group_halo(values: Drawn, distances: Distances) -> dict[str, Tensor]:
    r"""Parameters of the group halo: from its mass, or from its deflection at :math:`R_s`.

    :math:`\alpha(R_s) = 4 \kappa_s R_s (1 - \ln 2)` (Meneghetti et al. 2003, A&A 403, 11,
    from their equation 4 at x = 1); concentration :math:`5\,(M/10^{14} M_\odot)^{-0.1}`.
    """
    if "group_log_mass" in values:
        mass = 10 ** values["group_log_mass"]
        concentration = 5 * (mass / _PIVOT_MASS) ** -0.1
        kappa_s, rs = distances.halo(mass, concentration, values["z_lens"], values["z_source"])
    else:
        rs = values["group_rs"]
        kappa_s = values["group_deflection"] / (4 * rs * (1 - math.log(2)))
    place = {}
    for axis in "xy":
        if f"group_offset_ratio_{axis}" in values:
            offset = values[f"group_offset_ratio_{axis}"] * values["theta_E"]
        else:
            offset = values[f"group_offset_{axis}"]
        place[axis] = values[f"{axis}0"] + offset
    return {
        "kappa_s_group": kappa_s * values["has_group"],
        "rs_group": rs,
        "x0_group": place["x"],
        "y0_group": place["y"],
    }


def _second(values: Drawn) -> dict[str, Tensor]:
    e1, e2 = shape_components(values["second_ellipticity"], values["second_orientation"])
    theta_e = values["theta_E"]
    return {
        "theta_E_second": theta_e * values["second_ratio"] * values["has_second"],
        "e1_second": e1,
        "e2_second": e2,
        "x0_second": values["x0"] + values["second_offset_x"] * theta_e,
        "y0_second": values["y0"] + values["second_offset_y"] * theta_e,
    }


def _subhalos(drawn: Drawn, values: Drawn) -> dict[str, Tensor]:
    theta_e = drawn["subhalo_theta_E"]
    most = theta_e.shape[1]
    theta_e = theta_e * exists(values["num_subhalos"] * values["has_subhalos"], most)
    lens = {}
    for j in range(most):
        lens[f"theta_E_sub{j + 1}"] = theta_e[:, j]
        for axis in "xy":
            offset = drawn[f"subhalo_offset_{axis}"][:, j] * values["theta_E"]
            lens[f"{axis}0_sub{j + 1}"] = values[f"{axis}0"] + offset
    return lens


def draw_mass(
    parameters: tuple[Parameter, ...], drawn: Drawn, values: Drawn, distances: Distances
) -> dict[str, Tensor]:
    """Lens parameters of a batch.

    The Einstein radius that is drawn is that of the galaxy together with a halo about its
    centre, so that a halo does not push the arcs out of the frame.

    Parameters
    ----------
    parameters : tuple of Parameter
        Of the lens model.
    drawn : mapping of str to Tensor, (B, n)
        Every drawn quantity.
    values : mapping of str to Tensor, (B,)
        Those with one number for each lens.
    distances : Distances
        Cosmology.

    Returns
    -------
    dict of str to Tensor, (B,)
        In the units of ``parameters``; a component that a lens does not have has the
        strength zero.

    Raises
    ------
    SimulationError
        If the lens model has a parameter that is not drawn.
    """
    e1, e2 = shape_components(values["ellipticity"], values["orientation"])
    gamma1, gamma2 = shape_components(values["gamma"], values["gamma_orientation"])
    lens = {
        "theta_E": values["theta_E"],
        "e1": e1,
        "e2": e2,
        "x0": values["x0"],
        "y0": values["y0"],
        "gamma1": gamma1,
        "gamma2": gamma2,
    }
    if "has_halo" in values:
        lens |= {"kappa_s": values["kappa_s"] * values["has_halo"], "rs": values["rs"]}
        if any(p.name == "kappa_s" for p in parameters):
            lens["theta_E"] = _galaxy_in_halo(values["theta_E"], lens["kappa_s"], lens["rs"])
    if "has_group" in values:
        lens |= _group_halo(values, distances)
    if "has_second" in values:
        lens |= _second(values)
    if "has_subhalos" in values:
        lens |= _subhalos(drawn, values)
    others = {p.name: LENS_PREFIX + p.name for p in parameters if p.name not in lens}
    missing = [name for name, key in others.items() if key not in values]
    if missing:
        raise SimulationError(f"lens parameters without a draw: {', '.join(missing)}")
    lens |= {name: values[key] for name, key in others.items()}
    return {p.name: lens[p.name] for p in parameters}

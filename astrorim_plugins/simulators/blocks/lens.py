"""Quantities of the mass: redshifts, galaxy, shear, halos, subhalos."""

from __future__ import annotations

import astropy.units as u

from astrorim_plugins.simulators.blocks.ranges import NONE, angle, axes, plus_minus
from astrorim_plugins.simulators.declaration import Quantity
from astrorim_plugins.simulators.distributions import (
    Chance,
    Distribution,
    TruncatedPoisson,
    Uniform,
)

__all__ = ["centred_halo", "group_halo", "mass", "redshifts", "second_deflector", "subhalos"]


def redshifts(z_lens: Distribution, z_source: Distribution, count: int = 1) -> tuple:
    """Redshifts of lens and source."""
    return (
        Quantity("z_lens", r"z_\ell", NONE, z_lens, "redshift of the lens", count),
        Quantity("z_source", "z_s", NONE, z_source, "redshift of the source", count),
    )


def mass(
    strength: Quantity,
    ellipticity: Distribution,
    centre: float,
    shear: Distribution,
) -> tuple[Quantity, ...]:
    """Main deflector and external shear; strength by Einstein radius or dispersion."""
    return (
        strength,
        Quantity("ellipticity", "e", NONE, ellipticity, "(1-q)/(1+q) of the mass"),
        angle("orientation", r"\phi", "position angle of the mass"),
        Quantity("x0", "x_0", u.arcsec, plus_minus(centre), "lens centre"),
        Quantity("y0", "y_0", u.arcsec, plus_minus(centre), "lens centre"),
        Quantity("gamma", r"\gamma", NONE, shear, "external shear"),
        angle("gamma_orientation", r"\phi_\gamma", "position angle of the shear"),
    )


def centred_halo() -> tuple[Quantity, ...]:
    """NFW halo about the lens galaxy's centre."""
    return (
        Quantity("has_halo", "P_h", NONE, Chance(0.3), "an NFW halo about the lens' centre"),
        Quantity("kappa_s", r"\kappa_s", NONE, Uniform(0.0, 0.2), "characteristic convergence"),
        Quantity("rs", "r_s", u.arcsec, Uniform(2.0, 15.0), "scale radius"),
    )


def group_halo(
    probability: float,
    deflection: Distribution | None,
    scale_radius: Distribution | None,
    offset: Distribution,
    *,
    in_einstein_radii: bool = False,
) -> tuple[Quantity, ...]:
    """NFW halo of a group that the lens lives in, off its centre."""
    text = "group halo's centre minus the lens'"
    if in_einstein_radii:
        place = axes("group_offset_ratio", r"x_g/\theta_E", NONE, offset, text)
    else:
        place = axes("group_offset", "x_g", u.arcsec, offset, text)
    return (
        Quantity("has_group", "P_g", NONE, Chance(probability), "a group halo"),
        *(
            ()
            if deflection is None
            else (
                Quantity(
                    "group_deflection", r"\alpha_{R_s}", u.arcsec, deflection,
                    "deflection at the scale radius",
                ),
            )
        ),
        *(
            ()
            if scale_radius is None
            else (Quantity("group_rs", "R_g", u.arcsec, scale_radius, "scale radius"),)
        ),
        *place,
    )  # fmt: skip


def subhalos(
    probability: float, number: TruncatedPoisson, theta_e: Distribution, reach: float
) -> tuple[Quantity, ...]:
    """Isothermal subhalos about the lens."""
    most = number.most
    return (
        Quantity("has_subhalos", "P_b", NONE, Chance(probability), "subhalos, if any come"),
        Quantity("num_subhalos", "N_b", NONE, number, "number of subhalos"),
        Quantity("subhalo_theta_E", r"\theta_b", u.arcsec, theta_e, "Einstein radius", most),
        *axes(
            "subhalo_offset", r"x_b/\theta_E", NONE, plus_minus(reach),
            "centre minus the lens', in Einstein radii", most,
        ),
    )  # fmt: skip


def second_deflector(probability: float) -> tuple[Quantity, ...]:
    """Second galaxy beside the lens, with mass and light."""
    return (
        Quantity("has_second", "P_2", NONE, Chance(probability), "a second deflector"),
        Quantity(
            "second_ratio", r"\theta_2/\theta_E", NONE, Uniform(0.25, 0.9),
            "its Einstein radius over the first one's",
        ),
        Quantity("second_ellipticity", "e_2", NONE, Uniform(0.0, 0.7), "of its mass"),
        angle("second_orientation", r"\phi_2", "position angle of its mass"),
        *axes(
            "second_offset", r"x_2/\theta_E", NONE, plus_minus(0.6),
            "centre minus the first one's, in Einstein radii",
        ),
        Quantity("second_sersic_index", "n_2", NONE, Uniform(2.5, 5.0), "of its light"),
    )  # fmt: skip

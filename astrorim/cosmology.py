r"""Distances and the critical surface density, from any astropy cosmology.

The critical surface density is (Schneider, Ehlers & Falco 1992, Gravitational Lenses,
eq. 5.5; Narayan & Bartelmann 1996, arXiv:astro-ph/9606001, eq. 17)

.. math::

    \Sigma_\mathrm{crit} = \frac{c^2}{4 \pi G} \frac{D_s}{D_l D_{ls}}

with angular diameter distances; :math:`D_{ls}` is not :math:`D_s - D_l`.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import astropy.constants as const
import astropy.cosmology
import astropy.units as u
import numpy as np
from astropy.cosmology import Cosmology, FlatLambdaCDM

from astrorim.exceptions import UnknownNameError

__all__ = [
    "LensingDistances",
    "check_redshifts",
    "critical_surface_density",
    "lensing_distances",
    "mass_inside",
    "resolve_cosmology",
    "sis_velocity_dispersion",
]


@dataclass(frozen=True)
class LensingDistances:
    """The three angular diameter distances of a lens.

    Parameters
    ----------
    lens : `~astropy.units.Quantity`
        From us to the lens, Mpc.
    source : `~astropy.units.Quantity`
        From us to the source, Mpc.
    lens_to_source : `~astropy.units.Quantity`
        From the lens to the source, Mpc.
    """

    lens: u.Quantity
    source: u.Quantity
    lens_to_source: u.Quantity


def resolve_cosmology(
    cosmology: str | Cosmology = "Planck15",
    *,
    H0: float | u.Quantity | None = None,
    Om0: float | None = None,
) -> Cosmology:
    """Turn a name, an object or two numbers into an astropy cosmology.

    Parameters
    ----------
    cosmology : str or `~astropy.cosmology.Cosmology`, optional
        The name of one of astropy's cosmologies, taken as astropy has it, or any
        cosmology; ``"FlatLambdaCDM"`` stands for one made from ``H0`` and ``Om0``.
    H0 : float or `~astropy.units.Quantity`, optional
        Hubble constant, km/s/Mpc where a plain number. Goes with ``Om0``.
    Om0 : float, optional
        Matter density today, in units of the critical density.

    Returns
    -------
    `~astropy.cosmology.Cosmology`

    Raises
    ------
    UnknownNameError
        If astropy has no cosmology of this name; the message lists those it has.
    TypeError
        If ``cosmology`` is neither a name nor a cosmology.
    ValueError
        If only one of ``H0`` and ``Om0`` is given, they come with a named cosmology, or
        one of them is not a possible value.

    Examples
    --------
    >>> from astrorim.cosmology import resolve_cosmology
    >>> resolve_cosmology("Planck18").name
    'Planck18'
    >>> resolve_cosmology("FlatLambdaCDM", H0=70, Om0=0.3).Om0
    0.3
    """
    if isinstance(cosmology, Cosmology):
        if H0 is not None or Om0 is not None:
            raise ValueError(
                f"H0 and Om0 must be left out when a cosmology is given, got H0={H0}, "
                f"Om0={Om0} with {cosmology.name or type(cosmology).__name__}"
            )
        return cosmology
    if not isinstance(cosmology, str):
        raise TypeError(
            "cosmology must be the name of an astropy cosmology or an instance of one, "
            f"got {type(cosmology).__name__}"
        )
    if cosmology == "FlatLambdaCDM":
        return _flat(H0, Om0)
    if H0 is not None or Om0 is not None:
        raise ValueError(
            f"H0 and Om0 must come with cosmology='FlatLambdaCDM', got {cosmology!r}, "
            f"H0={H0}, Om0={Om0}"
        )
    names = astropy.cosmology.available
    if cosmology not in names:
        raise UnknownNameError("cosmology", cosmology, [*names, "FlatLambdaCDM"])
    return getattr(astropy.cosmology, cosmology)


def _flat(H0: float | u.Quantity | None, Om0: float | None) -> FlatLambdaCDM:
    if H0 is None or Om0 is None:
        raise ValueError(
            f"FlatLambdaCDM must be given both H0 and Om0, got H0={H0}, Om0={Om0}; "
            "for example H0=70, Om0=0.3"
        )
    rate = u.Quantity(H0, u.km / u.s / u.Mpc)
    if not (0 < rate.value < math.inf and 0 <= float(Om0) < math.inf):
        raise ValueError(f"H0 must be positive and Om0 not negative, got H0={H0}, Om0={Om0}")
    return FlatLambdaCDM(H0=rate, Om0=float(Om0))


def check_redshifts(z_lens: float | None, z_source: float | None) -> tuple[float, float]:
    """Make sure that the source lies behind the lens.

    Parameters
    ----------
    z_lens, z_source : float
        Redshifts.

    Returns
    -------
    tuple of float
        Both redshifts.

    Raises
    ------
    ValueError
        If one is missing or not finite, the lens is not in front of us, or the source
        is not behind the lens.
    """
    for label, redshift in (("z_lens", z_lens), ("z_source", z_source)):
        if redshift is None or not math.isfinite(redshift):
            raise ValueError(
                f"{label} must be a redshift, got {redshift}; give it when the observation "
                f"is read, LensObservation.read(..., {label}=...), or set "
                f"observation.{label}"
            )
    if not 0 < z_lens < z_source:  # type: ignore[operator]
        raise ValueError(
            f"z_source must exceed z_lens and z_lens must be positive, got z_lens={z_lens}, "
            f"z_source={z_source}; they may be swapped"
        )
    return float(z_lens), float(z_source)  # type: ignore[arg-type]


def lensing_distances(
    z_lens: float, z_source: float, cosmology: str | Cosmology = "Planck15"
) -> LensingDistances:
    """Angular diameter distances of a lens and its source.

    Parameters
    ----------
    z_lens, z_source : float
        Redshifts; the source must lie behind the lens.
    cosmology : str or `~astropy.cosmology.Cosmology`, optional
        As for `resolve_cosmology`.

    Returns
    -------
    LensingDistances

    Raises
    ------
    ValueError
        If ``z_source`` does not exceed ``z_lens``.
    """
    z_lens, z_source = check_redshifts(z_lens, z_source)
    model = resolve_cosmology(cosmology)
    distance = model.angular_diameter_distance  # type: ignore[attr-defined]
    try:
        between = distance(z_lens, z_source)
    except TypeError:  # astropy < 8 has another method for two redshifts
        between = model.angular_diameter_distance_z1z2(  # type: ignore[attr-defined]
            z_lens, z_source
        )
    return LensingDistances(
        *(d.to(u.Mpc) for d in (distance(z_lens), distance(z_source), between))
    )


def critical_surface_density(
    z_lens: float, z_source: float, cosmology: str | Cosmology = "Planck15"
) -> u.Quantity:
    r"""Critical surface density :math:`\Sigma_\mathrm{crit}` (see the module's formula).

    Parameters
    ----------
    z_lens, z_source : float
        Redshifts; the source must lie behind the lens.
    cosmology : str or `~astropy.cosmology.Cosmology`, optional
        As for `resolve_cosmology`.

    Returns
    -------
    `~astropy.units.Quantity`
        Msun / kpc^2.

    Raises
    ------
    ValueError
        If ``z_source`` does not exceed ``z_lens``.

    Examples
    --------
    >>> from astrorim.cosmology import critical_surface_density
    >>> print(f"{critical_surface_density(0.5, 2.0, 'Planck15'):.4g}")
    2.023e+09 solMass / kpc2
    """
    d = lensing_distances(z_lens, z_source, cosmology)
    density = const.c**2 / (4 * np.pi * const.G) * d.source / (d.lens * d.lens_to_source)
    return density.to(u.Msun / u.kpc**2)


def mass_inside(
    radius: u.Quantity,
    mean_convergence: float | np.ndarray,
    *,
    z_lens: float,
    z_source: float,
    cosmology: str | Cosmology = "Planck15",
) -> u.Quantity:
    r"""Mass projected inside a circle.

    :math:`M = \pi (D_l \theta)^2 \, \bar\kappa(<\theta) \, \Sigma_\mathrm{crit}`, with
    :math:`\theta` in radians (Narayan & Bartelmann 1996, eq. 21, where
    :math:`\bar\kappa = 1`).

    Parameters
    ----------
    radius : `~astropy.units.Quantity`, (...)
        Angular radius :math:`\theta`.
    mean_convergence : float or ndarray, (...)
        Mean convergence inside; 1 at the effective Einstein radius.
    z_lens, z_source : float
        Redshifts; the source must lie behind the lens.
    cosmology : str or `~astropy.cosmology.Cosmology`, optional
        As for `resolve_cosmology`.

    Returns
    -------
    `~astropy.units.Quantity`, (...)
        Msun.

    Raises
    ------
    ValueError
        If ``z_source`` does not exceed ``z_lens``.
    """
    d = lensing_distances(z_lens, z_source, cosmology)
    length = (radius.to(u.rad).value * d.lens).to(u.kpc)
    density = critical_surface_density(z_lens, z_source, cosmology)
    return (np.pi * length**2 * np.asarray(mean_convergence) * density).to(u.Msun)


def sis_velocity_dispersion(
    radius: u.Quantity,
    *,
    z_lens: float,
    z_source: float,
    cosmology: str | Cosmology = "Planck15",
) -> u.Quantity:
    r"""Velocity dispersion of the singular isothermal sphere of an Einstein radius.

    :math:`\sigma = c \sqrt{\theta_E D_s / (4 \pi D_{ls})}`, with :math:`\theta_E` in
    radians. It is a number of that model, not a measured stellar velocity dispersion.

    Parameters
    ----------
    radius : `~astropy.units.Quantity`, (...)
        Einstein radius.
    z_lens, z_source : float
        Redshifts; the source must lie behind the lens.
    cosmology : str or `~astropy.cosmology.Cosmology`, optional
        As for `resolve_cosmology`.

    Returns
    -------
    `~astropy.units.Quantity`, (...)
        km / s.

    Raises
    ------
    ValueError
        If ``z_source`` does not exceed ``z_lens``.
    """
    d = lensing_distances(z_lens, z_source, cosmology)
    ratio = (d.source / d.lens_to_source).to_value(u.one)
    return const.c.to(u.km / u.s) * np.sqrt(radius.to_value(u.rad) * ratio / (4 * np.pi))

"""Tables of a mass profile: derived quantities, against radius, and against angle."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import astropy.units as u
import numpy as np
from astropy.table import QTable

from astrorim.cosmology import mass_inside
from astrorim.grid import sky_position_angle
from astrorim.results.apertures import (
    check_radii,
    mean_convergence_inside,
    ring_convergence,
)
from astrorim.results.mass_shape import (
    contour_ellipticity,
    convergence_on_circle,
    critical_radius,
)
from astrorim.results.parameter_table import ROWS, bounds_from_samples

if TYPE_CHECKING:
    from astrorim.results.mass_profile import MassProfile

__all__ = ["angular_table", "derived_table", "radial_table"]

_MAX_SAMPLES = 200
"""Posterior samples, evenly spread, that shapes and critical curves are followed for."""

_NUM_ANGLES = 128
"""Points on each circle; the quadrature converges exponentially."""


def _parameters(profile: MassProfile) -> dict[str, np.ndarray]:
    """Point estimate first, then up to `_MAX_SAMPLES` samples, (1 + S,) each."""
    number = max((chain.size for chain in profile.samples.values()), default=0)
    chosen = np.unique(np.linspace(0, number - 1, min(number, _MAX_SAMPLES)).astype(int))
    return {
        name: np.concatenate(
            [[value], profile.samples.get(name, np.full(number, value))[chosen]]
        )
        for name, value in profile.lens.items()
    }


def _bounds(values: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Point estimate, lower and upper 68 % bound of (1 + S, ...); NaN without samples."""
    nothing = np.full(values.shape[1:], np.nan)
    lower, upper = nothing, nothing
    if len(values) > 1:
        enough = np.isfinite(values[1:]).mean(axis=0) > 0.5
        filled = np.where(enough, values[1:], 0.0)
        quantiles = np.nanquantile(filled, [0.16, 0.84], axis=0)
        lower, upper = (np.where(enough, q, np.nan) for q in quantiles)
    return values[0], lower, upper


def _axis_bounds(angles: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """As `_bounds` for axes, rad, of period pi."""
    turned = angles[0] + np.mod(angles - angles[0] + math.pi / 2, math.pi) - math.pi / 2
    return _bounds(turned)


def _position_angles(
    profile: MassProfile, rows: tuple[np.ndarray, ...]
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Sky position angles, deg, of image axes with their bounds; a mirror swaps these."""
    value, lower, upper = rows
    if profile.wcs is None:
        nothing = np.full(np.shape(value), np.nan)
        return nothing, nothing, nothing
    angle = sky_position_angle(value, profile.wcs)
    ends = np.stack(
        [
            angle + (sky_position_angle(end, profile.wcs) - angle + 90) % 180 - 90
            for end in (lower, upper)
        ]
    )
    return angle, ends.min(axis=0), ends.max(axis=0)


def _add(table: QTable, name: str, rows: tuple[np.ndarray, ...], unit: u.UnitBase) -> None:
    for suffix, row in zip(("", "_lower", "_upper"), rows, strict=True):
        table[name + suffix] = np.asarray(row) * unit


def radial_table(profile: MassProfile, radii: u.Quantity) -> QTable:
    """Convergence, mass and shape against radius.

    Parameters
    ----------
    profile : MassProfile
        The lens.
    radii : `~astropy.units.Quantity`, (R,)
        Angular radii, positive.

    Returns
    -------
    `~astropy.table.QTable`
        ``radius`` (arcsec) and ``radius_kpc`` (kpc); then, each with ``_lower`` and
        ``_upper`` 68 % bounds, NaN without samples: ``convergence`` (mean on the circle),
        ``mean_convergence`` (inside), ``mass`` (Msun, inside), and of the contour of the
        convergence at that radius ``axis_ratio``, ``image_angle`` (deg,
        counter-clockwise from +x) and ``position_angle`` (deg, east of north; NaN
        without a WCS).
    """
    plain = check_radii(radii)
    radius = plain * u.arcsec
    params = _parameters(profile)
    number = len(next(iter(params.values())))
    circles = np.broadcast_to(plain, (number, plain.size))
    table = QTable({"radius": radius, "radius_kpc": profile.to_kpc(radius)})
    kappa = ring_convergence(profile.model, params, circles, num_angles=_NUM_ANGLES)
    _add(table, "convergence", _bounds(kappa), u.one)
    mean = mean_convergence_inside(profile.model, params, circles, num_angles=_NUM_ANGLES)
    rows = _bounds(mean)
    _add(table, "mean_convergence", rows, u.one)
    mass = tuple(
        mass_inside(
            radius, row, z_lens=profile.z_lens, z_source=profile.z_source,
            cosmology=profile.cosmology,
        ).to_value(u.Msun)
        for row in rows
    )  # fmt: skip
    _add(table, "mass", mass, u.Msun)
    ellipticity = contour_ellipticity(profile.model, params, plain)
    modulus = np.abs(ellipticity)
    _add(table, "axis_ratio", _bounds((1 - modulus) / (1 + modulus)), u.one)
    axes = _axis_bounds(np.mod(np.angle(ellipticity) / 2, math.pi))
    _add(table, "image_angle", tuple(np.degrees(a) for a in axes), u.deg)
    _add(table, "position_angle", _position_angles(profile, axes), u.deg)
    return table


def angular_table(profile: MassProfile, num_angles: int = 72) -> QTable:
    """Convergence and critical curve against angle at the effective Einstein radius.

    Shear has no convergence; it shows in the critical curve alone.

    Parameters
    ----------
    profile : MassProfile
        The lens.
    num_angles : int, optional
        Number P of directions.

    Returns
    -------
    `~astropy.table.QTable`
        ``image_angle`` (deg, counter-clockwise from +x), ``position_angle`` (deg, east
        of north, 0 to 360; NaN without a WCS); then with 68 % bounds ``convergence`` on
        the circle of that radius and ``critical_radius`` (arcsec), the distance of the
        tangential critical curve from the lens.
    """
    angles = 2 * math.pi * np.arange(num_angles) / num_angles
    params = _parameters(profile)
    number = len(next(iter(params.values())))
    radius = profile.einstein_radius.to_value(u.arcsec)
    kappa = convergence_on_circle(profile.model, params, radius, angles)[:, 0]
    critical = critical_radius(profile.model, params, angles, np.full(number, radius))
    position = np.full(num_angles, np.nan)
    if profile.wcs is not None:
        direction = np.stack([np.cos(angles), np.sin(angles)])
        east, north = profile.wcs.celestial.pixel_scale_matrix @ direction
        position = np.degrees(np.arctan2(east, north)) % 360
    table = QTable(
        {"image_angle": np.degrees(angles) * u.deg, "position_angle": position * u.deg}
    )
    _add(table, "convergence", _bounds(kappa), u.one)
    _add(table, "critical_radius", _bounds(critical), u.arcsec)
    return table


def derived_table(profile: MassProfile) -> QTable:
    """Derived quantities with their 68 % bounds, by the name of their definition.

    Parameters
    ----------
    profile : MassProfile
        The lens.

    Returns
    -------
    `~astropy.table.QTable`
        Rows ``value``, ``lower`` and ``upper`` (column ``row``); columns with units, each
        described in its ``info.description``.
    """
    params = _parameters(profile)
    number = len(next(iter(params.values())))
    radius = profile.einstein_radius.to_value(u.arcsec)
    angles = 2 * math.pi * np.arange(64) / 64
    critical = critical_radius(profile.model, params, angles, np.full(number, radius))
    area = np.sqrt(np.mean(critical**2, axis=1))
    if not np.isfinite(area[0]):
        area[0] = profile.critical_curve_radius.to_value(u.arcsec)
    ellipticity = contour_ellipticity(profile.model, params, np.array([radius]))[:, 0]
    modulus = np.abs(ellipticity)
    axes = _axis_bounds(np.mod(np.angle(ellipticity) / 2, math.pi))

    def with_bounds(name: str) -> u.Quantity:
        value = getattr(profile, name)
        return u.Quantity([value, *getattr(profile, f"{name}_bounds")])

    rows: dict[str, tuple[u.Quantity, str]] = {}
    if "theta_E" in profile.lens:
        theta = profile.lens["theta_E"]
        chain = profile.samples.get("theta_E")
        ends = (math.nan, math.nan) if chain is None else bounds_from_samples(theta, chain)
        rows["theta_E"] = (
            u.Quantity([theta, *ends], u.arcsec),
            "parameter of the main component, intermediate axis (product average)",
        )
    rows["einstein_radius"] = (
        with_bounds("einstein_radius"), "effective: mean convergence 1 inside, whole model"
    )  # fmt: skip
    rows["critical_curve_radius"] = (
        u.Quantity(_bounds(area), u.arcsec),
        "radius of the circle with the area inside the tangential critical curve",
    )
    rows["einstein_radius_kpc"] = (
        profile.to_kpc(rows["einstein_radius"][0]), "effective Einstein radius at the lens"
    )  # fmt: skip
    rows["einstein_mass"] = (
        with_bounds("einstein_mass"), "projected inside the effective Einstein radius"
    )  # fmt: skip
    rows["sis_velocity_dispersion"] = (
        with_bounds("sis_velocity_dispersion"),
        "of the singular isothermal sphere of the same effective Einstein radius",
    )
    rows["axis_ratio"] = (
        u.Quantity(_bounds((1 - modulus) / (1 + modulus))),
        "of the contour of the convergence at the effective Einstein radius",
    )
    rows["image_angle"] = (
        u.Quantity(np.degrees(np.array(axes)), u.deg),
        "major axis of that contour, counter-clockwise from +x on the image",
    )
    rows["position_angle"] = (
        u.Quantity(_position_angles(profile, axes), u.deg),
        "major axis of that contour on the sky, east of north; needs a WCS",
    )
    density = profile.critical_surface_density
    rows["critical_surface_density"] = (
        u.Quantity([density] * 3), "at fixed redshifts and cosmology: no bounds of its own"
    )  # fmt: skip
    columns: dict[str, object] = {"row": list(ROWS)}
    table = QTable(columns | {name: row for name, (row, _) in rows.items()})
    for name, (_, description) in rows.items():
        table[name].info.description = description
    return table

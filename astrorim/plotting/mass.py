"""The six-panel figure of a lens's mass."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import astropy.units as u
import numpy as np
from matplotlib.figure import Figure

from astrorim.grid import SourceGrid
from astrorim.plotting.annotations import draw_compass, draw_scale_bar
from astrorim.plotting.scaling import asinh_norm, colour_map, symmetric_norm
from astrorim.plotting.summary import format_interval, parameter_lines

if TYPE_CHECKING:
    from astropy.table import QTable
    from matplotlib.axes import Axes

    from astrorim.results import MassProfile, Reconstruction
    from astrorim.results.critical_curves import CriticalCurves

__all__ = ["plot_mass"]

_BLUE, _ORANGE, _GREEN = "#0072B2", "#D55E00", "#009E73"
"""Okabe and Ito's colours, which colour-blind readers tell apart."""

_DERIVED = {
    "einstein_radius": (r"$\theta_\mathrm{eff}$ ($\bar\kappa=1$)", "arcsec", 1.0),
    "critical_curve_radius": (r"$\theta_\mathrm{crit}$ (area)", "arcsec", 1.0),
    "einstein_radius_kpc": (r"$\theta_\mathrm{eff} D_l$", "kpc", 1.0),
    "einstein_mass": (r"$M(<\theta_\mathrm{eff})$", r"$10^{11}\,M_\odot$", 1e11),
    "sis_velocity_dispersion": (r"$\sigma_\mathrm{SIS}$", "km/s", 1.0),
    "axis_ratio": (r"$q_\kappa$ at $\theta_\mathrm{eff}$", "", 1.0),
}


def plot_mass(
    result: Reconstruction,
    profile: MassProfile,
    *,
    radial: QTable,
    angular: QTable,
    derived: QTable,
    curves: CriticalCurves,
    figure: Figure | None = None,
) -> Figure:
    """Draw observation and fit, convergence, profiles, and a table of numbers.

    Parameters
    ----------
    result : Reconstruction
        The fit.
    profile : MassProfile
        Its mass.
    radial, angular, derived : `~astropy.table.QTable`
        From `astrorim.results.mass_tables`.
    curves : CriticalCurves
        Of the point estimate.
    figure : `~matplotlib.figure.Figure`, optional
        Figure to draw into; a new one by default, which pyplot does not know.

    Returns
    -------
    `~matplotlib.figure.Figure`
    """
    if figure is None:
        figure = Figure(figsize=(14.0, 9.2), layout="constrained")
    title = result.name if result.observation.band is None else (
        f"{result.name}   {result.observation.band}"
    )  # fmt: skip
    cosmology = profile.cosmology.name or type(profile.cosmology).__name__
    figure.suptitle(
        title.replace("$", r"\$") + rf"   $z_l$ = {profile.z_lens:.4g}, $z_s$ = "
        f"{profile.z_source:.4g}, {cosmology}"
        + (
            rf", mass sheet $\lambda$ = {profile.mass_sheet:g}"
            if profile.mass_sheet != 1
            else ""
        ),
        fontsize=13,
        fontweight="bold",
    )
    grid = figure.add_gridspec(2, 3, width_ratios=[1.12, 1, 1])
    _fit(figure, grid[0, 0], result)
    _convergence(figure, figure.add_subplot(grid[0, 1]), result, profile, curves)
    _radial(figure.add_subplot(grid[0, 2]), profile, radial)
    _angular(figure.add_subplot(grid[1, 0]), profile, angular)
    _enclosed(figure.add_subplot(grid[1, 1]), profile, radial)
    _numbers(figure.add_subplot(grid[1, 2]), result, derived)
    return figure


def _fit(figure: Figure, cell: Any, result: Reconstruction) -> None:
    observation, good = result.observation, result.observation.good
    data = np.where(good, observation.data, np.nan)
    noise = float(np.median(observation.noise[good])) if good.any() else None
    norm = asinh_norm(data, noise)
    residual = result.normalised_residual
    unit = result.unit.to_string("console", fraction="inline")
    chi2 = result.chi2_map
    panels = (
        ("Observation", data, "inferno", norm, unit),
        ("Forward image", result.forward_image, "inferno", norm, unit),
        (r"Residual / $\sigma$", residual, "RdBu_r", symmetric_norm(residual), ""),
        (r"$\chi^2$ map", chi2, "viridis", None, ""),
    )
    inner = cell.subgridspec(2, 2, wspace=0.02, hspace=0.02)
    for number, (title, image, cmap, scale, label) in enumerate(panels):
        axes = figure.add_subplot(inner[number // 2, number % 2])
        limits = {"vmin": 0, "vmax": 9} if scale is None else {"norm": scale}
        shown = axes.imshow(
            image, origin="lower", cmap=colour_map(cmap), interpolation="nearest", **limits
        )
        bar = figure.colorbar(shown, ax=axes, fraction=0.046, pad=0.02)
        bar.ax.tick_params(labelsize=6.5)
        bar.ax.minorticks_off()
        if scale is norm:
            ticks = np.unique(np.round(np.asarray(norm.inverse([0.05, 0.35, 0.65, 0.95])), 2))
            bar.set_ticks(ticks, labels=[f"{t:g}" for t in ticks])
        if label:
            bar.set_label(label, fontsize=6.5, labelpad=1)
        axes.set_title(title, fontsize=9, pad=3)
        axes.set_xticks([])
        axes.set_yticks([])
        if number == 0:
            rows, columns = observation.shape
            draw_scale_bar(
                axes, pixel_scale=observation.grid.pixel_scale,
                frame=(-0.5, columns - 0.5, -0.5, rows - 0.5),
            )  # fmt: skip
            if observation.wcs is not None and observation.wcs.has_celestial:
                draw_compass(axes, observation.wcs.celestial, observation.shape)


def _convergence(
    figure: Figure,
    axes: Axes,
    result: Reconstruction,
    profile: MassProfile,
    curves: CriticalCurves,
) -> None:
    full = 0.5 * min(result.observation.grid.field_of_view)
    half = min(full, 2.2 * profile.einstein_radius.to_value(u.arcsec))
    fine = SourceGrid((300, 300), 2 * half / 300)
    maps = profile.maps(fine)
    shown = axes.imshow(
        maps.convergence, origin="lower", extent=fine.extent, vmin=0, vmax=2.2,
        cmap="cividis", interpolation="nearest",
    )  # fmt: skip
    bar = figure.colorbar(shown, ax=axes, fraction=0.046, pad=0.02, extend="max")
    bar.set_label(r"convergence $\kappa$", fontsize=9)
    axes.contour(
        *fine.coordinates(), maps.convergence, levels=[0.25, 0.5, 1.0], colors="white",
        linewidths=0.6, alpha=0.7,
    )  # fmt: skip
    styles = {"tangential": (_ORANGE, "-"), "radial": ("white", "--")}
    drawn: set[str] = set()
    for curve in curves.curves:
        colour, style = styles[curve.kind]
        label = None if curve.kind in drawn else f"{curve.kind} critical curve"
        drawn.add(curve.kind)
        closed = np.concatenate([curve.points, curve.points[:1]])
        axes.plot(*closed.T, color=colour, ls=style, lw=1.8, label=label)
    for number, (kind, caustic) in enumerate(
        [(c.kind, c.caustic) for c in curves.curves] + [("cut", c.caustic) for c in curves.cuts]
    ):
        closed = np.concatenate([caustic, caustic[:1]])
        label = "caustics" if number == 0 else None
        axes.plot(
            *closed.T, color="#56B4E9", lw=1.0, ls=":" if kind == "cut" else "-", label=label
        )
    axes.set_xlim(-half, half)
    axes.set_ylim(-half, half)
    if profile.wcs is not None:
        _small_compass(axes, profile, half)
    axes.set_xlabel("x [arcsec]")
    axes.set_ylabel("y [arcsec]")
    axes.set_title(r"Convergence; contours at 0.25, 0.5, 1", fontsize=11)
    axes.legend(loc="lower left", fontsize=7.5, framealpha=0.85)


def _small_compass(axes: Axes, profile: MassProfile, half: float) -> None:
    """North and east, in the upper right corner of axes in arcsec."""
    inverse = np.linalg.inv(profile.wcs.celestial.pixel_scale_matrix)  # type: ignore[union-attr]
    for label, sky in (("N", [0.0, 1.0]), ("E", [1.0, 0.0])):
        arrow = inverse @ sky
        arrow *= 0.13 * half / np.hypot(*arrow)
        start = np.array([0.76, 0.72]) * half
        axes.annotate(
            "", xy=tuple(start + arrow), xytext=tuple(start),
            arrowprops={"arrowstyle": "-|>", "color": "white", "shrinkA": 0, "shrinkB": 0},
        )  # fmt: skip
        axes.text(
            *(start + 1.45 * arrow), label, color="white", ha="center", va="center", fontsize=8
        )


def _band(axes: Axes, x: Any, table: QTable, name: str, unit: Any, **style: Any) -> None:
    value, lower, upper = (table[name + s].to_value(unit) for s in ("", "_lower", "_upper"))
    axes.plot(x, value, **style)
    if np.isfinite(lower).any():
        axes.fill_between(x, lower, upper, color=style["color"], alpha=0.25, lw=0)


def _kpc_axis(axes: Axes, profile: MassProfile) -> None:
    scale = profile.to_kpc(1 * u.arcsec).value
    upper = axes.secondary_xaxis("top", functions=(lambda a: a * scale, lambda k: k / scale))
    upper.set_xlabel("R [kpc]", fontsize=9)
    for axis in (axes.xaxis, upper.xaxis):
        axis.set_major_formatter("{x:g}")


def _einstein_line(axes: Axes, profile: MassProfile) -> None:
    radius = profile.einstein_radius.to_value(u.arcsec)
    axes.axvline(
        radius, color="black", ls="--", lw=1,
        label=rf'$\theta_\mathrm{{eff}}$ = {radius:.3f}"',
    )  # fmt: skip


def _radial(axes: Axes, profile: MassProfile, radial: QTable) -> None:
    x = radial["radius"].to_value(u.arcsec)
    _band(
        axes, x, radial, "convergence", u.one, color=_BLUE, label=r"$\kappa(R)$ on the circle"
    )
    _band(
        axes, x, radial, "mean_convergence", u.one, color=_ORANGE, ls="-.",
        label=r"$\bar\kappa(<R)$ inside",
    )  # fmt: skip
    axes.axhline(1, color="0.4", lw=0.9, ls=":")
    _einstein_line(axes, profile)
    axes.set_xscale("log")
    axes.set_yscale("log")
    axes.set_xlim(x[0], x[-1])
    axes.set_xlabel("R [arcsec]")
    axes.set_ylabel(r"convergence $\kappa$")
    _kpc_axis(axes, profile)
    axes.legend(fontsize=8)


def _angular(axes: Axes, profile: MassProfile, angular: QTable) -> None:
    on_sky = profile.wcs is not None
    name = "position_angle" if on_sky else "image_angle"
    table = angular[np.argsort(angular[name].value)]
    table = table[[-1, *range(len(table)), 0]]
    x = table[name].to_value(u.deg).copy()
    x[0] -= 360
    x[-1] += 360
    _band(
        axes,
        x,
        table,
        "convergence",
        u.one,
        color=_BLUE,
        label=r"$\kappa$ on the circle $\theta_\mathrm{eff}$",
    )
    axes.set_ylabel(r"convergence $\kappa$", color=_BLUE)
    axes.set_xlabel(
        "position angle, east of north [deg]" if on_sky
        else "angle, counter-clockwise from +x [deg]"
    )  # fmt: skip
    axes.set_xlim(0, 360)
    axes.set_xticks(range(0, 361, 60))
    other = axes.twinx()
    _band(
        other, x, table, "critical_radius", u.arcsec, color=_ORANGE, ls="-.",
        label="tangential critical curve",
    )  # fmt: skip
    other.set_ylabel("distance from the lens [arcsec]", color=_ORANGE)
    for each in (axes, other):
        low, high = each.get_ylim()
        middle, reach = 0.5 * (low + high), 0.5 * (high - low)
        reach = max(reach * 1.35, 0.02 * abs(middle))
        each.set_ylim(middle - reach, middle + reach)
    lines = [line for each in (axes, other) for line in each.get_lines()]
    axes.legend(lines, [str(line.get_label()) for line in lines], fontsize=8, loc="upper right")
    axes.set_title("Around the lens (shear shows in the curve only)", fontsize=11)


def _enclosed(axes: Axes, profile: MassProfile, radial: QTable) -> None:
    x = radial["radius"].to_value(u.arcsec)
    _band(axes, x, radial, "mass", u.Msun, color=_GREEN, label=r"$M(<R)$")
    _einstein_line(axes, profile)
    mass = profile.einstein_mass.to_value(u.Msun)
    axes.plot(
        profile.einstein_radius.to_value(u.arcsec), mass, "o", color="black", ms=6,
        label=rf"Einstein mass {mass / 10 ** int(np.log10(mass)):.3f}$\times"
        rf"10^{{{int(np.log10(mass))}}}\,M_\odot$",
    )  # fmt: skip
    axes.set_xscale("log")
    axes.set_yscale("log")
    axes.set_xlim(x[0], x[-1])
    axes.set_xlabel("R [arcsec]")
    axes.set_ylabel(r"projected mass $M(<R)$ [$M_\odot$]")
    _kpc_axis(axes, profile)
    axes.legend(fontsize=8, loc="upper left")


def _numbers(axes: Axes, result: Reconstruction, derived: QTable) -> None:
    axes.set_axis_off()
    lines = [(symbol, text, "black" if known else "0.45") for symbol, text, known in
             parameter_lines(result)]  # fmt: skip
    lines.append(("", "", "black"))
    for name, (symbol, unit, scale) in _DERIVED.items():
        value, lower, upper = derived[name].value / scale
        lines.append((symbol, f"{format_interval(value, lower, upper)} {unit}", "black"))
    lines.append(("", "", "black"))
    fit = rf"{result.reduced_chi2:.3f}, in the arcs {result.arc_reduced_chi2:.3f}"
    lines.append((r"$\chi^2_\nu$", fit, "black"))
    flags = ", ".join(result.flags) or "none"
    flags = flags if len(flags) < 44 else flags[:41] + "..."
    lines.append(("flags", flags, "#b03000" if result.flags else "0.3"))
    y = np.linspace(0.97, 0.02, max(len(lines), 18))
    for at, (symbol, text, colour) in zip(y, lines, strict=False):
        axes.text(0.0, at, symbol, transform=axes.transAxes, fontsize=9, color=colour)
        axes.text(0.27, at, text, transform=axes.transAxes, fontsize=9, color=colour)

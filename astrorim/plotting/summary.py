"""The parameters of a result as lines of text."""

from __future__ import annotations

import math
import textwrap
from typing import TYPE_CHECKING

import astropy.units as u
import numpy as np

from astrorim.grid import sky_position_angle
from astrorim.results.parameter_table import REPORTED_PARAMETERS, reported_values

if TYPE_CHECKING:
    from matplotlib.axes import Axes

    from astrorim.results import Reconstruction

__all__ = ["draw_summary", "format_interval", "parameter_lines"]

_WIDTH = 52


def format_interval(value: float, lower: float, upper: float) -> str:
    r"""Number with its bounds, rounded to two digits of the smaller error, in mathtext.

    Parameters
    ----------
    value, lower, upper : float
        Point estimate and bounds, in one unit.

    Returns
    -------
    str
        For example ``$1.250^{+0.007}_{-0.007}$``; the bounds in brackets where the point
        estimate lies outside of them.
    """
    if not math.isfinite(upper - lower):
        return f"${value:.4g}$"
    errors = [e for e in (upper - value, value - lower) if e > 0] or [abs(value) or 1.0]
    digits = int(np.clip(1 - math.floor(math.log10(min(errors))), 0, 6))
    if lower <= value <= upper:
        up, down = upper - value, value - lower
        return rf"${value:.{digits}f}^{{+{up:.{digits}f}}}_{{-{down:.{digits}f}}}$"
    return rf"${value:.{digits}f}$ [{lower:.{digits}f}, {upper:.{digits}f}]"


def parameter_lines(result: Reconstruction) -> list[tuple[str, str, bool]]:
    """Symbol, text, and whether the data constrain it, for each of the nine.

    Parameters
    ----------
    result : Reconstruction
        What to describe.

    Returns
    -------
    list of (str, str, bool)
    """
    absent = result.parameters.meta["unconstrained"]
    known = reported_values(result.lens)
    lines = []
    for parameter in REPORTED_PARAMETERS:
        row = result.parameters[parameter.name]
        unit = "" if row.unit == u.dimensionless_unscaled else " arcsec"
        if parameter.period is not None:
            row, unit = row.to(u.deg), r"$^\circ$"
        value, lower, upper = row.value
        if parameter.name not in known:
            text = f"not in the model ({lower:.3g} to {upper:.3g}{unit})"
        elif parameter.name in absent:
            text = f"${value:.4g}${unit}   not constrained"
        else:
            text = format_interval(value, lower, upper) + unit
            wcs = result.observation.wcs
            if parameter.period is not None and wcs is not None and wcs.has_celestial:
                angle = sky_position_angle(math.radians(value), wcs)
                text += rf"   PA {angle:.0f}$^\circ$ E of N"
        lines.append((f"${parameter.symbol}$", text, parameter.name not in absent))
    return lines


def draw_summary(axes: Axes, result: Reconstruction) -> None:
    """Write model, parameters with 68 % bounds, goodness of fit and flags into a panel.

    Parameters
    ----------
    axes : `~matplotlib.axes.Axes`
        An empty panel; its frame is removed.
    result : Reconstruction
        What to describe.
    """
    axes.set_axis_off()
    axes.set_xlim(0, 1)
    axes.set_ylim(0, 1)
    observation = result.observation
    redshifts = [
        f"{label} = {value:g}"
        for label, value in (("$z_l$", observation.z_lens), ("$z_s$", observation.z_source))
        if value is not None
    ]
    y, step = 0.97, 0.063

    def write(x: float, text: str, **style: object) -> None:
        axes.text(x, y, text, transform=axes.transAxes, va="center", **{"fontsize": 9, **style})

    write(0.0, f"{result.lens_model}, light {result.light_model}", fontweight="bold")
    y -= step
    if redshifts:
        write(0.0, "   ".join(redshifts))
        y -= step
    y -= 0.015
    for symbol, text, constrained in parameter_lines(result):
        colour = "black" if constrained else "0.45"
        write(0.0, symbol, color=colour)
        write(0.10, text, color=colour)
        y -= step
    y -= 0.015
    write(
        0.0,
        rf"$\chi^2_\nu$ = {result.reduced_chi2:.3f},  in the arcs "
        rf"{result.arc_reduced_chi2:.3f}",
    )
    y -= step
    if not result.flags:
        write(0.0, "no quality flags", color="0.3")
        return
    for name, advice in result.flags.items():
        for line in textwrap.wrap(f"{name}: {advice}", _WIDTH):
            if y < 0.0:
                return
            write(0.0, line.replace("$", r"\$"), color="#b03000", fontsize=8)
            y -= 0.8 * step

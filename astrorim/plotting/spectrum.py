"""The spectrum of a lens and its source, with the features that gave their redshifts."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np
from matplotlib.figure import Figure

from astrorim.spectra.feature_fit import smooth_continuum

if TYPE_CHECKING:
    from astrorim.spectra import PreparedSpectrum, SpectrumRedshifts

__all__ = ["draw_redshifts"]

_COLOURS = {"lens": "#0072B2", "source": "#D55E00"}
_NAMES = {
    "Halpha": r"H$\alpha$",
    "Hbeta": r"H$\beta$",
    "Hgamma": r"H$\gamma$",
    "Hdelta": r"H$\delta$",
}


def draw_redshifts(
    spectrum: PreparedSpectrum, redshifts: SpectrumRedshifts, *, title: str = ""
) -> Figure:
    """Draw the spectrum, what the redshifts explain of it, and what is left.

    Parameters
    ----------
    spectrum : PreparedSpectrum
        The spectrum that was measured.
    redshifts : SpectrumRedshifts
        What was found in it.
    title : str, optional
        Name of the object.

    Returns
    -------
    `~matplotlib.figure.Figure`
        Blue marks features of the lens, vermilion those of the source; features of less
        than two standard deviations, and of redshifts that stand out of nothing, are not.
    """
    figure = Figure(figsize=(11, 6), dpi=120, layout="constrained")
    top, bottom = figure.subplots(2, 1, sharex=True, height_ratios=(3, 1))
    found = {"lens": redshifts.lens, "source": redshifts.source}
    features = np.zeros_like(spectrum.flux)
    for estimate in (*found.values(), *redshifts.others):
        if estimate is not None and "insignificant" not in estimate.flags:
            features = features + estimate.model
    rest = replace(spectrum, flux=spectrum.flux - features)
    model = smooth_continuum(rest, 0.02) + features
    x = spectrum.wavelength
    top.plot(x, spectrum.flux, color="0.65", lw=0.5, drawstyle="steps-mid", label="spectrum")
    top.plot(x, model, color="black", lw=0.9, label="model")
    low, high = np.percentile(spectrum.flux, [0.5, 99.5])
    high = max(high, model.max())
    span = max(high - low, 1e-300)
    top.set_ylim(low - 0.15 * span, high + 0.35 * span)
    for row, (role, estimate) in enumerate(found.items()):
        if estimate is None or "insignificant" in estimate.flags:
            continue
        marked = [f for f in estimate.features if f.significance >= 2]
        places = np.array([f.observed_wavelength for f in marked])
        for feature, where in zip(marked, places, strict=True):
            # the label stands on the side where no other feature follows
            crowded = np.any((places > where) & (places < where + 0.02 * np.ptp(x)))
            top.axvline(where, color=_COLOURS[role], lw=0.8, ls=("--", ":")[row], alpha=0.8)
            top.annotate(
                _NAMES.get(feature.name, feature.name), (where, (0.99, 0.02)[row]),
                xycoords=("data", "axes fraction"), xytext=(-2 if crowded else 2, 0),
                textcoords="offset points", rotation=90, fontsize=8, color=_COLOURS[role],
                va=("top", "bottom")[row], ha="right" if crowded else "left",
            )  # fmt: skip
    lines = [title] if title else []
    for role, estimate in found.items():
        if estimate is None:
            continue
        text = f"{role}: z = {estimate.redshift:.5f} $\\pm$ {estimate.uncertainty:.5f}"
        if estimate.flags:
            text += f" (NOT RELIABLE: {', '.join(estimate.flags)})"
        lines.append(text)
    top.set_title("    ".join(lines), fontsize=10)
    unit = spectrum.unit.to_string("latex_inline")
    top.set_ylabel(f"flux density ({unit})")
    bottom.plot(x, (spectrum.flux - model) / spectrum.noise, color="0.4", lw=0.5)
    bottom.axhline(0, color="black", lw=0.7)
    bottom.set_ylim(-6, 6)
    bottom.set_ylabel("residual / noise")
    bottom.set_xlabel(r"observed wavelength in vacuum ($\mathrm{\AA}$)")
    bottom.set_xlim(x[0], x[-1])
    top.legend(loc="upper right", fontsize=8, ncols=2)
    return figure

"""How far a result is from the truth of its lens, as one row of numbers.

Sources are compared on the truth's own grid, surface brightness conserved, nothing rescaled
to the truth.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import numpy as np

from astrorim.grid import SourceGrid
from astrorim.plugins import load_plugins
from astrorim.plugins.composites import parse_composite
from astrorim.results import metrics
from astrorim.results.apertures import effective_einstein_radius

if TYPE_CHECKING:
    from astrorim.results.lens_truth import LensTruth
    from astrorim.results.reconstruction import Reconstruction

__all__ = [
    "CATASTROPHIC",
    "JUDGED",
    "LEVELS",
    "in_family",
    "lens_errors",
    "null_sources",
    "source_errors",
]

CATASTROPHIC = 0.1
"""Relative error of an Einstein radius beyond which a result is catastrophic."""

JUDGED = ("theta_E", "e1", "e2", "x0", "y0", "gamma1", "gamma2")
"""Lens parameters whose errors, intervals and bounds are looked at."""

LEVELS = (68, 95)
"""Central intervals whose coverage is looked at, percent."""

_MISFIT_FLAG = "arc-misfit"  # arc chi-square above 1.5 times its expectation


def source_errors(source: np.ndarray, truth: np.ndarray) -> dict[str, float]:
    """Errors of a source on the truth's grid.

    Parameters
    ----------
    source, truth : ndarray, (n, m), flux per arcsec^2
        On one grid.

    Returns
    -------
    dict of str to float
        As `astrorim.results.metrics` defines them.
    """
    return {
        "source_error": metrics.source_error(source, truth),
        "source_error_frame": metrics.source_error_frame(source, truth),
        "source_correlation": metrics.source_correlation(source, truth),
        "source_ssim": metrics.source_ssim(source, truth),
        "flux_error": metrics.flux_error(source, truth),
    }


def null_sources(truth: LensTruth) -> dict[str, np.ndarray]:
    """Sources that took no inference, on the truth's resolvable grid.

    Parameters
    ----------
    truth : LensTruth
        The image and its truth.

    Returns
    -------
    dict of str to ndarray, (n, m), flux per arcsec^2
        A blank image; the observation itself, put into the source plane as it is; and a
        round Gaussian of the true flux, centre and root mean square radius.
    """
    source, grid = truth.resolvable
    observation = truth.observation
    scale = observation.grid.pixel_scale
    image = np.where(observation.good, np.asarray(observation.data, dtype=float), 0.0)
    sky = SourceGrid(image.shape, scale)
    weight = np.where(metrics.footprint(source), source, 0.0)
    weight = weight / weight.sum()
    x, y = grid.coordinates()
    x0, y0 = float((weight * x).sum()), float((weight * y).sum())
    variance = float((weight * ((x - x0) ** 2 + (y - y0) ** 2)).sum()) / 2
    blob = np.exp(-((x - x0) ** 2 + (y - y0) ** 2) / (2 * variance))
    return {
        "blank image": np.zeros_like(source),
        "observation as source": metrics.resample_source(image / scale**2, sky, grid),
        "Gaussian blob": blob * source.sum() / blob.sum(),
    }


def in_family(result: Reconstruction, truth: LensTruth) -> bool:
    """Whether the result's lens model has every component of the true lens.

    Parameters
    ----------
    result : Reconstruction
        What was inferred.
    truth : LensTruth
        The truth, of components that deflect light.

    Returns
    -------
    bool
        Parameters can be compared one by one only where it is so.
    """
    models = load_plugins().lens_models
    fitted, true = (
        set(parse_composite(models.canonical_name(name)))
        for name in (result.lens_model, truth.lens_model)
    )
    return true <= fitted


def lens_errors(result: Reconstruction, truth: LensTruth) -> dict[str, Any]:
    """All that is judged of a result.

    Parameters
    ----------
    result : Reconstruction
        Of the truth's observation.
    truth : LensTruth
        The truth, in the result's unit of flux.

    Returns
    -------
    dict of str to float, bool or str
        Measures by name; those that cannot be had are left out.
    """
    source, grid = truth.resolvable
    on_truth = metrics.resample_source(result.source, result.source_grid, grid)
    row: dict[str, Any] = {
        "reduced_chi2": result.reduced_chi2,
        "arc_reduced_chi2": result.arc_reduced_chi2,
        "flags": " ".join(result.flags),
        **source_errors(on_truth, source),
        "magnification_error": _magnification_error(result, truth),
    }
    if result.provenance.get("parameters_known"):
        return row
    model = load_plugins().lens_models.resolve(result.lens_model)
    radius = effective_einstein_radius(
        model, {name: np.array([value]) for name, value in result.lens.items()}
    )
    wrong = float(radius[0]) / truth.effective_einstein_radius - 1
    row["effective_radius_error"] = wrong
    row["effective_radius_beyond"] = not abs(wrong) <= CATASTROPHIC
    if in_family(result, truth):
        row |= _parameter_errors(result, truth)
        wrong = row["theta_E_error"]
        row["theta_E_beyond"] = abs(wrong) > CATASTROPHIC
    catastrophic = not abs(wrong) <= CATASTROPHIC or _MISFIT_FLAG in result.flags
    flagged = "catastrophic_flagged" if catastrophic else "good_flagged"
    return row | {"catastrophic": catastrophic, flagged: bool(result.flags)}


def _magnification_error(result: Reconstruction, truth: LensTruth) -> float:
    """Relative; flux of the arcs in the frame over the source's, from the result's own."""
    flux = float(result.source.sum()) * result.source_grid.pixel_scale**2
    if not flux > 0:
        return math.nan
    own = float(result.arcs.sum()) / flux
    return float(metrics.relative_error(own, truth.magnification))


def _parameter_errors(result: Reconstruction, truth: LensTruth) -> dict[str, Any]:
    row: dict[str, Any] = {}
    for name in JUDGED:
        if name not in truth.lens or name not in result.lens:
            continue
        error = result.lens[name] - truth.lens[name]
        row[f"{name}_error"] = error / truth.lens[name] if name == "theta_E" else error
        if name in result.samples:
            row |= _covered(name, result.samples[name], truth.lens[name])
    return row


def _covered(name: str, samples: np.ndarray, truth: float) -> Mapping[str, bool]:
    """Whether central intervals of the samples hold the truth."""
    covered = {}
    for level in LEVELS:
        low, high = np.percentile(samples, [50 - level / 2, 50 + level / 2])
        covered[f"coverage_{level}_{name}"] = bool(low <= truth <= high)
    return covered

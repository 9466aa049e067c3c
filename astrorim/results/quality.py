"""Quality flags: a bad fit says that it is bad, and why."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import numpy as np

from astrorim.results.parameter_table import LIGHT_PREFIX

if TYPE_CHECKING:
    from collections.abc import Sequence

    from astrorim.parameters import Parameter
    from astrorim.results.reconstruction import Reconstruction

__all__ = ["FLAG_ADVICE", "quality_flags"]

FLAG_ADVICE = {
    "arc-misfit": (
        "the arcs are not fitted: look at the residual; a ring-shaped one points to the PSF, "
        "one at the arcs to the lens model"
    ),
    "image-misfit": (
        "chi-square is high over the frame: check the flux scale, the noise map, the "
        "background and unmasked neighbours"
    ),
    "noise-overestimated": (
        "the blank sky scatters less than the noise map says, so chi-square below one is no "
        "proof of a good fit and the intervals are too wide"
    ),
    "no-arcs": (
        "no arc stands out of the noise: lens parameters and source are not constrained by "
        "these data"
    ),
    "parameter-at-bound": "a parameter stopped at the edge of its range; do not trust it",
    "source-at-edge": (
        "the source reaches the edge of its frame, so a part of it may be missing"
    ),
    "arcs-at-frame-edge": "arcs reach the edge of the image: use a larger cutout",
    "negative-source": "the source has significant negative flux: check background and light",
}
"""Every flag with the advice that goes with it."""

_MISFIT = 1.5
_OVERESTIMATED = 0.75
_EDGE_FRACTION = 0.15
_NEGATIVE_FRACTION = 0.1


def _sky_scatter(result: Reconstruction) -> float:
    """Scatter of the normalised residual far from lens and arcs; NaN where all is lens."""
    z = result.normalised_residual
    model = np.abs(result.forward_image - result.background)
    noise = np.where(result.observation.good, result.observation.noise, np.inf)
    blank = np.isfinite(z) & (model < 0.2 * noise)
    if blank.sum() < 200:
        return math.nan
    low, high = np.percentile(z[blank], [15.865, 84.135])
    return float(high - low) / 2


def quality_flags(
    result: Reconstruction, parameters: Sequence[Parameter] = ()
) -> dict[str, str]:
    """Judge a reconstruction from what it measured.

    Parameters
    ----------
    result : Reconstruction
        What to judge.
    parameters : sequence of Parameter, optional
        Declarations of its lens and light parameters (``light_`` prefixed), for their
        supports.

    Returns
    -------
    dict of str to str
        Name of each flag that applies, with advice and the number behind it.

    Notes
    -----
    Reduced chi-square is compared with its expectation for this noise map: the squared
    scatter of the residual on blank sky in units of the noise, where there is enough
    blank sky, else one.
    """
    flags = {}
    scatter = _sky_scatter(result)
    expected = scatter**2 if math.isfinite(scatter) else 1.0
    arc, whole = result.arc_reduced_chi2, result.reduced_chi2
    if not math.isfinite(arc):
        flags["no-arcs"] = FLAG_ADVICE["no-arcs"]
    elif arc > _MISFIT * expected:
        flags["arc-misfit"] = (
            f"{FLAG_ADVICE['arc-misfit']} (reduced chi-square {arc:.2f} in the arcs, "
            f"expected {expected:.2f})"
        )
    if whole > _MISFIT * expected:
        flags["image-misfit"] = (
            f"{FLAG_ADVICE['image-misfit']} (reduced chi-square {whole:.2f}, "
            f"expected {expected:.2f})"
        )
    if scatter < _OVERESTIMATED:
        flags["noise-overestimated"] = (
            f"{FLAG_ADVICE['noise-overestimated']} (scatter {scatter:.2f} of the noise map)"
        )
    at_bound = [
        p.name
        for p in parameters
        if (value := _value_of(result, p.name)) is not None and _is_at_bound(p, value)
    ]
    if at_bound:
        flags["parameter-at-bound"] = (
            f"{FLAG_ADVICE['parameter-at-bound']} ({', '.join(at_bound)})"
        )
    flags.update(_source_flags(result))
    return flags


def _value_of(result: Reconstruction, name: str) -> float | None:
    if name.startswith(LIGHT_PREFIX):
        return result.light.get(name.removeprefix(LIGHT_PREFIX))
    return result.lens.get(name)


def _is_at_bound(parameter: Parameter, value: float) -> bool:
    """Whether a value was stopped by its support; an amplitude may well be zero."""
    if parameter.linear:
        return False
    low, high = parameter.support
    # float32 arithmetic leaves a stopped value within a few units of the last place.
    return value <= low + 1e-5 * max(1, abs(low)) or value >= high - 1e-5 * max(1, abs(high))


def _source_flags(result: Reconstruction) -> dict[str, str]:
    flags = {}
    source = result.source
    peak = float(source.max())
    if peak > 0:
        edge = np.concatenate([source[0], source[-1], source[:, 0], source[:, -1]])
        if float(edge.max()) > _EDGE_FRACTION * peak:
            flags["source-at-edge"] = FLAG_ADVICE["source-at-edge"]
        negative = -float(source[source < 0].sum())
        if negative > _NEGATIVE_FRACTION * float(source[source > 0].sum()):
            flags["negative-source"] = FLAG_ADVICE["negative-source"]
    arcs = result.arc_mask
    border = np.ones_like(arcs)
    border[3:-3, 3:-3] = False
    if (arcs & border).sum() > 0.02 * max(1, arcs.sum()):
        flags["arcs-at-frame-edge"] = FLAG_ADVICE["arcs-at-frame-edge"]
    return flags

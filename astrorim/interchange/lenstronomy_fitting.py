"""A reconstruction as the start of a fit by lenstronomy."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, Literal

import numpy as np

from astrorim.interchange.lenstronomy_models import to_lenstronomy
from astrorim.interchange.lenstronomy_profiles import (
    lens_components,
    lens_to_lenstronomy,
    light_to_lenstronomy,
)
from astrorim.plugins import load_plugins
from astrorim.results.parameter_table import LIGHT_PREFIX

if TYPE_CHECKING:
    from collections.abc import Sequence

    from astrorim.parameters import Parameter
    from astrorim.results import Reconstruction

__all__ = ["fitting_arguments"]

Kwargs = dict[str, Any]

_ROOM = 5.0
"""Standard deviations on each side of the start that the bounds hold at least."""

_WITHOUT_SAMPLES = 0.05
"""Standard deviation where there are no samples, of the width of the prior."""

_FIXED = {"ra_0": 0.0, "dec_0": 0.0}
_LIGHT_NAMES = {
    "half_light_radius": "R_sersic",
    "sersic_index": "n_sersic",
    "e1": "e1",
    "e2": "e2",
    "x0": "center_x",
    "y0": "center_y",
}


def fitting_arguments(
    reconstruction: Reconstruction,
    *,
    source: Literal["sersic", "shapelets"] = "sersic",
    shapelet_order: int = 8,
    supersampling: int = 2,
) -> dict[str, Kwargs]:
    """Arguments of lenstronomy's ``FittingSequence`` that continue a reconstruction.

    The start is the point estimate, the step of each parameter the standard deviation of
    its posterior samples (a twentieth of its prior's width without samples), and its bounds
    are its prior, widened to five standard deviations around the start, within its
    support. Amplitudes are solved for. Components that share a centre here share it
    there. The source is a profile whose centre, size and shape are the moments of the
    pixelised one.

    Parameters
    ----------
    reconstruction : Reconstruction
        A result, its observation square, with noise and PSF.
    source : {"sersic", "shapelets"}, optional
        An elliptical Sersic profile, or shapelets.
    shapelet_order : int, optional
        Highest order of the shapelets, which have (n + 1)(n + 2) / 2 amplitudes.
    supersampling : int, optional
        As for `to_lenstronomy`.

    Returns
    -------
    dict
        ``FittingSequence(**fitting_arguments(result))`` is ready to run.

    Raises
    ------
    ObservationError
        If the observation has no noise map.
    ValueError
        If the observation does not do, a model has no counterpart in lenstronomy, the
        source's profile is unknown, or the source has no light.
    """
    if source not in {"sersic", "shapelets"}:
        raise ValueError(f"source must be 'sersic' or 'shapelets', got {source!r}")
    if shapelet_order < 0:
        raise ValueError(f"shapelet_order must not be negative, got {shapelet_order}")
    model = to_lenstronomy(reconstruction, supersampling=supersampling)
    band = [model.kwargs_data, model.kwargs_psf, model.kwargs_numerics]
    profile = "SERSIC_ELLIPSE" if source == "sersic" else "SHAPELETS"
    kwargs_params = {
        "lens_model": _columns(_lens_rows(reconstruction)),
        "source_model": _columns([_source_rows(reconstruction, source, shapelet_order)]),
        "lens_light_model": _columns([_light_rows(reconstruction), {}]),
    }
    return {
        "kwargs_data_joint": {"multi_band_list": [band], "multi_band_type": "single-band"},
        "kwargs_model": model.kwargs_model | {"source_light_model_list": [profile]},
        "kwargs_constraints": {
            "linear_solver": True,
            "joint_lens_with_lens": _shared_centres(reconstruction.lens_model),
        },
        "kwargs_likelihood": {
            "check_bounds": True,
            "image_likelihood_mask_list": [model.likelihood_mask],
        },
        "kwargs_params": kwargs_params,
    }


class _Row:
    """Start, step and bounds of one parameter."""

    def __init__(
        self, start: float, step: float, prior: Sequence[float], support: Sequence[float]
    ) -> None:
        self.start = min(max(start, support[0]), support[1])
        self.step = step
        self.lower = max(min(prior[0], start - _ROOM * step), support[0])
        self.upper = min(max(prior[1], start + _ROOM * step), support[1])


def _columns(components: Sequence[Mapping[str, _Row | float]]) -> list[list[Kwargs]]:
    """Lenstronomy's order: start, step, fixed, lower and upper bound of each component."""
    columns: list[list[Kwargs]] = [[], [], [], [], []]
    for rows in components:
        free = {name: row for name, row in rows.items() if isinstance(row, _Row)}
        columns[0].append({n: getattr(row, "start", row) for n, row in rows.items()})
        columns[1].append({n: row.step for n, row in free.items()})
        columns[2].append({n: row for n, row in rows.items() if n not in free})
        columns[3].append({n: row.lower for n, row in free.items()})
        columns[4].append({n: row.upper for n, row in free.items()})
    return columns


def _row(start: float, chain: Any, parameter: Parameter) -> _Row:
    prior = parameter.prior
    step = _WITHOUT_SAMPLES * (prior[1] - prior[0]) if chain is None else float(np.std(chain))
    if step == 0:  # lenstronomy's samplers would never leave the start
        step = _WITHOUT_SAMPLES * (prior[1] - prior[0])
    return _Row(start, step, prior, parameter.support)


def _chains(
    reconstruction: Reconstruction, names: Sequence[str], prefix: str
) -> dict[str, np.ndarray] | None:
    """Finite samples of all parameters, by their names without prefix; None if some lack."""
    chains = reconstruction.samples
    if any(prefix + name not in chains for name in names):
        return None
    own = {name: np.asarray(chains[prefix + name], dtype=float) for name in names}
    finite = np.all([np.isfinite(chain) for chain in own.values()], axis=0)
    return {name: chain[finite] for name, chain in own.items()} if finite.any() else None


def _lens_rows(reconstruction: Reconstruction) -> list[dict[str, _Row | float]]:
    name = reconstruction.lens_model
    declared = {p.name: p for p in load_plugins().lens_models.resolve(name).parameters}
    _, starts = lens_to_lenstronomy(name, reconstruction.lens)
    chains = _chains(reconstruction, list(reconstruction.lens), "")
    sampled = None if chains is None else lens_to_lenstronomy(name, chains)[1]
    rows = []
    for number, component in enumerate(lens_components(name)):
        own: dict[str, _Row | float] = {}
        for theirs, ours in component.keys.items():
            chain = None if sampled is None else sampled[number][theirs]
            parameter = declared[ours]
            if theirs == "alpha_Rs":
                radius = declared[component.keys["Rs"]]
                own[theirs] = _deflection_row(starts[number][theirs], chain, parameter, radius)
            else:
                own[theirs] = _row(starts[number][theirs], chain, parameter)
        own |= {n: v for n, v in _FIXED.items() if n in starts[number]}
        rows.append(own)
    return rows


def _deflection_row(start: float, chain: Any, strength: Parameter, radius: Parameter) -> _Row:
    """The NFW halo's deflection at its scale radius: bounds are products of the two."""
    factor = 4 * (1 - math.log(2))
    prior, support = (
        tuple(factor * s * r for s, r in zip(a, b, strict=True))
        for a, b in ((strength.prior, radius.prior), (strength.support, radius.support))
    )
    step = _WITHOUT_SAMPLES * (prior[1] - prior[0]) if chain is None else float(np.std(chain))
    return _Row(start, step, prior, support)


def _light_rows(reconstruction: Reconstruction) -> dict[str, _Row | float]:
    name = reconstruction.light_model
    declared = {p.name: p for p in load_plugins().light_models.create(name).parameters}
    (start,) = light_to_lenstronomy(name, reconstruction.light)[1]
    chains = _chains(reconstruction, list(reconstruction.light), LIGHT_PREFIX)
    sampled = None if chains is None else light_to_lenstronomy(name, chains)[1][0]
    return {
        theirs: _row(
            start[theirs], None if sampled is None else sampled[theirs], declared[ours]
        )
        for ours, theirs in _LIGHT_NAMES.items()
    }


def _shared_centres(lens_model: str) -> list[list[Any]]:
    """Pairs of components whose centre is one parameter here."""
    pairs: list[list[Any]] = []
    first: dict[str, int] = {}
    for number, component in enumerate(lens_components(lens_model)):
        if "center_x" not in component.keys:
            continue
        centre = component.keys["center_x"]
        if centre in first:
            pairs.append([first[centre], number, ["center_x", "center_y"]])
        first.setdefault(centre, number)
    return pairs


def _source_rows(
    reconstruction: Reconstruction, source: str, shapelet_order: int
) -> dict[str, _Row | float]:
    r"""Profile with the centre, size and shape of the pixelised source.

    An ellipse with second moments M has the size :math:`(\det M)^{1/4}`, product average
    of the axes; the half-light radius of an exponential disc is 0.969 of it.
    """
    grid = reconstruction.source_grid
    light = np.clip(np.nan_to_num(reconstruction.source), 0, None)
    # faint pixels far out would dominate second moments
    light = np.where(light > 0.1 * light.max(initial=0), light, 0.0)
    if light.sum() <= 0:
        raise ValueError(
            f"the source of {reconstruction.name!r} must have light for a profile to start "
            "from, got none above zero"
        )
    x, y = grid.coordinates()
    weight = light / light.sum()
    x0, y0 = float((weight * x).sum()), float((weight * y).sum())
    xx = float((weight * (x - x0) ** 2).sum()) + grid.pixel_scale**2 / 12
    yy = float((weight * (y - y0) ** 2).sum()) + grid.pixel_scale**2 / 12
    xy = float((weight * (x - x0) * (y - y0)).sum())
    root = math.sqrt(xx * yy - xy**2)
    size = math.sqrt(root)
    height, width = grid.field_of_view
    half = max(height, width) / 2
    rows: dict[str, _Row | float] = {
        "center_x": _Row(x0, 0.2 * size, (grid.x0 - half, grid.x0 + half), _UNBOUNDED),
        "center_y": _Row(y0, 0.2 * size, (grid.y0 - half, grid.y0 + half), _UNBOUNDED),
    }
    positive = (0.1 * grid.pixel_scale, math.inf)
    if source == "shapelets":
        # the moments of the lowest shapelet are beta squared
        rows["beta"] = _Row(size, 0.1 * size, (positive[0], 2 * half), positive)
        rows["n_max"] = shapelet_order
        return rows
    declared = {p.name: p for p in load_plugins().light_models.create("sersic").parameters}
    norm = xx + yy + 2 * root
    for name, value in (("e1", (xx - yy) / norm), ("e2", 2 * xy / norm)):
        own = declared[name]
        rows[name] = _Row(value, 0.05, own.prior, own.support)
    index = declared["sersic_index"]
    rows["R_sersic"] = _Row(size, 0.2 * size, (positive[0], 2 * half), positive)
    rows["n_sersic"] = _Row(1.0, 0.3, index.prior, index.support)
    return rows


_UNBOUNDED = (-math.inf, math.inf)

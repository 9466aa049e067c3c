r"""Starts for the refinement without a network: compact sources behind many lenses.

First the lens galaxy's light is fitted, with what it leaves over, the arcs, masked. Then
from each of a range of Einstein radii that the radius of the arcs allows, lens, lens light
and a compact source descend together (`astrorim.inference.compact_source`).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import torch

from astrorim.inference.arcs import arc_radii, theta_e_range
from astrorim.inference.coarse_images import central_model, coarse_mask, coarse_model
from astrorim.inference.compact_source import CompactFit, CompactState, descend
from astrorim.inference.light_fit import fit_light
from astrorim.lensing.system import LIGHT_PREFIX

if TYPE_CHECKING:
    from torch import Tensor

    from astrorim.lensing.forward import ForwardModel

__all__ = ["StartOptions", "centre_prior", "search_starts"]

_ROUNDER = 0.5  # ellipticity of the mass over that of the light, to begin with
_LIGHT_FRAME, _ARC_FRAME = 100, 50  # coarse pixels along the frame, about
_WORSE = 0.1  # of ln chi-square over the best, that a start is not followed
_ALIKE = 0.01  # of the Einstein radius, by which two starts are one


@dataclass(frozen=True)
class StartOptions:
    """How to search for starts.

    Parameters
    ----------
    theta_e_range : tuple of float, optional
        Einstein radii to search, arcsec; without it those that fit the radius of the arcs.
    num_radii : int, optional
        Einstein radii to start from between them, in equal ratios.
    num_followed : int, optional
        Starts that descend with the shape of the lens light free, and are returned at most.
    num_steps : int, optional
        Steps with the shape of the lens light held.
    num_more_steps : int, optional
        Steps with it free.
    centre_width : float, optional
        Standard deviation of the centre of mass about that of light, arcsec.
    """

    theta_e_range: tuple[float, float] | None = None
    num_radii: int = 8
    num_followed: int = 3
    num_steps: int = 10
    num_more_steps: int = 15
    centre_width: float = 0.03


@torch.no_grad()
def search_starts(
    model: ForwardModel,
    used: Tensor,
    values: Tensor | None = None,
    options: StartOptions | None = None,
) -> CompactState:
    """Search starts on coarse pixels.

    Parameters
    ----------
    model : ForwardModel
        Of one image, of a lens model with parameters ``theta_E``, ``x0`` and ``y0``.
    used : Tensor, (H, W), bool
        Which pixels count.
    values : Tensor, (1, P), optional
        Parameters to start from besides those of the search.
    options : StartOptions, optional
        How.

    Returns
    -------
    CompactState
        The starts, different from each other, the most credible one first.
    """
    options = options or StartOptions()
    names = model.system.parameters.names
    theta_e = names.index("theta_E")
    coarse, kept = _coarse(model, used, _LIGHT_FRAME)
    light = fit_light(coarse, kept, values)
    low, high = options.theta_e_range or theta_e_range(coarse, kept, light)
    central, inner = central_model(model, used, _reach(coarse, kept, light, high))
    coarse, kept = _coarse(central, inner, _ARC_FRAME)
    trials = light.repeat(options.num_radii, 1)
    steps = torch.linspace(0, 1, options.num_radii, dtype=light.dtype)
    trials[:, theta_e] = low * (high / low) ** steps
    known = centre_prior(model, light, options.centre_width)
    trials = following_light(model, trials)
    if values is not None:
        given = light.clone()
        given[:, : model.system.num_lens] = values[:, : model.system.num_lens]
        trials = torch.cat([given, trials])
    fit = CompactFit(coarse, kept, known)
    state = descend(fit, fit.begin(trials), options.num_steps, light_held=True)
    state = _distinct(fit, state).first(options.num_followed)
    state = descend(fit, state, options.num_more_steps, light_held=False)
    return _distinct(fit, state)


def following_light(model: ForwardModel, values: Tensor) -> Tensor:
    """Parameters (B, P) whose mass has the centre and the direction of their light.

    It is rounder (Bolton et al. 2008, ApJ 682, 964, section 5), and there is no shear. What
    the light model does not have stays as it was.
    """
    names = model.system.parameters.names
    result = values.clone()
    for name, share in (("x0", 1.0), ("y0", 1.0), ("e1", _ROUNDER), ("e2", _ROUNDER)):
        if name in names and LIGHT_PREFIX + name in names:
            own = values[:, names.index(LIGHT_PREFIX + name)]
            result[:, names.index(name)] = share * own
    for name in ("gamma1", "gamma2"):
        if name in names:
            result[:, names.index(name)] = 0.0
    return result


def centre_prior(
    model: ForwardModel, values: Tensor, width: float
) -> dict[str, tuple[float, float]]:
    """Where the mass has its centre: about that of the light.

    Parameters
    ----------
    model : ForwardModel
        Of the image.
    values : Tensor, (1, P)
        With the lens galaxy's light.
    width : float
        Standard deviation of their distance along x and y, arcsec.

    Returns
    -------
    dict of str to tuple of float
        Mean and standard deviation of x0 and y0, arcsec; empty where the light has no
        centre of its own.
    """
    names = model.system.parameters.names
    light = {name: LIGHT_PREFIX + name for name in ("x0", "y0")}
    if not set(light.values()) <= set(names):
        return {}
    return {name: (float(values[0, names.index(own)]), width) for name, own in light.items()}


def _coarse(model: ForwardModel, used: Tensor, size: int) -> tuple[ForwardModel, Tensor]:
    """Model and mask on pixels of which about ``size`` make the side of the frame."""
    factor = max(1, round(max(model.shape) / size))
    return coarse_model(model, factor), coarse_mask(used, factor)


def _reach(model: ForwardModel, used: Tensor, light: Tensor, largest: float) -> float:
    """Radius, arcsec, that holds the arcs and where they have their counter-images."""
    radii = arc_radii(model, used, light, (0.5, 0.9))
    reach = 1.3 * largest if radii is None else max(1.6 * radii[0], 1.15 * radii[1])
    return reach + 2 * float(model.data.pixel_scale[0])


def _distinct(fit: CompactFit, state: CompactState) -> CompactState:
    """Descents in the order of their score, those that ended at the same place once."""
    score = state.score(fit.num_pixels)
    order = score.nan_to_num(nan=torch.inf).argsort()
    theta_e = state.values[:, fit.model.system.parameters.index_of("theta_E")].log()
    kept: list[int] = []
    for i in order.tolist():
        alike = any(abs(float(theta_e[i] - theta_e[j])) < _ALIKE for j in kept)
        close = not kept or float(score[i] - score[kept[0]]) < _WORSE * fit.num_pixels
        if not alike and close:
            kept.append(i)
    return state.select(torch.tensor(kept))

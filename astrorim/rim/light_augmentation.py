"""Lens galaxies from a wider range than a simulator draws, so that real ones lie inside it.

Massive ellipticals outshine their arcs and reach far beyond them, while a simulator of
strong, visible arcs draws faint and compact lens galaxies.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

import torch

from astrorim.lensing.forward import ForwardModel, ImageData
from astrorim.lensing.system import LIGHT_PREFIX

if TYPE_CHECKING:
    from torch import Generator, Tensor

    from astrorim.interfaces import SimulatedLenses
    from astrorim.lensing.system import LensSystem

__all__ = ["LightRange", "redraw_light"]


@dataclass(frozen=True)
class LightRange:
    """What redrawn lens galaxies are like.

    Parameters
    ----------
    fraction : float
        Of the lenses whose galaxy is redrawn.
    half_light_radius : tuple of float, arcsec
        Drawn uniformly in the logarithm.
    sersic_index : tuple of float
        Drawn uniformly.
    flux_ratio : tuple of float
        Flux of the lens galaxy over that of the arcs, uniform in the logarithm.
    gain : float
        Electrons per count, for the photon noise of the added light.
    """

    fraction: float = 0.6
    half_light_radius: tuple[float, float] = (0.2, 2.5)
    sersic_index: tuple[float, float] = (1.0, 6.0)
    flux_ratio: tuple[float, float] = (0.5, 50.0)
    gain: float = 1.5


def redraw_light(
    system: LensSystem,
    simulated: SimulatedLenses,
    ranges: LightRange,
    generator: Generator,
    values: Tensor | None = None,
) -> tuple[Tensor, Tensor, Tensor]:
    """Replace the lens galaxies of some lenses; ellipticity and centre stay.

    Parameters
    ----------
    system : LensSystem
        With a Sersic light model.
    simulated : SimulatedLenses
        The batch.
    ranges : LightRange
        What to draw from.
    generator : Generator
        Source of randomness, on the device of the batch.
    values : Tensor, (B, P), optional
        Parameters before the change; those drawn by default.

    Returns
    -------
    values : Tensor, (B, P)
        Parameters after the change.
    noise_free : Tensor, (B, H, W), counts
        Images after the change, without noise.
    noise : Tensor, (B, H, W), counts
        Standard deviations after the change.

    Raises
    ------
    ValueError
        If the system has no lens light.
    """
    if values is None:
        values = system.stack(simulated.lens, simulated.light)
    number, device = len(values), values.device

    def uniform() -> Tensor:
        return torch.rand(number, generator=generator, device=device)

    def between(low: float, high: float) -> Tensor:
        return low + (high - low) * uniform()

    def log_between(edges: tuple[float, float]) -> Tensor:
        low, high = (math.log(edge) for edge in edges)
        return between(low, high).exp()

    chosen = uniform() < ranges.fraction
    drawn = dict(simulated.light)
    drawn["half_light_radius"] = log_between(ranges.half_light_radius)
    drawn["sersic_index"] = between(*ranges.sersic_index)
    drawn["amplitude"] = torch.ones(number, device=device)
    arcs = simulated.noise_free - simulated.lens_light
    flux = arcs.sum(dim=(-2, -1)) * log_between(ranges.flux_ratio)
    light = system.light
    if light is None:
        raise ValueError(f"the lens system must have a light model to redraw, got {system!r}")
    drawn["amplitude"] = flux / light.total_flux(drawn)
    new = values.clone()
    for name, value in drawn.items():
        column = system.parameters.index_of(LIGHT_PREFIX + name)
        new[:, column] = torch.where(chosen, value, values[:, column])
    blank = ImageData(
        arcs,
        simulated.noise,
        torch.ones_like(arcs),
        simulated.psf,
        simulated.psf_supersampling,
        simulated.pixel_scale,
    )
    image = ForwardModel(system, blank, light_supersampling=2).lens_light(new)
    image = torch.where(chosen[:, None, None], image, simulated.lens_light)
    added = (image - simulated.lens_light) / ranges.gain
    variance = torch.maximum(simulated.noise**2 + added, 0.25 * simulated.noise**2)
    return new, arcs + image, variance.sqrt()

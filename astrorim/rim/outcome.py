"""From tensors in units of an image's noise to a `Reconstruction` in its own unit."""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING, Any

import numpy as np
import torch

from astrorim.lensing.forward import ForwardModel
from astrorim.lensing.interpolation import even_pixels
from astrorim.lensing.system import LIGHT_PREFIX
from astrorim.results import Reconstruction
from astrorim.results.quality import quality_flags
from astrorim.rim.tensors import batch_observations

if TYPE_CHECKING:
    from torch import Tensor

    from astrorim.lensing.interpolation import SourceFrames
    from astrorim.lensing.system import LensSystem
    from astrorim.observation import LensObservation
    from astrorim.observation.sky_noise import SkyNoise

__all__ = ["as_numpy", "build_reconstruction"]


def as_numpy(tensor: Tensor, factor: float = 1.0) -> np.ndarray:
    """A tensor as float64 array, times a factor."""
    return tensor.detach().cpu().double().numpy() * factor


@torch.no_grad()
def build_reconstruction(
    system: LensSystem,
    observation: LensObservation,
    *,
    name: str,
    models: tuple[str, str],
    values: Tensor,
    frames: SourceFrames,
    source: Tensor,
    samples: Tensor,
    unit_flux: float,
    steps: dict[str, np.ndarray],
    provenance: dict[str, Any],
    sky: SkyNoise | None = None,
    supersampling: int = 2,
) -> Reconstruction:
    """One lens in its observation's own unit, rendered on its whole frame, with flags.

    Parameters
    ----------
    system : LensSystem
        What was fitted.
    observation : LensObservation
        What it was fitted to.
    name : str
        Of the lens.
    models : tuple of str
        Names of the lens model and of the lens-light model.
    values : Tensor, (1, P)
        Point estimate.
    frames : SourceFrames
        Frame of the source, on the device of ``values``. From a stretched one the result's
        source is sampled on even pixels.
    source : Tensor, (1, n, n), unit_flux per arcsec^2
        The source.
    samples : Tensor, (S, P)
        Posterior samples.
    unit_flux : float
        What one flux unit of the tensors is in the observation's unit.
    steps : dict of str to ndarray
        History of the inference, in the observation's unit.
    provenance : dict
        How the result was made; the checksum of the data is added.
    sky : SkyNoise, optional
        Noise measured on the blank sky, for the flags.
    supersampling : int, optional
        Sub-pixels along the side of a pixel that the source was traced with.

    Returns
    -------
    Reconstruction
    """
    names = system.parameters
    whole = batch_observations([observation], device=str(values.device))
    model = ForwardModel(system, whole.data, supersampling=supersampling)
    # The whole frame's own flux unit may differ from that of the frame that was fitted.
    ratio = unit_flux / whole.unit_flux[0]
    linear = values.new_tensor([ratio if p.linear else 1.0 for p in names])
    light = model.lens_light(values * linear)[0]
    arcs = model.source_operator(values, frames).apply(source * ratio)[0]
    frames, source = even_pixels(frames, source)
    x, y = model.positions(1)
    inner = (
        slice(model.margin, model.margin + model.shape[0]),
        slice(model.margin, model.margin + model.shape[1]),
    )
    kappa = system.lens.convergence(x, y, system.lens_params(values))[0][inner]
    scales = [unit_flux if p.linear else 1.0 for p in names]
    point = {
        p.name: float(values[0, column]) * scales[column] for column, p in enumerate(names)
    }
    checksum = hashlib.sha256(np.ascontiguousarray(observation.data).tobytes()).hexdigest()
    result = Reconstruction(
        name=name,
        observation=observation,
        source=as_numpy(source[0], unit_flux),
        source_grid=frames.grid(0),
        forward_image=as_numpy(light + arcs, whole.unit_flux[0]),
        lens_light=as_numpy(light, whole.unit_flux[0]),
        background=0.0,
        convergence=as_numpy(kappa),
        lens_model=models[0],
        light_model=models[1],
        lens={p.name: point[p.name] for p in names[: system.num_lens]},
        light={
            p.name.removeprefix(LIGHT_PREFIX): point[p.name] for p in names[system.num_lens :]
        },
        samples={
            p.name: as_numpy(samples[:, column], scales[column])
            for column, p in enumerate(names)
        },
        steps=steps,
        provenance=provenance | {"data_sha256": checksum},
    )
    result.flags.update(quality_flags(result, names, sky=sky))
    return result

"""The lens galaxy's light fitted alone, what it leaves over, the arcs, masked or subtracted."""

from __future__ import annotations

import math
from dataclasses import replace
from typing import TYPE_CHECKING

import torch

from astrorim.inference.lens_fit import LensFit
from astrorim.inference.refinement import RefinementOptions, evaluate, refine
from astrorim.lensing.system import LIGHT_PREFIX

if TYPE_CHECKING:
    from torch import Tensor

    from astrorim.lensing.forward import ForwardModel

__all__ = ["fit_light", "light_on_frame", "smoothed"]

_CENTRAL = 0.4  # arcsec from the middle of the frame within which the lens galaxy peaks
_OUTSKIRTS = 0.01  # weight of a pixel outside the fitted region beside one inside
_FEWEST = 6  # pixels of a ring whose percentile means something


def smoothed(image: Tensor) -> Tensor:
    """Mean of an image (H, W) over 3 x 3 pixels."""
    pool = torch.nn.functional.avg_pool2d
    return pool(image[None, None], 3, 1, 1, count_include_pad=False)[0, 0]


def _neutral(model: ForwardModel) -> Tensor:
    """Middle of each parameter's prior (1, P), positive ones in the logarithm."""
    values = []
    for parameter in model.system.parameters:
        low, high = parameter.prior
        values.append(math.sqrt(low * high) if low > 0 else (low + high) / 2)
    return model.data.image.new_tensor([values])


def fit_light(
    model: ForwardModel, used: Tensor, values: Tensor | None = None, *, max_steps: int = 20
) -> Tensor:
    """Fit the lens galaxy's light alone, arcs masked.

    Parameters
    ----------
    model : ForwardModel
        Of one image.
    used : Tensor, (H, W), bool
        Which pixels count.
    values : Tensor, (1, P), optional
        Start; the middle of the priors, and a round galaxy, without it.
    max_steps : int, optional
        Evaluations of each descent: of one, then three times of two.

    Returns
    -------
    Tensor, (1, P)
        Parameters, those of the lens as they were.
    """
    blind = values is None
    values = _neutral(model) if values is None else values
    if model.system.light is None:
        return values
    held = tuple(p.name for p in model.system.lens.parameters)
    options = RefinementOptions(max_steps=max_steps, tolerance=1.0)
    kept = used & ~_brighter_than_within(model, used)
    first = values
    for i in range(4):
        fit = LensFit(model, kept, 0)
        # Round at first: an ellipse would follow the arcs.
        also = (f"{LIGHT_PREFIX}e1", f"{LIGHT_PREFIX}e2") if blind and i == 0 else ()
        # From the first start too: a fit that took arcs for outskirts would stay too wide.
        starts = [values] if i == 0 else [values, first]
        states = [refine(fit, v, None, held=held + also, options=options) for v in starts]
        values = min(states, key=lambda state: state.objective).values
        image = model.lens_light(values)[0]
        residual = (model.data.image[0] - image) / model.data.noise[0]
        smooth = smoothed(residual)
        # The model errs in proportion to the light, most in the core.
        error = torch.hypot(torch.ones_like(image), 0.1 * image / model.data.noise[0])
        kept = used & (smooth < error)
        if int(kept.sum()) < 0.1 * int(used.sum()):
            break
    return values


@torch.no_grad()
def light_on_frame(
    model: ForwardModel, used: Tensor, values: Tensor, arcs: Tensor, fitted: Tensor
) -> Tensor:
    """Solve the amplitudes of the lens light on a whole frame, its shape and the arcs held.

    A fit of the pixels around the arcs says little of the galaxy's outskirts. Those have
    another shape, and many pixels: they count a hundredth, so that the light under the arcs
    stays as it was fitted.

    Parameters
    ----------
    model : ForwardModel
        Of one image.
    used : Tensor, (H, W), bool
        Which pixels count.
    values : Tensor, (1, P)
        Parameters.
    arcs : Tensor, (1, H, W), flux per pixel
        The lensed source.
    fitted : Tensor, (H, W), bool
        Which pixels were fitted with the arcs.

    Returns
    -------
    Tensor, (1, P)
        The parameters with other amplitudes; as they were without lens light.
    """
    if model.system.light is None:
        return values
    noise = torch.where(fitted, model.data.noise, _OUTSKIRTS**-0.5 * model.data.noise)
    alone = model.changed(data=replace(model.data, image=model.data.image - arcs, noise=noise))
    return evaluate(LensFit(alone, used, 0), values, None, 1.0).values


def _brighter_than_within(model: ForwardModel, used: Tensor) -> Tensor:
    """Pixels (H, W) brighter than a galaxy may be whose light falls outwards: arcs.

    The galaxy's light at a radius is no more than the least, over the smaller radii, of the
    30th percentile around the circle.
    """
    data, m = model.data, model.margin
    inner = (0, slice(m, m + model.shape[0]), slice(m, m + model.shape[1]))
    x, y = (position[inner] for position in model.positions(1))
    smooth = smoothed(data.image[0])
    scale = float(data.pixel_scale[0])
    central = used & (torch.hypot(x, y) < _CENTRAL)
    if not bool(central.any()):
        return torch.zeros_like(used)
    peak = int(torch.where(central, smooth, -torch.inf).argmax())
    ring = (torch.hypot(x - x.flatten()[peak], y - y.flatten()[peak]) / scale).long()
    ceiling = torch.full_like(smooth, torch.inf)
    least = torch.inf
    for i in range(int(ring.max()) + 1):
        here = (ring == i) & used
        if int(here.sum()) > _FEWEST:
            least = min(least, float(smooth[here].quantile(0.3)))
        ceiling[ring == i] = least
    return smooth > 1.2 * ceiling + 2 * data.noise[0] / 3

r"""Gauss-Newton steps on the lens and lens-light parameters with the source held.

The gradient of :math:`\chi^2/2` is exact, by reverse-mode differentiation of the whole
forward model. The curvature is the Gauss-Newton matrix :math:`J^T W J` with J evaluated at
the detector's sampling from analytic ray-shooting derivatives and the slope of the source.

Positive parameters step in their logarithm: the amplitude, radius and index of the lens
light trade against one another by factors, and a factor never makes them negative.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import torch

from astrorim.lensing.convolution import Convolution, bin_kernel, bin_pixels

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from torch import Tensor

    from astrorim.lensing.forward import ForwardModel
    from astrorim.lensing.interpolation import SourceFrames
    from astrorim.parameters import Parameter

__all__ = [
    "ParameterStep",
    "curvature_factors",
    "from_coordinates",
    "gauss_newton_step",
    "is_positive",
    "to_coordinates",
]


def is_positive(parameters: Sequence[Parameter], like: Tensor) -> Tensor:
    """Which parameters step in their logarithm: (P,) bool, on the device of ``like``."""
    positive = [p.support[0] > 0 or p.linear for p in parameters]
    return torch.tensor(positive, dtype=torch.bool, device=like.device)


def to_coordinates(values: Tensor, positive: Tensor) -> Tensor:
    """Step coordinates of parameters (..., P): logarithms of the positive ones."""
    safe = torch.where(positive, values, 1.0).clamp_min(torch.finfo(values.dtype).tiny)
    return torch.where(positive, safe.log(), values)


def from_coordinates(coordinates: Tensor, positive: Tensor) -> Tensor:
    """Parameters (..., P) of step coordinates; undoes `to_coordinates`."""
    return torch.where(positive, torch.where(positive, coordinates, 0.0).exp(), coordinates)


@dataclass(frozen=True)
class ParameterStep:
    """Outcome of a Gauss-Newton step.

    Parameters
    ----------
    values : Tensor, (B, P)
        New parameters, inside their supports.
    covariance : Tensor, (B, P, P)
        Inverse curvature at the old ones in step coordinates, with the source held.
    chi2 : Tensor, (B,)
        Chi-square at the old ones.
    """

    values: Tensor
    covariance: Tensor
    chi2: Tensor


def curvature_factors(
    model: ForwardModel, source: Tensor, values: Tensor, frames: SourceFrames
) -> Tensor:
    """Derivatives of the image with respect to the parameters, the source held.

    Evaluated with ray-shooting derivatives at the centres of the detector's pixels and
    the PSF at its sampling: accurate enough to step with; gradients are computed exactly.
    The lens light, whose core is steep, is differentiated on the sub-pixels that it is
    rendered on.

    Parameters
    ----------
    model : ForwardModel
        Renders the images.
    source : Tensor, (B, n, n), flux per arcsec^2
        Source images.
    values : Tensor, (B, P)
        Where to differentiate.
    frames : SourceFrames
        Frames of the source images.

    Returns
    -------
    Tensor, (B, P, H, W), flux per pixel per unit of the parameter
    """
    system, k, data = model.system, model.supersampling, model.data
    operator = model.source_operator(values, frames)
    slope_x, slope_y = (bin_pixels(s, k) for s in operator.sampler.gradient(source))
    x, y = model.positions(1)
    m = model.margin
    kernel = bin_kernel(data.psf, data.psf_supersampling)
    margin = kernel.shape[-1] // 2
    blur = Convolution(kernel, model.shape)
    area = data.pixel_scale[:, None, None] ** 2

    def fitted(scene: Tensor) -> Tensor:
        excess = m - margin
        if excess >= 0:
            rows = slice(excess, scene.shape[-2] - excess)
            columns = slice(excess, scene.shape[-1] - excess)
            scene = scene[..., rows, columns]
        else:
            scene = torch.nn.functional.pad(scene, (-excess,) * 4)
        return blur.apply(scene) * area

    def along(function: Callable[[Tensor], Any], first: int, last: int) -> Any:
        """Derivatives of a function of the parameters first to last - 1, one leading axis."""
        directions = torch.eye(values.shape[1], dtype=values.dtype, device=values.device)
        directions = directions[first:last, None].expand(-1, len(values), -1)
        # All directions at once: forward mode costs as much for one as for a few.
        return torch.func.vmap(
            lambda direction: torch.func.jvp(function, (values,), (direction,))[1]
        )(directions)

    d_x, d_y = along(lambda v: system.trace(x, y, v), 0, system.num_lens)
    derivatives = [fitted(slope_x * a + slope_y * b) for a, b in zip(d_x, d_y, strict=True)]
    if system.light is not None:
        core = model.light_core(values)
        d_light = along(
            lambda v: model.light_scene(v, core), system.num_lens, len(system.parameters)
        )
        derivatives += [fitted(bin_pixels(d, model.sampling)) for d in d_light]
    return torch.stack(derivatives, dim=1)


def gauss_newton_step(
    model: ForwardModel,
    source: Tensor,
    values: Tensor,
    frames: SourceFrames,
    *,
    prior_precision: Tensor,
    prior_mean: Tensor,
    limits: Tensor,
    relaxation: float = 1.0,
    damping: float = 1e-3,
) -> ParameterStep:
    r"""Step the parameters towards the maximum of the posterior with the source held.

    Parameters
    ----------
    model : ForwardModel
        Renders the images.
    source : Tensor, (B, n, n), flux per arcsec^2
        Source images.
    values : Tensor, (B, P)
        Current parameters.
    frames : SourceFrames
        Frames of the source images.
    prior_precision : Tensor, (B, P)
        One over the prior variance of each step coordinate.
    prior_mean : Tensor, (B, P)
        Prior mean of each step coordinate.
    limits : Tensor, (B, P)
        Largest step of each coordinate; longer steps are scaled down as a whole.
    relaxation : float, optional
        Factor on the step; above one because the source, made for the old parameters,
        holds them back.
    damping : float, optional
        Fraction of the curvature's diagonal that is added to it.

    Returns
    -------
    ParameterStep
    """
    data = model.data
    with torch.enable_grad():
        variable = values.detach().requires_grad_(True)
        chi2 = model.chi2(model.render(source.detach(), variable, frames))
        (gradient,) = torch.autograd.grad(0.5 * chi2.sum(), variable)
    with torch.no_grad():
        positive = is_positive(model.system.parameters, values)
        place = to_coordinates(values, positive)
        per_coordinate = torch.where(positive, values, 1.0)
        jacobian = curvature_factors(model, source, values, frames).flatten(2)
        jacobian = jacobian * per_coordinate[..., None]
        weighted = jacobian * data.weight.flatten(1)[:, None]
        curvature = weighted @ jacobian.mT + torch.diag_embed(prior_precision)
        gradient = gradient * per_coordinate + prior_precision * (place - prior_mean)
        # Solved in units of each coordinate's own error, so that float32 suffices.
        scale = curvature.diagonal(dim1=1, dim2=2).clamp_min(1e-30).sqrt()
        normal = curvature / (scale[:, :, None] * scale[:, None, :])
        eye = torch.eye(values.shape[1], dtype=torch.float64, device=values.device)
        factor = torch.linalg.cholesky_ex(normal.double() + damping * eye).L
        step = -torch.cholesky_solve((gradient / scale).double()[..., None], factor)[..., 0]
        step = relaxation * step.to(values.dtype) / scale
        shrink = (limits / step.abs().clamp_min(1e-30)).amin(dim=1, keepdim=True).clamp_max(1)
        new = from_coordinates(place + shrink * step, positive)
        low, high = model.system.supports(values)
        new = torch.minimum(torch.maximum(new, low), high)
        new = torch.where(torch.isfinite(new).all(dim=1, keepdim=True), new, values)
        inverse = torch.cholesky_inverse(factor).to(values.dtype)
        covariance = inverse / (scale[:, :, None] * scale[:, None, :])
    return ParameterStep(new, covariance, chi2.detach())

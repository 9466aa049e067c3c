"""The frame of the source, chosen from where the observed arcs trace back to."""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch

from astrorim.lensing.convolution import bin_pixels
from astrorim.lensing.interpolation import SourceFrames

if TYPE_CHECKING:
    from torch import Tensor

    from astrorim.lensing.forward import ForwardModel

__all__ = ["frames_from_arcs"]

_SIGNAL_TO_NOISE = 3.0  # of pixels, smoothed over 3 x 3, that count as arc
_FAINTEST = 0.05  # of the arcs' peak: what is fainter may be a halo of the lens galaxy
_NUM_BRIGHTEST = 20  # pixels of the ring; the faintest of them is its peak
_INNER_RADIUS = 0.4  # in Einstein radii: what lies inside is dominated by the lens light
_OUTER_RADIUS = 2.2  # in Einstein radii: what lies outside belongs to neighbours
_QUANTILE = 0.01  # of the arc's light left out at each side
_MARGIN = 1.7  # of the frame over the extent of the arcs
_LARGEST = 1.4  # half a frame at most, in Einstein radii
_SMALLEST = 6.0  # half a frame at least, in detector pixels


def _weighted_quantiles(values: Tensor, weights: Tensor, levels: Tensor) -> Tensor:
    """Quantiles (B, L) of ``values`` (B, N) under ``weights`` (B, N)."""
    order = values.argsort(dim=1)
    ordered = values.gather(1, order)
    cumulative = weights.gather(1, order).cumsum(dim=1)
    cumulative = cumulative / cumulative[:, -1:].clamp_min(1e-30)
    position = torch.searchsorted(cumulative, levels.expand(len(values), -1).contiguous())
    return ordered.gather(1, position.clamp_max(values.shape[1] - 1))


def frames_from_arcs(
    model: ForwardModel,
    values: Tensor,
    lens_light: Tensor,
    size: int,
    *,
    theta_e: Tensor,
    centre: Tensor,
) -> SourceFrames:
    r"""Choose each source's frame from the traced positions of significant arc light.

    Pixels whose light, the lens galaxy's subtracted, exceeds three times the noise and a
    twentieth of the arcs' peak are traced to the source plane; the frame is centred between
    the light-weighted 1st and 99th percentile of their positions and covers 1.7 times the
    larger of the two spreads.

    Parameters
    ----------
    model : ForwardModel
        Holds the data.
    values : Tensor, (B, P)
        Lens and light parameters.
    lens_light : Tensor, (B, H, W), flux per pixel
        The lens galaxy's image to subtract.
    size : int
        Side of the source images, pixels.
    theta_e : Tensor, (B,), arcsec
        Einstein radius, for where to look for arcs.
    centre : Tensor, (B, 2), arcsec
        Position (x, y) of the lens, for the same.

    Returns
    -------
    SourceFrames
        Where no pixel is significant, the frame is centred on the lens and as large as an
        Einstein radius.
    """
    data, m, k = model.data, model.margin, model.supersampling
    arcs = data.image - lens_light
    if data.background is not None:
        arcs = arcs - data.background[:, None, None]
    arcs = arcs * data.good
    smooth = torch.nn.functional.avg_pool2d(arcs[:, None], 3, stride=1, padding=1)[:, 0]
    variance = (data.noise**2 * data.good)[:, None]
    noise = torch.nn.functional.avg_pool2d(variance, 3, 1, 1)[:, 0].sqrt() / 3
    beta_x, beta_y = model.trace(values)
    height, width = model.shape
    inner = (slice(None), slice(m, m + height), slice(m, m + width))
    beta_x, beta_y = bin_pixels(beta_x, k)[inner], bin_pixels(beta_y, k)[inner]
    x, y = (position[inner] for position in model.positions(1))
    theta_e = theta_e[:, None, None]
    x0, y0 = centre[:, 0, None, None], centre[:, 1, None, None]
    radius = torch.hypot(x - x0, y - y0) / theta_e
    ring = (radius > _INNER_RADIUS) & (radius < _OUTER_RADIUS) & (data.good > 0)
    # A demagnified pixel far from the ring would widen the frame for the sake of noise.
    near = torch.hypot(beta_x - x0, beta_y - y0) < _LARGEST * theta_e
    peak = torch.where(ring, smooth, 0.0).flatten(1).topk(_NUM_BRIGHTEST, dim=1).values[:, -1]
    least = torch.maximum(_SIGNAL_TO_NOISE * noise, _FAINTEST * peak[:, None, None])
    weight = torch.where(ring & near & (smooth > least), smooth, 0.0).flatten(1)
    levels = weight.new_tensor([_QUANTILE, 1 - _QUANTILE])
    edges_x = _weighted_quantiles(beta_x.flatten(1), weight, levels)
    edges_y = _weighted_quantiles(beta_y.flatten(1), weight, levels)
    spread = torch.maximum(edges_x[:, 1] - edges_x[:, 0], edges_y[:, 1] - edges_y[:, 0]) / 2
    half = _MARGIN * spread
    half = torch.minimum(half, _LARGEST * theta_e[:, 0, 0])
    half = torch.maximum(half, _SMALLEST * data.pixel_scale)
    middle = torch.stack([edges_x.mean(dim=1), edges_y.mean(dim=1)], dim=1)
    found = weight.sum(dim=1) > 0
    middle = torch.where(found[:, None], middle, centre)
    half = torch.where(found, half, theta_e[:, 0, 0])
    return SourceFrames(middle.detach(), (2 * half / size).detach(), size)

"""The flat field: response of each pixel, fixed for a detector, and vignetting."""

from __future__ import annotations

import math
from functools import lru_cache
from typing import TYPE_CHECKING

import torch

from astrorim_plugins.simulators.effects.sky import frame_axis
from astrorim_plugins.simulators.random_streams import RandomStreams, box_muller
from astrorim_plugins.simulators.rendering import even_length

if TYPE_CHECKING:
    from torch import Tensor

__all__ = ["pixel_response", "vignetting"]

_STREAM = "pixel_response"


@lru_cache(maxsize=16)
def _unit_pattern(shape: tuple[int, int], detector_seed: int, device: torch.device) -> Tensor:
    """Standard normal numbers of a detector, (ny, nx), drawn on the CPU for every device."""
    pixels = shape[0] * shape[1]
    half = even_length(math.ceil(pixels / 2))
    streams = RandomStreams(detector_seed, torch.zeros(1, dtype=torch.int64))
    normal = box_muller(streams.words({_STREAM: 2 * half})[_STREAM])[0, :pixels]
    return normal.view(shape).to(device)


def pixel_response(shape: tuple[int, int], detector_seed: int, deviation: Tensor) -> Tensor:
    r"""Photo-response non-uniformity: sensitivity of each pixel relative to the mean.

    :math:`1 + s\,p_{yx}`, where p is a fixed pattern of standard normal numbers that a
    detector's seed alone determines: all images of one detector have the same pattern,
    and flat-fielding with other images would take it off. It multiplies the expected
    light, sky included, before photons are counted (Janesick 2007, *Photon Transfer*,
    SPIE Press, chapter 5, whose factor :math:`P_N` is our s).

    Parameters
    ----------
    shape : tuple of int
        Frame, ``(ny, nx)``, pixels; frames of different shape are different detectors.
    detector_seed : int
        Seed of the detector, from 0 to 2^64 - 1.
    deviation : Tensor, (B,)
        Standard deviation s of the response, 0.01 for one per cent.

    Returns
    -------
    Tensor, (B, ny, nx)
        Factor; dtype and device of ``deviation``.
    """
    frame = (int(shape[0]), int(shape[1]))
    pattern = _unit_pattern(frame, int(detector_seed), deviation.device)
    return 1 + deviation[:, None, None] * pattern.to(deviation.dtype)


def vignetting(shape: tuple[int, int], depth: Tensor, power: Tensor) -> Tensor:
    r"""Fall of the illumination towards the corners of the frame.

    :math:`1 - d\,(r / r_\mathrm{max})^p`, with r the distance from the centre of the frame
    to the centre of a pixel, and :math:`r_\mathrm{max}` that to the frame's outer corner.
    An empirical law: the exponent is that of the declared population.

    Parameters
    ----------
    shape : tuple of int
        Frame, ``(ny, nx)``, pixels.
    depth : Tensor, (B,)
        Relative loss d in the corner; zero for none.
    power : Tensor, (B,)
        Exponent p, positive.

    Returns
    -------
    Tensor, (B, ny, nx)
        Factor on the light, sky included; dtype and device of ``depth``.
    """
    ny, nx = shape
    x = nx * frame_axis(nx, like=depth)[None, :]
    y = ny * frame_axis(ny, like=depth)[:, None]
    radius = torch.hypot(x, y) / math.hypot(nx / 2, ny / 2)
    return 1 - depth[:, None, None] * radius ** power[:, None, None]

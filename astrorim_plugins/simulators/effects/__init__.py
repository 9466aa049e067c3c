"""Effects of sky, detector and read-out, each a pure function of batched tensors."""

from __future__ import annotations

from astrorim_plugins.simulators.effects.charge_transfer import (
    ChargeTrail,
    charge_beyond_frame,
    trail,
    transfer_matrix,
)
from astrorim_plugins.simulators.effects.correlated_noise import (
    correlate,
    correlation_kernel,
)
from astrorim_plugins.simulators.effects.cosmic_rays import (
    MAX_TRACKS,
    CosmicRays,
    deposit,
    draw_cosmic_rays,
    track_length,
)
from astrorim_plugins.simulators.effects.flat_field import pixel_response, vignetting
from astrorim_plugins.simulators.effects.sky import frame_axis, residual_plane, sky_plane

__all__ = [
    "MAX_TRACKS",
    "ChargeTrail",
    "CosmicRays",
    "charge_beyond_frame",
    "correlate",
    "correlation_kernel",
    "deposit",
    "draw_cosmic_rays",
    "frame_axis",
    "pixel_response",
    "residual_plane",
    "sky_plane",
    "track_length",
    "trail",
    "transfer_matrix",
    "vignetting",
]

"""Groups of quantities that several simulators declare."""

from __future__ import annotations

from astrorim_plugins.simulators.blocks.lens import (
    centred_halo,
    group_halo,
    mass,
    redshifts,
    second_deflector,
    subhalos,
)
from astrorim_plugins.simulators.blocks.light import (
    NUM_MAGNITUDES,
    lens_light,
    neighbours,
    photometry,
)
from astrorim_plugins.simulators.blocks.observing import (
    charge_trails,
    correlated_noise,
    cosmic_rays,
    exposure,
    pixel_response,
    psf,
    psf_mismatch,
    shift,
    sky_gradient,
    sky_residual,
    vignetting,
)
from astrorim_plugins.simulators.blocks.ranges import (
    ANGLE,
    FULL_ANGLE,
    NONE,
    angle,
    axes,
    plus_minus,
)
from astrorim_plugins.simulators.blocks.source import (
    bulge_and_disk,
    clumps,
    extras,
    source_centre,
    spiral,
)

__all__ = [
    "ANGLE",
    "FULL_ANGLE",
    "NONE",
    "NUM_MAGNITUDES",
    "angle",
    "axes",
    "bulge_and_disk",
    "centred_halo",
    "charge_trails",
    "clumps",
    "correlated_noise",
    "cosmic_rays",
    "exposure",
    "extras",
    "group_halo",
    "lens_light",
    "mass",
    "neighbours",
    "photometry",
    "pixel_response",
    "plus_minus",
    "psf",
    "psf_mismatch",
    "redshifts",
    "second_deflector",
    "shift",
    "sky_gradient",
    "sky_residual",
    "source_centre",
    "spiral",
    "subhalos",
    "vignetting",
]

"""Reconstructions as runnable models of lenstronomy, and models of lenstronomy as ours.

The frame is ours: lenstronomy's "ra" is x, which grows with the column, its "dec" is y, which
grows with the row, and the origin is the centre of the array. Its angles are then
counter-clockwise from +x on the image, as ours; sky angles come from the WCS, not from it.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from astrorim.interchange.lenstronomy_profiles import (
    lens_from_lenstronomy,
    lens_to_lenstronomy,
    light_from_lenstronomy,
    light_to_lenstronomy,
)

if TYPE_CHECKING:
    from astrorim.observation import LensObservation
    from astrorim.results import Reconstruction

__all__ = [
    "LensDescription",
    "LenstronomyModel",
    "data_to_lenstronomy",
    "from_lenstronomy",
    "to_lenstronomy",
]

Kwargs = dict[str, Any]

_SKY = "UNIFORM"
"""lenstronomy's profile of a constant background."""


@dataclass(frozen=True)
class LenstronomyModel:
    """What lenstronomy needs to render a lens, under lenstronomy's own names.

    Parameters
    ----------
    kwargs_data : dict
        Image and noise, (H, W), flux per pixel, and the pixel grid, arcsec.
    kwargs_psf : dict
        The PSF, (K, K), sum one.
    kwargs_numerics : dict
        Sub-pixels and how they are convolved.
    kwargs_model : dict
        Lists of profiles: ``lens_model_list``, ``source_light_model_list`` and
        ``lens_light_model_list``.
    kwargs_result : dict
        Their parameters: ``kwargs_lens``, ``kwargs_source`` and ``kwargs_lens_light``;
        lengths in arcsec, brightness in flux per arcsec^2.
    likelihood_mask : ndarray, (H, W)
        One where a pixel counts, zero where it is masked.
    """

    kwargs_data: Kwargs
    kwargs_psf: Kwargs
    kwargs_numerics: Kwargs
    kwargs_model: Kwargs
    kwargs_result: Kwargs
    likelihood_mask: np.ndarray

    def image_model(self) -> Any:
        """Lenstronomy's ``ImageModel`` of this lens."""
        from lenstronomy.Data.imaging_data import ImageData
        from lenstronomy.Data.psf import PSF
        from lenstronomy.ImSim.image_model import ImageModel
        from lenstronomy.LensModel.lens_model import LensModel
        from lenstronomy.LightModel.light_model import LightModel

        lists = self.kwargs_model
        return ImageModel(
            ImageData(**self.kwargs_data),
            PSF(**self.kwargs_psf),
            LensModel(lists["lens_model_list"]),
            LightModel(lists["source_light_model_list"]),
            LightModel(lists["lens_light_model_list"]),
            kwargs_numerics=self.kwargs_numerics,
        )

    def image(self) -> np.ndarray:
        """Image by lenstronomy, (H, W), flux per pixel.

        Its PSF brings in nothing from outside the frame, ours does: within half a PSF of
        the edges the two differ by that light.
        """
        return self.image_model().image(**self.kwargs_result)


class LensDescription(NamedTuple):
    """A lens and its light by our names.

    Parameters
    ----------
    lens_model : str
        Registered name or a sum.
    lens : dict of str to float
        Its parameters, arcsec where lengths.
    light_model : str or None
        Registered name; None where there is no lens light.
    light : dict of str to float
        Its parameters: amplitude in flux per arcsec^2, lengths in arcsec.
    background : float
        Constant brightness, flux per arcsec^2.
    """

    lens_model: str
    lens: dict[str, float]
    light_model: str | None
    light: dict[str, float]
    background: float


def data_to_lenstronomy(
    observation: LensObservation, *, supersampling: int = 4
) -> tuple[Kwargs, Kwargs, Kwargs, np.ndarray]:
    """An observation as lenstronomy's data, PSF, numerics and mask.

    Masked pixels hold zero, with the largest noise of the good ones, and are zero in the
    mask.

    Parameters
    ----------
    observation : LensObservation
        With noise and PSF; square, as lenstronomy's frames are where there are sub-pixels.
    supersampling : int, optional
        Sub-pixels along the side of a pixel; where the PSF is finer than the pixels, its
        own sampling is taken, at which lenstronomy then convolves.

    Returns
    -------
    kwargs_data, kwargs_psf, kwargs_numerics : dict
    likelihood_mask : ndarray, (H, W)

    Raises
    ------
    ObservationError
        If the observation has no noise map.
    ValueError
        If it has no PSF or no good pixel, is not square, or ``supersampling`` is not a
        positive integer.
    """
    if isinstance(supersampling, bool) or int(supersampling) != supersampling:
        raise ValueError(f"supersampling must be a positive integer, got {supersampling!r}")
    if supersampling < 1:
        raise ValueError(f"supersampling must be a positive integer, got {supersampling!r}")
    if observation.psf is None:
        raise ValueError("the observation must have a PSF, got None; set observation.psf")
    ny, nx = observation.shape
    if ny != nx:
        raise ValueError(
            f"lenstronomy's frames are square where there are sub-pixels, got {(ny, nx)}; cut "
            "the observation to a square with its cutout method"
        )
    good = np.asarray(observation.good)
    if not good.any():
        raise ValueError("the observation must have a good pixel, got none")
    noise = np.asarray(observation.noise, dtype=float)
    scale = observation.grid.pixel_scale
    left, bottom = observation.grid.to_arcsec(0, 0)
    kwargs_data = {
        "image_data": np.where(good, observation.data, 0.0).astype(float),
        "noise_map": np.where(good, noise, noise[good].max()),
        "ra_at_xy_0": left,
        "dec_at_xy_0": bottom,
        "transform_pix2angle": np.eye(2) * scale,
    }
    sampling = observation.psf_supersampling
    kwargs_psf = {
        "psf_type": "PIXEL",
        "kernel_point_source": np.asarray(observation.psf, dtype=float),
        "point_source_supersampling_factor": sampling,
        "pixel_size": scale,
    }
    kwargs_numerics = {
        "supersampling_factor": int(supersampling) if sampling == 1 else sampling,
        "supersampling_convolution": sampling > 1,
        # else only the kernel's core is applied at its own sampling
        "supersampling_kernel_size": None,
    }
    return kwargs_data, kwargs_psf, kwargs_numerics, good.astype(float)


def to_lenstronomy(
    reconstruction: Reconstruction, *, supersampling: int = 4
) -> LenstronomyModel:
    """Make lenstronomy's model of a reconstruction, its pixelised source included.

    The source is lenstronomy's ``INTERPOL``, bilinear between pixels as ours; the
    background is the light profile ``UNIFORM``. For lists and parameters alone, without
    an observation, see `lens_to_lenstronomy` and `light_to_lenstronomy`.

    Parameters
    ----------
    reconstruction : Reconstruction
        A result; its observation must be square.
    supersampling : int, optional
        As for `data_to_lenstronomy`.

    Returns
    -------
    LenstronomyModel

    Raises
    ------
    ObservationError
        If the observation has no noise map.
    ValueError
        If the observation does not do, or a lens or light model has no counterpart.
    """
    data, psf, numerics, mask = data_to_lenstronomy(
        reconstruction.observation, supersampling=supersampling
    )
    lens_list, kwargs_lens = lens_to_lenstronomy(reconstruction.lens_model, reconstruction.lens)
    light_list, kwargs_light = light_to_lenstronomy(
        reconstruction.light_model, reconstruction.light
    )
    scale = reconstruction.observation.grid.pixel_scale
    light_list = [*light_list, _SKY]
    kwargs_light = [*kwargs_light, {"amp": reconstruction.background / scale**2}]
    grid = reconstruction.source_grid
    source = {
        "image": np.asarray(reconstruction.source, dtype=float),
        "amp": 1.0,
        "center_x": grid.x0,
        "center_y": grid.y0,
        "phi_G": 0.0,
        "scale": grid.pixel_scale,
    }
    return LenstronomyModel(
        kwargs_data=data,
        kwargs_psf=psf,
        kwargs_numerics=numerics,
        kwargs_model={
            "lens_model_list": lens_list,
            "source_light_model_list": ["INTERPOL"],
            "lens_light_model_list": light_list,
        },
        kwargs_result={
            "kwargs_lens": kwargs_lens,
            "kwargs_source": [source],
            "kwargs_lens_light": kwargs_light,
        },
        likelihood_mask=mask,
    )


def from_lenstronomy(
    kwargs_model: Mapping[str, Any],
    kwargs_result: Mapping[str, Any],
    *,
    lens_model: str | None = None,
) -> LensDescription:
    """Lens and lens light of one of lenstronomy's models; sources are left out.

    Parameters
    ----------
    kwargs_model : mapping
        With ``lens_model_list`` and, where there is lens light, ``lens_light_model_list``.
    kwargs_result : mapping
        With ``kwargs_lens`` and ``kwargs_lens_light``, as a fit of lenstronomy returns it.
    lens_model : str, optional
        Name of the sum, where its labels are to be kept; see `lens_from_lenstronomy`.

    Returns
    -------
    LensDescription

    Raises
    ------
    TypeError
        If a value is not a number.
    ValueError
        If a profile is not one of ours, or its parameters are not complete.
    """
    for name, key, mapping in (
        ("kwargs_model", "lens_model_list", kwargs_model),
        ("kwargs_result", "kwargs_lens", kwargs_result),
    ):
        if key not in mapping:
            given = ", ".join(mapping) or "nothing"
            raise ValueError(f"{name} must hold {key!r}; it holds: {given}")
    name, lens = lens_from_lenstronomy(
        kwargs_model["lens_model_list"], kwargs_result["kwargs_lens"], lens_model=lens_model
    )
    profiles = list(kwargs_model.get("lens_light_model_list") or [])
    kwargs = list(kwargs_result.get("kwargs_lens_light") or [])
    if len(profiles) != len(kwargs):
        raise ValueError(
            "lens_light_model_list must name one profile for each set of parameters, got "
            f"{len(profiles)} profiles and {len(kwargs)} sets"
        )
    pairs = list(zip(profiles, kwargs, strict=True))
    background = sum(float(own["amp"]) for profile, own in pairs if profile == _SKY)
    galaxies = [pair for pair in pairs if pair[0] != _SKY]
    if not galaxies:
        return LensDescription(name, lens, None, {}, background)
    light_model, light = light_from_lenstronomy(
        [profile for profile, _ in galaxies], [own for _, own in galaxies]
    )
    return LensDescription(name, lens, light_model, light, background)

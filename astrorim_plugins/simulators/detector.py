"""What sky and detector make of a noise-free image."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

import torch

from astrorim_plugins.simulators import effects
from astrorim_plugins.simulators.noise import expose

if TYPE_CHECKING:
    from torch import Tensor

    from astrorim_plugins.simulators.declaration import Declaration
    from astrorim_plugins.simulators.random_streams import RandomStreams

__all__ = ["Detector", "Exposure"]


@dataclass(frozen=True)
class Exposure:
    """An image as a telescope gives it.

    Parameters
    ----------
    image, noise : Tensor, (B, H, W), counts
        Data and their standard deviation.
    cosmic_rays : Tensor, (B, H, W), bool, or None
        Pixels hit, where there may be cosmic rays.
    noise_kernel : Tensor, (B, 3, 3), or None
        Kernel of the noise' correlation, where it may be correlated.
    """

    image: Tensor
    noise: Tensor
    cosmic_rays: Tensor | None
    noise_kernel: Tensor | None


@dataclass(frozen=True)
class Detector:
    """Sky and detector of a declaration.

    Parameters
    ----------
    declaration : Declaration
        What is drawn.
    shape : tuple of int
        Frame, ``(ny, nx)``, pixels.
    detector_seed : int
        Seed of the fixed pattern.
    sky_subtracted : bool
        Whether the mean sky is taken off.
    """

    declaration: Declaration
    shape: tuple[int, int]
    detector_seed: int
    sky_subtracted: bool

    def expose(
        self,
        noise_free: Tensor,
        values: Mapping[str, Tensor],
        sky: Tensor,
        streams: RandomStreams,
    ) -> Exposure:
        """Expose images.

        Parameters
        ----------
        noise_free : Tensor, (B, H, W), counts
            Light of lens and source.
        values : mapping of str to Tensor, (B,)
            What was drawn.
        sky : Tensor, (B,), counts/s
            Mean sky in a pixel.
        streams : RandomStreams
            Random numbers of these lenses.

        Returns
        -------
        Exposure
        """
        level = sky * values["exposure"]
        mean_sky = level[:, None, None]
        expected = noise_free + mean_sky * self._sky_shape(values)
        flat = self._flat_field(values)
        if flat is not None:
            expected = expected * flat
        electrons, hit = self._cosmic_rays(values, streams)
        kernel = self._noise_kernel(values)
        image, noise = expose(
            expected,
            torch.full_like(mean_sky, self.declaration.gain),
            values["read_noise"][:, None, None],
            streams,
            cosmic_rays=electrons,
            trail=self._trail(values),
            kernel=kernel,
        )
        if self.sky_subtracted:
            image = image - mean_sky
            if "has_sky_residual" in values:
                wrong = values["has_sky_residual"]
                slope_x, slope_y = (values[f"sky_residual_{axis}"] * wrong for axis in "xy")
                image = image + effects.residual_plane(self.shape, slope_x, slope_y, level)
        return Exposure(image, noise, hit, kernel)

    def _sky_shape(self, values: Mapping[str, Tensor]) -> Tensor | float:
        if "sky_gradient_x" not in values:
            return 1.0
        along_x = values["sky_gradient_x"]
        along_y = values.get("sky_gradient_y", torch.zeros_like(along_x))
        return effects.sky_plane(self.shape, along_x, along_y)

    def _flat_field(self, values: Mapping[str, Tensor]) -> Tensor | None:
        flat = None
        if "response_deviation" in values:
            flat = effects.pixel_response(
                self.shape, self.detector_seed, values["response_deviation"]
            )
        if "has_vignetting" in values:
            depth = values["vignetting_depth"] * values["has_vignetting"]
            fall = effects.vignetting(self.shape, depth, values["vignetting_power"])
            flat = fall if flat is None else flat * fall
        return flat

    def _cosmic_rays(
        self, values: Mapping[str, Tensor], streams: RandomStreams
    ) -> tuple[Tensor | None, Tensor | None]:
        if "has_cosmic_rays" not in values:
            return None, None
        number = values["num_cosmic_rays"] * values["has_cosmic_rays"]
        charge = values["cosmic_ray_deposit"]
        electrons, hit = effects.draw_cosmic_rays(streams, self.shape, number, (charge, charge))
        return (electrons if bool(hit.any()) else None), hit

    def _trail(self, values: Mapping[str, Tensor]) -> effects.ChargeTrail | None:
        if "has_charge_trails" not in values or not bool(values["has_charge_trails"].any()):
            return None
        return effects.ChargeTrail(
            values["trap_density"] * values["has_charge_trails"],
            values["release_length"],
            values["trail_axis"],
        )

    def _noise_kernel(self, values: Mapping[str, Tensor]) -> Tensor | None:
        if "has_correlated_noise" not in values:
            return None
        return effects.correlation_kernel(
            values["noise_correlation"] * values["has_correlated_noise"]
        )

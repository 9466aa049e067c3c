"""Parameter vectors as networks see them: in pixels, in units of the noise, standardised."""

from __future__ import annotations

from typing import TYPE_CHECKING

import astropy.units as u
import torch

from astrorim.rim.features import typical_noise

if TYPE_CHECKING:
    from collections.abc import Sequence

    from torch import Tensor

    from astrorim.lensing.forward import ImageData
    from astrorim.parameters import ParameterSet

__all__ = ["ParameterCodec"]


class ParameterCodec:
    r"""Invertible map between physical parameters and standardised latents.

    Lengths are divided by the pixel scale, so that one set of weights serves any
    instrument; positive scales and the lens light's amplitude, which is first divided by
    the typical noise per solid angle of a pixel, go through the logarithm; every entry is
    then shifted and scaled by the mean and standard deviation met in training.

    Parameters
    ----------
    parameters : ParameterSet
        The parameters, in order.
    mean, std : sequence of float or None, optional
        Standardisation, (P,); zero and one when None.
    """

    def __init__(
        self,
        parameters: ParameterSet,
        mean: Sequence[float] | None = None,
        std: Sequence[float] | None = None,
    ) -> None:
        self.parameters = parameters
        self.mean = list(mean) if mean is not None else [0.0] * len(parameters)
        self.std = list(std) if std is not None else [1.0] * len(parameters)
        self._is_length = [p.unit == u.arcsec for p in parameters]
        self._is_log = [
            p.support[0] >= 0 and (p.unit == u.arcsec or p.linear) for p in parameters
        ]
        self._is_linear = [p.linear for p in parameters]

    def _units(self, data: ImageData) -> Tensor:
        """Size of one network unit of each parameter, (B, P), in physical units."""
        scale = data.pixel_scale
        brightness = typical_noise(data) / scale**2
        columns = []
        for length, linear in zip(self._is_length, self._is_linear, strict=True):
            other = brightness if linear else torch.ones_like(scale)
            columns.append(scale if length else other)
        return torch.stack(columns, dim=-1)

    def raw(self, values: Tensor, data: ImageData) -> Tensor:
        """Network units without standardisation, (B, P), of physical ``values`` (B, P)."""
        logs = torch.tensor(self._is_log, device=values.device)
        ratio = values / self._units(data)
        return torch.where(logs, torch.where(logs, ratio, 1.0).clamp_min(1e-12).log(), ratio)

    def encode(self, values: Tensor, data: ImageData) -> Tensor:
        """Standardised latents (B, P) of physical values (B, P)."""
        return (self.raw(values, data) - values.new_tensor(self.mean)) / values.new_tensor(
            self.std
        )

    def decode(self, latents: Tensor, data: ImageData) -> Tensor:
        """Physical values (..., B, P) of standardised latents (..., B, P)."""
        raw = latents * latents.new_tensor(self.std) + latents.new_tensor(self.mean)
        logs = torch.tensor(self._is_log, device=latents.device)
        ratio = torch.where(logs, torch.where(logs, raw, 0.0).clamp(-30, 30).exp(), raw)
        return ratio * self._units(data)

    def fit(self, *samples: tuple[Tensor, ImageData]) -> None:
        """Set the standardisation.

        Parameters
        ----------
        *samples : tuple of Tensor, (B, P), and ImageData
            Physical values, and the images that they belong to.
        """
        raw = torch.cat([self.raw(values, data) for values, data in samples])
        self.mean = raw.mean(dim=0).tolist()
        self.std = raw.std(dim=0).clamp_min(1e-6).tolist()

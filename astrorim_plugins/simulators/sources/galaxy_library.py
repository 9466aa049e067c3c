"""A library of cleaned images of galaxies."""

from __future__ import annotations

import math
import os
import warnings
from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import TYPE_CHECKING

import numpy as np
import torch
from scipy import ndimage

from astrorim.exceptions import AstroRIMWarning, ObservationError
from astrorim_plugins.simulators.sources.galaxy_cleaning import CleaningOptions, clean_galaxy
from astrorim_plugins.simulators.sources.galaxy_files import read_cutouts

if TYPE_CHECKING:
    import astropy.units as u
    from torch import Tensor

__all__ = ["GalaxyLibrary"]

_PAD = 3
"""Rows of zeros about the coefficients, so that the spline of any position near the edge
finds its 4 x 4 coefficients, and is exactly zero beyond."""

_LARGEST_SIDE = 1024
_CENTRE_VALUES = (1 / 6, 4 / 6, 1 / 6)
_BETWEEN_VALUES = (1 / 48, 23 / 48, 23 / 48, 1 / 48)
"""Cubic B-spline at a pixel's centre and half-way to the next one."""


@dataclass(frozen=True)
class GalaxyLibrary:
    """Cleaned images of galaxies, from which sources are drawn.

    Parameters
    ----------
    images : Tensor, (N, n, n), float32, arcsec^-2
        Surface brightness of a total flux of one, not negative, n odd, centroid on the
        middle pixel; smaller images are surrounded by zeros.
    pixel_scale : Tensor, (N,), float64, arcsec
        Side of a pixel.
    half_light_radius : Tensor, (N,), float64, arcsec
        Radius of the circle about the centroid that holds half of the light, measured on
        the cleaned image.
    names : sequence of str, optional
        Where each galaxy came from.

    Raises
    ------
    ValueError
        If the shapes do not fit each other.
    """

    images: Tensor
    pixel_scale: Tensor
    half_light_radius: Tensor
    names: Sequence[str] = ()
    _copies: dict[str, GalaxyLibrary] = field(default_factory=dict, repr=False, compare=False)

    def __post_init__(self) -> None:
        number, rows, columns = self.images.shape
        if rows != columns or rows % 2 == 0 or not number:
            raise ValueError(
                "images must be at least one square of odd sides, got shape "
                f"{tuple(self.images.shape)}; pad them with zeros"
            )
        for name in ("pixel_scale", "half_light_radius"):
            if getattr(self, name).shape != (number,):
                raise ValueError(
                    f"{name} must have one value per image, ({number},), got "
                    f"{tuple(getattr(self, name).shape)}"
                )

    def __len__(self) -> int:
        return len(self.images)

    @classmethod
    def read(
        cls,
        path: str | os.PathLike[str],
        *,
        pixel_scale: str | u.Quantity | None = None,
        file_column: str | None = None,
        cleaning: CleaningOptions | None = None,
        max_galaxies: int | None = None,
    ) -> GalaxyLibrary:
        """Read cutouts and clean them.

        Parameters
        ----------
        path : str or path-like
            A FITS file with a cube (n, H, W) or with two-dimensional images, a folder of
            FITS files, or a catalogue (ECSV, CSV or FITS table) that names FITS files in
            its own folder or below it. COSMOS catalogues are understood as they are.
        pixel_scale : str or `~astropy.units.Quantity`, optional
            Side of a pixel, where the files do not say it.
        file_column : str, optional
            Column of a catalogue with the names of the files.
        cleaning : CleaningOptions, optional
            How sky, neighbours and noise are removed.
        max_galaxies : int, optional
            Stop after so many good galaxies.

        Returns
        -------
        GalaxyLibrary

        Raises
        ------
        ObservationError
            If no cutout can be used.

        Warns
        -----
        AstroRIMWarning
            For each cutout that is left out, with its name and the reason.
        """
        images, scales, radii, names, reasons = [], [], [], [], []
        for name, outcome in read_cutouts(
            path, pixel_scale=pixel_scale, file_column=file_column
        ):
            try:
                if isinstance(outcome, ObservationError):
                    raise outcome
                if max(outcome.pixels.shape) > _LARGEST_SIDE:
                    raise ObservationError(
                        f"a cutout may have at most {_LARGEST_SIDE} pixels along a side, "
                        f"got shape {outcome.pixels.shape}; cut out or rebin the galaxy"
                    )
                galaxy = clean_galaxy(outcome.pixels, cleaning, background=outcome.background)
            except ObservationError as error:
                reasons.append(f"{name}: {error}")
                continue
            images.append(galaxy.image / outcome.pixel_scale**2)
            scales.append(outcome.pixel_scale)
            radii.append(galaxy.half_light_radius * outcome.pixel_scale)
            names.append(name)
            if len(images) == max_galaxies:
                break
        if not images:
            raise ObservationError(
                f"no galaxy of {str(path)!r} can be used: " + "; ".join(reasons[:3])
            )
        for reason in reasons:
            warnings.warn(f"left out {reason}", AstroRIMWarning, stacklevel=2)
        size = max(len(image) for image in images)
        stack = np.stack([np.pad(image, (size - len(image)) // 2) for image in images])
        return cls(
            torch.from_numpy(stack.astype(np.float32)),
            torch.tensor(scales, dtype=torch.float64),
            torch.tensor(radii, dtype=torch.float64),
            tuple(names),
        )

    def to(self, device: torch.device | str) -> GalaxyLibrary:
        """The same library on another device; it is copied there once."""
        device = torch.device(device)
        if device == self.images.device:
            return self
        key = str(device)
        if key not in self._copies:
            copy = GalaxyLibrary(
                self.images.to(device),
                self.pixel_scale.to(device),
                self.half_light_radius.to(device),
                self.names,
            )
            for name in ("coefficients", "peak", "reach"):
                copy.__dict__[name] = getattr(self, name).to(device)
            self._copies[key] = copy
        return self._copies[key]

    @cached_property
    def coefficients(self) -> Tensor:
        r"""Coefficients of a cubic B-spline through each image.

        :math:`f(u, v) = \sum_{ij} c_{ij} \beta^3(u - j) \beta^3(v - i)` (Unser, Aldroubi &
        Eden 1993, IEEE Trans. Signal Process. 41, 821, equation 2.1), with negative
        coefficients set to zero, so that no position has negative light. The integral of
        a B-spline is one: the flux of the spline is the sum of its coefficients, one.

        Returns
        -------
        Tensor, (N, n + 6, n + 6), float32, fraction of the flux per pixel
            With three rows of zeros on each side.
        """
        result = np.zeros((len(self), *(n + 2 * _PAD for n in self.images.shape[1:])))
        for own, image in zip(result, self.images.cpu().numpy(), strict=True):
            padded = np.pad(image.astype(np.float64), _PAD)
            spline = ndimage.spline_filter(padded, order=3, mode="mirror")
            light = ndimage.maximum_filter(padded, size=3) > 0
            own[...] = np.where(light, np.clip(spline, 0, None), 0.0)
            own[...] = _framed(own) / own.sum()
        return torch.from_numpy(result.astype(np.float32)).to(self.images.device)

    @cached_property
    def peak(self) -> Tensor:
        """Largest surface brightness per flux, (N,), pixel^-2, to half a pixel."""
        peaks = []
        for own in self.coefficients.cpu().numpy().astype(np.float64):
            values = [
                ndimage.convolve1d(
                    ndimage.convolve1d(own, rows, axis=0, mode="constant"),
                    columns, axis=1, mode="constant",
                ).max()
                for rows in (_CENTRE_VALUES, _BETWEEN_VALUES)
                for columns in (_CENTRE_VALUES, _BETWEEN_VALUES)
            ]  # fmt: skip
            peaks.append(max(values))
        return torch.tensor(peaks, dtype=torch.float64, device=self.images.device)

    @cached_property
    def reach(self) -> Tensor:
        """Radius about the centre beyond which an image is exactly zero, (N,), pixels."""
        size = self.coefficients.shape[-1]
        axis = torch.arange(size, device=self.images.device) - (size - 1) / 2
        radius = torch.hypot(axis[:, None], axis[None, :])
        lit = (self.coefficients > 0) * radius
        # A coefficient is felt less than two pixels away along each axis.
        return lit.flatten(1).amax(dim=1).to(torch.float64) + 2 * math.sqrt(2)


def _framed(coefficients: np.ndarray) -> np.ndarray:
    """Set the outer three rows and columns to zero."""
    framed = np.zeros_like(coefficients)
    inner = (slice(_PAD, -_PAD), slice(_PAD, -_PAD))
    framed[inner] = coefficients[inner]
    return framed

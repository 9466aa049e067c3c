r"""The differentiable model of an image, its likelihood and its exact gradients.

.. math::

    m = \Omega\; \mathrm{bin}\left( P * [s(\beta(\theta)) + \ell(\theta)] \right) + b

with the source s, the lens light :math:`\ell`, the PSF P, the solid angle of a pixel
:math:`\Omega` and a constant background b. Rendering is done on k x k sub-pixels; the
convolution on the finest grid that the rendering and the PSF's sampling share.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal

import torch

from astrorim.lensing.convolution import Convolution, bin_kernel, bin_pixels, spread_pixels
from astrorim.lensing.interpolation import SourceFrames, SourceSampler
from astrorim.lensing.system import LIGHT_PREFIX

if TYPE_CHECKING:
    from torch import Tensor

    from astrorim.lensing.system import LensSystem

__all__ = ["ForwardModel", "ImageData", "SourceOperator"]

PixelBox = tuple[int, int, int, int]

_CORE = 12  # detector pixels from the centre within which the lens light is steep


@dataclass(frozen=True)
class ImageData:
    """A batch of images as tensors, all of one shape.

    Parameters
    ----------
    image : Tensor, (B, H, W), flux per pixel
        Data; finite everywhere (masked pixels hold any finite number).
    noise : Tensor, (B, H, W), flux per pixel
        Standard deviation, positive everywhere.
    good : Tensor, (B, H, W)
        One where a pixel counts, zero where it is masked.
    psf : Tensor, (B, K, K)
        Odd, centred, sum one.
    psf_supersampling : int
        Kernel elements along the side of a detector pixel.
    pixel_scale : Tensor, (B,), arcsec
        Side of a detector pixel.
    background : Tensor, (B,), flux per pixel, optional
        Constant to add to the model; zero by default.

    Raises
    ------
    ValueError
        If shapes do not match.
    """

    image: Tensor
    noise: Tensor
    good: Tensor
    psf: Tensor
    psf_supersampling: int
    pixel_scale: Tensor
    background: Tensor | None = None

    def __post_init__(self) -> None:
        for name in ("noise", "good"):
            shape = tuple(getattr(self, name).shape)
            if shape != tuple(self.image.shape):
                raise ValueError(
                    f"{name} must have the image's shape {tuple(self.image.shape)}, got {shape}"
                )
        if len(self.psf) != len(self.image) or self.pixel_scale.shape != (len(self.image),):
            raise ValueError(
                "psf and pixel_scale must have one entry per image, got "
                f"{len(self.image)} images, psf {tuple(self.psf.shape)}, "
                f"pixel_scale {tuple(self.pixel_scale.shape)}"
            )

    def __len__(self) -> int:
        return len(self.image)

    @property
    def weight(self) -> Tensor:
        """Inverse variance, zero where masked; (B, H, W)."""
        return self.good / self.noise**2

    def select(self, index: Tensor) -> ImageData:
        """The images of some lenses of the batch."""
        return ImageData(
            self.image[index],
            self.noise[index],
            self.good[index],
            self.psf[index],
            self.psf_supersampling,
            self.pixel_scale[index],
            None if self.background is None else self.background[index],
        )


class SourceOperator:
    """The linear map from a source image to the detector, for fixed lens parameters.

    Parameters
    ----------
    model : ForwardModel
        Gives the rendering, PSF and binning.
    sampler : SourceSampler
        Interpolates the source at the traced sub-pixels.
    """

    def __init__(self, model: ForwardModel, sampler: SourceSampler) -> None:
        self._model = model
        self.sampler = sampler

    @property
    def frames(self) -> SourceFrames:
        """Frames of the source images."""
        return self.sampler.frames

    @property
    def image_scale(self) -> Tensor:
        """Side of a detector pixel, (B,), arcsec."""
        return self._model.data.pixel_scale

    def apply(self, source: Tensor) -> Tensor:
        """Detector image (B, H, W), flux per pixel, of a source (B, n, n), flux/arcsec^2."""
        return self._model.observe(self.sampler.apply(source), self._model.supersampling)

    def transpose(self, image: Tensor) -> Tensor:
        """Apply the exact transpose of `apply`: (B, H, W) to (B, n, n)."""
        model = self._model
        return self.sampler.transpose(model.observe_transpose(image, model.supersampling))


class ForwardModel:
    """Renders a batch of lenses and compares them with data.

    Parameters
    ----------
    system : LensSystem
        Lens and light models.
    data : ImageData
        The images to be explained.
    supersampling : int, optional
        Sub-pixels k along the side of a pixel for the lensed source: 1, 2 or 4.
    light_supersampling : int, optional
        The same for the core of the lens light, which is steeper; see `light_scene`.
    interpolation : {"bilinear", "cubic"}, optional
        Of the source image.
    middle : tuple of float, optional
        Position x, y of the middle of the frame, arcsec.
    sampling : int, optional
        Elements of the convolution's grid along the side of a pixel, 1, 2 or 4, at most:
        the PSF and the renderings may be coarser.

    Raises
    ------
    ValueError
        If a supersampling is not 1, 2 or 4.
    """

    def __init__(
        self,
        system: LensSystem,
        data: ImageData,
        *,
        supersampling: int = 2,
        light_supersampling: int = 4,
        interpolation: Literal["bilinear", "cubic"] = "bilinear",
        middle: tuple[float, float] = (0.0, 0.0),
        sampling: int = 4,
    ) -> None:
        for name, value in (
            ("supersampling", supersampling),
            ("light_supersampling", light_supersampling),
            ("sampling", sampling),
        ):
            if value not in (1, 2, 4):
                raise ValueError(f"{name} must be 1, 2 or 4, got {value!r}")
        self.system = system
        self.data = data
        self.supersampling = supersampling
        self.light_supersampling = light_supersampling
        self.interpolation: Literal["bilinear", "cubic"] = interpolation
        self.middle = middle
        self._sampling = math.gcd(
            supersampling, light_supersampling, data.psf_supersampling, sampling
        )
        self._light_coarse = max(self._sampling, min(2, light_supersampling))
        kernel = bin_kernel(data.psf, data.psf_supersampling // self._sampling)
        height, width = data.image.shape[-2:]
        self.shape = (height, width)
        # The margin is a whole number of detector pixels, so that every grid fits it.
        half = kernel.shape[-1] // 2
        self.margin = -(-half // self._sampling)
        extra = self.margin * self._sampling - half
        kernel = torch.nn.functional.pad(kernel, (extra, extra, extra, extra))
        self._convolution = Convolution(
            kernel, (height * self._sampling, width * self._sampling)
        )
        self._pixel_area = data.pixel_scale[:, None, None] ** 2
        self._positions: dict[int, tuple[Tensor, Tensor]] = {}

    @property
    def sampling(self) -> int:
        """Elements of the convolution's grid along the side of a detector pixel."""
        return self._sampling

    def changed(self, **options: Any) -> ForwardModel:
        """The same model with other data or options, by the names of the constructor's."""
        own: dict[str, Any] = {
            "system": self.system,
            "data": self.data,
            "supersampling": self.supersampling,
            "light_supersampling": self.light_supersampling,
            "interpolation": self.interpolation,
            "middle": self.middle,
            "sampling": self._sampling,
        }
        return ForwardModel(**(own | options))

    def select(self, index: Tensor) -> ForwardModel:
        """The same model for some images of the batch, repeated ones included."""
        return self.changed(data=self.data.select(index))

    def positions(self, supersampling: int) -> tuple[Tensor, Tensor]:
        """Sub-pixel positions x, y of the padded frame, arcsec, each (B, H', W')."""
        if supersampling not in self._positions:
            k = supersampling
            height, width = (n + 2 * self.margin for n in self.shape)
            like = self.data.pixel_scale
            scale = like[:, None, None]
            x = (torch.arange(width * k, device=like.device) - (width * k - 1) / 2) / k
            y = (torch.arange(height * k, device=like.device) - (height * k - 1) / 2) / k
            shape = (len(self.data), height * k, width * k)
            self._positions[k] = (
                (x.to(like)[None, None, :] * scale + self.middle[0]).expand(shape).contiguous(),
                (y.to(like)[None, :, None] * scale + self.middle[1]).expand(shape).contiguous(),
            )
        return self._positions[supersampling]

    def observe(self, scene: Tensor, supersampling: int) -> Tensor:
        """Blur and bin a scene: (B, H', W') flux/arcsec^2 to (B, H, W) flux per pixel."""
        binned = bin_pixels(scene, supersampling // self._sampling)
        return bin_pixels(self._convolution.apply(binned), self._sampling) * self._pixel_area

    def observe_transpose(self, image: Tensor, supersampling: int) -> Tensor:
        """Apply the exact transpose of `observe`."""
        spread = spread_pixels(image * self._pixel_area, self._sampling)
        return spread_pixels(
            self._convolution.transpose(spread), supersampling // self._sampling
        )

    def trace(self, values: Tensor) -> tuple[Tensor, Tensor]:
        """Source-plane positions of the sub-pixels; (B, H', W') each, arcsec."""
        return self.system.trace(*self.positions(self.supersampling), values)

    def source_operator(self, values: Tensor, frames: SourceFrames) -> SourceOperator:
        """The map from source images on ``frames`` to the detector at lens ``values``."""
        beta_x, beta_y = self.trace(values)
        return SourceOperator(self, SourceSampler(beta_x, beta_y, frames, self.interpolation))

    def light_core(self, values: Tensor) -> PixelBox | None:
        """Detector pixels, of the padded frame, around the centres of the lens galaxies.

        Parameters
        ----------
        values : Tensor, (B, P)
            Parameter vectors.

        Returns
        -------
        tuple of int, or None
            First and last-plus-one row, then column; None where the whole frame is to be
            rendered as finely as the core: a light model without a centre, or nothing to
            gain.
        """
        names = self.system.parameters.names
        x0, y0 = LIGHT_PREFIX + "x0", LIGHT_PREFIX + "y0"
        if self._light_coarse >= self.light_supersampling or not {x0, y0} <= set(names):
            return None
        edges: list[int] = []
        middle = reversed(self.middle)
        for key, n, origin in zip((y0, x0), self.shape, middle, strict=True):
            padded = n + 2 * self.margin
            # the components of a sum may have centres of their own, x0_2, y0_2 and so on
            centres = [i for i, name in enumerate(names) if name.startswith(key)]
            place = (values[:, centres] - origin) / self.data.pixel_scale[:, None]
            place = place + (padded - 1) / 2
            low = math.floor(float(place.min())) - _CORE
            high = math.ceil(float(place.max())) + _CORE + 1
            edges += [min(max(low, 0), padded), min(max(high, 0), padded)]
        return edges[0], edges[1], edges[2], edges[3]

    def light_scene(self, values: Tensor, core: PixelBox | None) -> Tensor:
        """Lens light before the PSF, on the grid of the convolution, flux per arcsec^2.

        Inside the core the galaxy is rendered on ``light_supersampling`` sub-pixels. Beyond
        12 pixels from its centre two suffice: the mean over a pixel by k x k points errs by
        about :math:`1 / (6 k^2 r^2)` of the brightness there, r in pixels, 3e-4 at most.

        Parameters
        ----------
        values : Tensor, (B, P)
            Parameter vectors.
        core : tuple of int, or None
            From `light_core`.
        """
        sampling, fine, coarse = self._sampling, self.light_supersampling, self._light_coarse
        brightness = self.system.light_surface_brightness
        if core is None:
            scene = brightness(*self.positions(fine), values)
            return bin_pixels(scene, fine // sampling)
        scene = bin_pixels(brightness(*self.positions(coarse), values), coarse // sampling)
        top, bottom, left, right = core
        if top >= bottom or left >= right:
            return scene
        rows, columns = slice(top * fine, bottom * fine), slice(left * fine, right * fine)
        x, y = (position[:, rows, columns] for position in self.positions(fine))
        inner = bin_pixels(brightness(x, y, values), fine // sampling)
        top, bottom, left, right = (edge * sampling for edge in core)
        middle = scene[:, top:bottom]
        middle = torch.cat([middle[..., :left], inner, middle[..., right:]], dim=-1)
        return torch.cat([scene[:, :top], middle, scene[:, bottom:]], dim=-2)

    def lens_light(self, values: Tensor) -> Tensor:
        """Image of the lens galaxy, (B, H, W), flux per pixel."""
        if self.system.light is None:
            return torch.zeros_like(self.data.image)
        scene = self.light_scene(values, self.light_core(values.detach()))
        return self.observe(scene, self._sampling)

    def render(self, source: Tensor, values: Tensor, frames: SourceFrames) -> Tensor:
        """Model image, (B, H, W), flux per pixel.

        Parameters
        ----------
        source : Tensor, (B, n, n), flux per arcsec^2
            Source images.
        values : Tensor, (B, P)
            Parameter vectors of the lens and its light.
        frames : SourceFrames
            Frames of the source images.
        """
        image = self.source_operator(values, frames).apply(source) + self.lens_light(values)
        if self.data.background is not None:
            image = image + self.data.background[:, None, None]
        return image

    def chi2(self, image: Tensor) -> Tensor:
        r"""Chi-square of a model image over the unmasked pixels, (B,)."""
        residual = self.data.image - image
        return (self.data.weight * residual**2).sum(dim=(-2, -1))

    def log_likelihood(self, source: Tensor, values: Tensor, frames: SourceFrames) -> Tensor:
        r"""Gaussian log-likelihood :math:`-\chi^2/2 - \sum\ln(\sqrt{2\pi}\,\sigma)`, (B,).

        Parameters
        ----------
        source : Tensor, (B, n, n), flux per arcsec^2
            Source images.
        values : Tensor, (B, P)
            Parameter vectors of the lens and its light.
        frames : SourceFrames
            Frames of the source images.
        """
        norm = (self.data.good * (self.data.noise.log() + 0.5 * math.log(2 * math.pi))).sum(
            dim=(-2, -1)
        )
        return -0.5 * self.chi2(self.render(source, values, frames)) - norm

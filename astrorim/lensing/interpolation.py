"""Surface brightness of a pixelised source at any position, with the exact transpose."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Literal, NamedTuple

import torch

if TYPE_CHECKING:
    from torch import Tensor

    from astrorim.grid import SourceGrid
    from astrorim.lensing.pixel_density import PixelDensity

__all__ = ["SourceFrames", "SourceSampler", "even_pixels"]

_LIGHT_KEPT = 0.995  # of a stretched source where it is sampled on even pixels
_MOST_PIXELS = 128

_MODES = {"bilinear": 0, "cubic": 2}
_ZEROS_OUTSIDE = 0
_CENTRES_AT_ONE = True  # align_corners: +-1 are the centres of the edge pixels


class SourceFrames(NamedTuple):
    r"""Frames of a batch of square source images.

    The pixels may be smaller in the middle: with half a frame :math:`h` and the stretch
    :math:`\sigma`, pixels are equally spaced in

    .. math:: \tau = \operatorname{asinh}(\sigma t) / \operatorname{asinh} \sigma,
        \qquad t = (\beta - c) / h,

    along x and y each: by :math:`\operatorname{asinh}(\sigma) / \sigma` smaller than the
    mean in the middle, so that one frame resolves a cusp and holds the faint outskirts.
    Or their density is given.

    Parameters
    ----------
    centre : Tensor, (B, 2), arcsec
        Position (x, y) of the centre of each frame.
    pixel_scale : Tensor, (B,), arcsec
        Side of a source pixel, the mean one where stretched.
    size : int
        Pixels along each side.
    stretch : float, optional
        Of the coordinates; 0 for pixels of one size.
    density : PixelDensity, optional
        Of the pixels, instead of the stretch.
    """

    centre: Tensor
    pixel_scale: Tensor
    size: int
    stretch: float = 0.0
    density: PixelDensity | None = None

    @property
    def even(self) -> bool:
        """Whether all pixels are of one size."""
        return not self.stretch and self.density is None

    @property
    def half(self) -> Tensor:
        """Half the side of each frame, (B,), arcsec."""
        return self.pixel_scale * self.size / 2

    def pixels(self, beta_x: Tensor, beta_y: Tensor) -> tuple[Tensor, Tensor]:
        """Pixel coordinates of positions (B, ...), 0 and n - 1 the edge pixels' centres."""
        n = self.size
        u, v = self._offsets(beta_x, beta_y)
        if self.density is not None:
            u, v = (self.density.share(t, axis)[0] for axis, t in enumerate((u, v)))
            return u * n - 0.5, v * n - 0.5
        if self.stretch:
            full = math.asinh(self.stretch)
            u, v = (torch.asinh(self.stretch * t) / full for t in (u, v))
        return u * (n / 2) + (n - 1) / 2, v * (n / 2) + (n - 1) / 2

    def pixels_per_arcsec(self, beta_x: Tensor, beta_y: Tensor) -> tuple[Tensor, Tensor]:
        """Derivative of the pixel coordinates with respect to each position, 1/arcsec."""
        mean = (1 / self.pixel_scale).reshape(-1, *[1] * (beta_x.ndim - 1))
        if self.density is not None:
            places = enumerate(self._offsets(beta_x, beta_y))
            x, y = (2 * mean * self.density.share(t, axis)[1] for axis, t in places)
            return x, y
        if not self.stretch:
            return mean.expand_as(beta_x), mean.expand_as(beta_y)
        steepness = mean * self.stretch / math.asinh(self.stretch)
        x, y = self._offsets(beta_x, beta_y)
        return steepness / (1 + (self.stretch * x) ** 2).sqrt(), steepness / (
            1 + (self.stretch * y) ** 2
        ).sqrt()

    def _offsets(self, beta_x: Tensor, beta_y: Tensor) -> tuple[Tensor, Tensor]:
        """Positions from the centre in halves of the frame."""
        shape = (-1, *[1] * (beta_x.ndim - 1))
        half = self.half.reshape(shape)
        x0, y0 = (self.centre[:, i].reshape(shape) for i in (0, 1))
        return (beta_x - x0) / half, (beta_y - y0) / half

    def coordinates(self, supersampling: int = 1) -> tuple[Tensor, Tensor]:
        """Positions x, y of (sub-)pixel centres, arcsec, each (B, n k, n k)."""
        k = supersampling
        n = self.size * k
        steps = torch.arange(n, device=self.centre.device, dtype=self.centre.dtype)
        offset = (steps - (n - 1) / 2) * (2 / n)
        if self.stretch:
            offset = torch.sinh(offset * math.asinh(self.stretch)) / self.stretch
        offsets = offset.expand(len(self.centre), 2, n)
        if self.density is not None:
            offsets = self.density.offsets((steps + 0.5) / n)
        x, y = (self.centre[..., None] + offsets * self.half[:, None, None]).unbind(1)
        shape = (len(x), n, n)
        return x[:, None, :].expand(shape), y[:, :, None].expand(shape)

    def grid(self, index: int) -> SourceGrid:
        """The frame of one lens as a `~astrorim.grid.SourceGrid`.

        Raises
        ------
        ValueError
            If the frames are stretched: such a grid has pixels of one size.
        """
        from astrorim.grid import SourceGrid

        if not self.even:
            raise ValueError(
                "the pixels of a grid must be of one size, got stretched ones; sample the "
                "source on even_pixels first"
            )
        x0, y0 = self.centre[index].tolist()
        return SourceGrid((self.size, self.size), float(self.pixel_scale[index]), x0, y0)

    def select(self, index: Tensor) -> SourceFrames:
        """The frames of some lenses of the batch."""
        return self._replace(
            centre=self.centre[index],
            pixel_scale=self.pixel_scale[index],
            density=None if self.density is None else self.density.select(index),
        )


class SourceSampler:
    """Interpolation of source images at fixed positions: a linear map and its transpose.

    The source is zero outside its frame: values fade linearly to zero over one pixel
    beyond the centres of the edge pixels. Bilinear interpolation reproduces planes; the
    cubic one, smoother but with torch's kernel (the family of Keys 1981, IEEE TASSP 29,
    1153, at a = -3/4, not his -1/2), only constants: on a slope its values are off by up
    to 5 % of the step between neighbouring pixels.

    Parameters
    ----------
    beta_x, beta_y : Tensor, (B, H, W), arcsec
        Positions on the source plane.
    frames : SourceFrames
        Frames of the source images.
    mode : {"bilinear", "cubic"}, optional
        Interpolation.

    Raises
    ------
    ValueError
        If ``mode`` is unknown.
    """

    def __init__(
        self,
        beta_x: Tensor,
        beta_y: Tensor,
        frames: SourceFrames,
        mode: Literal["bilinear", "cubic"] = "bilinear",
    ) -> None:
        if mode not in _MODES:
            raise ValueError(f"mode must be one of {', '.join(_MODES)}, got {mode!r}")
        self.frames = frames
        self._mode = _MODES[mode]
        # Normalised coordinates: +-1 at the centres of the edge pixels.
        self._per_pixel = 2 / (frames.size - 1)
        self._per_arcsec = frames.pixels_per_arcsec(beta_x, beta_y)
        self._positions = torch.stack(
            [place * self._per_pixel - 1 for place in frames.pixels(beta_x, beta_y)], dim=-1
        )

    def apply(self, source: Tensor) -> Tensor:
        """Surface brightness at the positions.

        Parameters
        ----------
        source : Tensor, (B, n, n), flux per arcsec^2
            Values at the centres of the source's pixels.

        Returns
        -------
        Tensor, (B, H, W), flux per arcsec^2
        """
        return torch.grid_sampler_2d(
            source[:, None], self._positions, self._mode, _ZEROS_OUTSIDE, _CENTRES_AT_ONE
        )[:, 0]

    def transpose(self, image: Tensor) -> Tensor:
        """Apply the exact transpose of `apply`: (B, H, W) to (B, n, n)."""
        n = self.frames.size
        like = image.new_empty(()).expand(len(image), 1, n, n)
        return self._backward(image, like, (True, False))[0][:, 0]

    def gradient(self, source: Tensor) -> tuple[Tensor, Tensor]:
        """Slope of the interpolated source at the positions.

        Parameters
        ----------
        source : Tensor, (B, n, n), flux per arcsec^2
            Values at the centres of the source's pixels.

        Returns
        -------
        slope_x, slope_y : Tensor, (B, H, W), flux per arcsec^3
        """
        ones = torch.ones_like(self._positions[..., 0])
        slope = self._backward(ones, source[:, None], (False, True))[1]
        slope_x, slope_y = (slope[..., i] * self._per_pixel for i in (0, 1))
        return slope_x * self._per_arcsec[0], slope_y * self._per_arcsec[1]

    def _backward(
        self, image: Tensor, source: Tensor, wanted: tuple[bool, bool]
    ) -> tuple[Tensor, Tensor]:
        return torch.ops.aten.grid_sampler_2d_backward(
            image[:, None].contiguous(),
            source.contiguous(),
            self._positions.detach(),
            self._mode,
            _ZEROS_OUTSIDE,
            _CENTRES_AT_ONE,
            list(wanted),
        )


def even_pixels(frames: SourceFrames, source: Tensor) -> tuple[SourceFrames, Tensor]:
    """Sample the source of one lens on pixels of one size, its smallest ones.

    Parameters
    ----------
    frames : SourceFrames
        Of one lens.
    source : Tensor, (1, n, n), flux per arcsec^2
        Its source.

    Returns
    -------
    frames : SourceFrames
        About the same centre, holding 99.5 % of the light, of 128 pixels a side at most;
        the same where not stretched.
    source : Tensor, (1, m, m), flux per arcsec^2
        The source on them.
    """
    if frames.even:
        return frames, source
    x, y = frames.coordinates()
    slopes = frames.pixels_per_arcsec(x, y)
    light = (source.abs() / (slopes[0] * slopes[1])).flatten()
    distance = torch.maximum(
        (x - frames.centre[0, 0]).abs(), (y - frames.centre[0, 1]).abs()
    ).flatten()
    order = distance.argsort()
    share = light[order].cumsum(0) / light.sum().clamp_min(1e-30)
    half = distance[order][int((share < _LIGHT_KEPT).sum().clamp_max(len(order) - 1))]
    scale = 1 / torch.stack([slope.amax() for slope in slopes]).amax()[None]
    size = min(max(math.ceil(2 * float(half / scale)), frames.size), _MOST_PIXELS)
    even = SourceFrames(
        frames.centre, torch.maximum(scale, (2 * half / size).expand_as(scale)), size
    )
    return even, SourceSampler(*even.coordinates(), frames).apply(source)

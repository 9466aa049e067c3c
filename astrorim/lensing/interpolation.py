"""Surface brightness of a pixelised source at any position, with the exact transpose."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal, NamedTuple

import torch

if TYPE_CHECKING:
    from torch import Tensor

    from astrorim.grid import SourceGrid

__all__ = ["SourceFrames", "SourceSampler"]

_MODES = {"bilinear": 0, "cubic": 2}
_ZEROS_OUTSIDE = 0
_CENTRES_AT_ONE = True  # align_corners: +-1 are the centres of the edge pixels


class SourceFrames(NamedTuple):
    """Frames of a batch of square source images.

    Parameters
    ----------
    centre : Tensor, (B, 2), arcsec
        Position (x, y) of the centre of each frame.
    pixel_scale : Tensor, (B,), arcsec
        Side of a source pixel.
    size : int
        Pixels along each side.
    """

    centre: Tensor
    pixel_scale: Tensor
    size: int

    def coordinates(self, supersampling: int = 1) -> tuple[Tensor, Tensor]:
        """Positions x, y of (sub-)pixel centres, arcsec, each (B, n k, n k)."""
        k = supersampling
        n = self.size * k
        steps = torch.arange(n, device=self.centre.device, dtype=self.centre.dtype)
        offset = (steps - (n - 1) / 2) / k * self.pixel_scale[:, None]
        x = self.centre[:, :1] + offset
        y = self.centre[:, 1:] + offset
        shape = (len(x), n, n)
        return x[:, None, :].expand(shape), y[:, :, None].expand(shape)

    def grid(self, index: int) -> SourceGrid:
        """The frame of one lens as a `~astrorim.grid.SourceGrid`."""
        from astrorim.grid import SourceGrid

        x0, y0 = self.centre[index].tolist()
        return SourceGrid((self.size, self.size), float(self.pixel_scale[index]), x0, y0)

    def select(self, index: Tensor) -> SourceFrames:
        """The frames of some lenses of the batch."""
        return SourceFrames(self.centre[index], self.pixel_scale[index], self.size)


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
        # Normalised coordinate per arcsec: +-1 at the centres of the edge pixels.
        self._per_arcsec = 2 / (frames.pixel_scale * (frames.size - 1))
        scale = self._per_arcsec[:, None, None]
        self._positions = torch.stack(
            [
                (beta_x - frames.centre[:, 0, None, None]) * scale,
                (beta_y - frames.centre[:, 1, None, None]) * scale,
            ],
            dim=-1,
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
        slope = slope * self._per_arcsec[:, None, None, None]
        return slope[..., 0], slope[..., 1]

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

"""From surface brightness on sub-pixels to light collected in detector pixels."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING

import torch

if TYPE_CHECKING:
    from torch import Tensor

__all__ = ["SuperGrid", "even_length", "fourier_collect", "separable_collect"]

_ONE_THREAD = 32768
_EVEN = 3840


def even_length(number: int) -> int:
    """Length to which an array is filled up so that threads do not change its bits.

    The vector and the scalar instructions of a processor differ in the last bit of some
    functions, and torch uses scalar ones at the end of each thread's share of an array.
    Up to 32768 elements there is one share; a multiple of 3840 = 120 x 32 is cut into
    whole vectors by 1 to 6, 8, 10 or 12 threads.

    Parameters
    ----------
    number : int
        Elements needed.

    Returns
    -------
    int
        The number itself, or the next multiple of 3840.
    """
    return number if number <= _ONE_THREAD else math.ceil(number / _EVEN) * _EVEN


@dataclass(frozen=True)
class SuperGrid:
    """Sub-pixels of a detector frame, with a margin whose light the PSF brings in.

    Sub-pixel j of a pixel lies at ``(j + 0.5) / k - 0.5`` pixels from its centre.

    Parameters
    ----------
    shape : tuple of int
        Detector frame, ``(ny, nx)``, pixels.
    pixel_scale : float
        Side of a detector pixel, arcsec.
    supersampling : int
        Sub-pixels k along the side of a pixel.
    margin : int
        Detector pixels added on every side.
    """

    shape: tuple[int, int]
    pixel_scale: float
    supersampling: int
    margin: int

    @property
    def spacing(self) -> float:
        """Side of a sub-pixel, arcsec."""
        return self.pixel_scale / self.supersampling

    def axes(self, device: str | torch.device) -> tuple[Tensor, Tensor]:
        """Positions of the columns (x) and the rows (y), arcsec, margin included.

        Parameters
        ----------
        device : str or torch.device
            Where the tensors live.

        Returns
        -------
        x : Tensor, ((nx + 2 margin) k,), arcsec
        y : Tensor, ((ny + 2 margin) k,), arcsec
        """
        ny, nx = (n + 2 * self.margin for n in self.shape)
        x, y = (self._centred(n * self.supersampling, device) for n in (nx, ny))
        return x, y

    def _centred(self, number: int, device: str | torch.device) -> Tensor:
        steps = torch.arange(number, dtype=torch.float64, device=device)
        return ((steps - (number - 1) / 2) * self.spacing).to(torch.float32)

    def meshes(self, number: int, device: str | torch.device) -> tuple[Tensor, Tensor]:
        """Positions x and y of the sub-pixels, expanded from the axes.

        Parameters
        ----------
        number : int
            Batch size B.
        device : str or torch.device
            Where the tensors live.

        Returns
        -------
        x, y : Tensor, (B, H', W'), arcsec
            Views that must not be written to.
        """
        x, y = self.axes(device)
        shape = (number, len(y), len(x))
        return x[None, None, :].expand(shape), y[None, :, None].expand(shape)

    def positions(self, number: int, device: str | torch.device) -> tuple[Tensor, Tensor]:
        """Positions x and y of the sub-pixels in one row, filled up by `even_length`.

        Parameters
        ----------
        number : int
            Batch size B.
        device : str or torch.device
            Where the tensors live.

        Returns
        -------
        x, y : Tensor, (B, 1, N), arcsec
        """
        x, y = self.axes(device)
        size = len(x) * len(y)
        fill = (0, even_length(size) - size)
        rows = (x[None, :].expand(len(y), -1), y[:, None].expand(-1, len(x)))
        flat_x, flat_y = (
            torch.nn.functional.pad(row.flatten(), fill).expand(number, 1, -1).contiguous()
            for row in rows
        )
        return flat_x, flat_y

    def frame(self, values: Tensor) -> Tensor:
        """Frame (B, H', W') of what was computed at `positions`, (B, 1, N)."""
        height, width = ((n + 2 * self.margin) * self.supersampling for n in self.shape)
        return values[:, 0, : height * width].unflatten(1, (height, width))

    def refine_core(
        self,
        image: Tensor,
        brightness: Callable[[Tensor, Tensor], Tensor],
        *,
        factor: int,
        centre: tuple[Tensor, Tensor],
        half_width: int = 8,
    ) -> None:
        """Replace a square of each frame by means over finer points, in place.

        Galaxies are too steep in their cores for one point per sub-pixel.

        Parameters
        ----------
        image : Tensor, (B, H', W')
            Surface brightness at the centres of the sub-pixels.
        brightness : callable
            ``brightness(x, y)`` for positions (B, H, W), arcsec.
        factor : int
            Points along the side of a sub-pixel of the core.
        centre : tuple of Tensor, (B,), arcsec
            Positions x and y of the cores' centres; moved into the frame where a core
            would leave it.
        half_width : int, optional
            Half the side of the core, detector pixels.
        """
        reach = half_width * self.supersampling
        steps = torch.arange(factor, dtype=image.dtype, device=image.device)
        steps = ((steps + 0.5) / factor - 0.5) * self.spacing
        places, positions = [], []
        for axis, middle in zip(self.axes(image.device), centre, strict=True):
            width = min(2 * reach, len(axis))
            start = torch.ceil((middle.view(-1, 1) - axis[0]) / self.spacing) - width // 2
            start = start.to(torch.int64).clamp(0, len(axis) - width)
            place = start + torch.arange(width, device=image.device)
            places.append(place)
            positions.append((axis[place][..., None] + steps).flatten(1))
        (columns, rows), (fine_x, fine_y) = places, positions
        shape = (len(image), fine_y.shape[1], fine_x.shape[1])
        core = brightness(
            fine_x[:, None, :].expand(shape).contiguous(),
            fine_y[:, :, None].expand(shape).contiguous(),
        )
        lens = torch.arange(len(image), device=image.device)[:, None, None]
        means = torch.nn.functional.avg_pool2d(core[:, None], factor)[:, 0]
        image[lens, rows[:, :, None], columns[:, None, :]] = means


def _collecting_matrix(profile: Tensor, number: int, supersampling: int, margin: int) -> Tensor:
    """Blur along one axis and sum into pixels, (B, number, (number + 2 margin) k)."""
    k = supersampling
    size = profile.shape[-1]
    # Pixel n sums the sub-pixels s = 0 .. k - 1, each of which takes profile[half + s - j]
    # from sub-pixel j; their sum depends on j - n k alone.
    padded = torch.nn.functional.pad(profile.flip(-1), (k - 1, k - 1))
    summed = padded.unfold(-1, k, 1).sum(dim=-1)
    summed = torch.nn.functional.pad(summed, (1, 1))
    pixel = torch.arange(number, device=profile.device)[:, None]
    sub_pixel = torch.arange((number + 2 * margin) * k, device=profile.device)[None, :]
    place = sub_pixel - (pixel + margin) * k + size // 2 + 1
    return summed[:, place.clamp(0, summed.shape[-1] - 1)]


def separable_collect(scene: Tensor, kernel: Tensor, grid: SuperGrid) -> Tensor:
    r"""Blur with a separable kernel and sum sub-pixels into pixels, as two products.

    With :math:`k_{ij} = u_i v_j` both steps act on one axis at a time, so that the image
    is :math:`A_y\, S\, A_x^\mathsf{T}` with two banded matrices: an order of magnitude
    faster than a Fourier transform of the sub-pixels. Round Gaussian kernels are
    separable.

    Parameters
    ----------
    scene : Tensor, (B, C, H', W'), flux per arcsec^2
        Scenes on the sub-pixels, margin included.
    kernel : Tensor, (B, K, K)
        Separable, odd, sum one, sampled like the sub-pixels; K // 2 at most the margin.
    grid : SuperGrid
        The sub-pixels.

    Returns
    -------
    Tensor, (B, C, ny, nx), flux per pixel
        Light of the scene is conserved, but for what leaves the frame.
    """
    ny, nx = grid.shape
    options = (grid.supersampling, grid.margin)
    along_y = _collecting_matrix(kernel.sum(dim=2), ny, *options)[:, None]
    along_x = _collecting_matrix(kernel.sum(dim=1), nx, *options)[:, None]
    return (along_y @ (scene @ along_x.mT)) * grid.spacing**2


def fourier_collect(scene: Tensor, kernel: Tensor, grid: SuperGrid) -> Tensor:
    r"""Blur with any kernel and sum sub-pixels into pixels, by Fourier transforms.

    Blurring with the kernel and summing k x k sub-pixels is one convolution, with the
    kernel summed over boxes of k x k elements, of which every k-th value is wanted. The
    spectrum of every k-th value is the sum of the k x k parts of the full spectrum laid
    over each other (Oppenheim & Schafer 2010, Discrete-Time Signal Processing, 3rd ed.,
    eq. 4.77), so that the inverse transform is one of detector pixels. The circular
    convolution needs no padding for kernels that the margin holds, since the frame alone
    is wanted; for wider ones the scene is followed by zeros: light from outside the scene
    is missing, and none comes in from the other side.

    Parameters
    ----------
    scene : Tensor, (B, C, H', W'), flux per arcsec^2
        Scenes on the sub-pixels, margin included.
    kernel : Tensor, (B, K, K)
        Odd, sum one, sampled like the sub-pixels; its middle element is its origin.
    grid : SuperGrid
        The sub-pixels.

    Returns
    -------
    Tensor, (B, C, ny, nx), flux per pixel
        Exact to the rounding of the brightest pixel: in float32 the faintest pixels carry
        errors of about 1e-7 of the peak.
    """
    k, margin = grid.supersampling, grid.margin
    # Elements farther from the middle than the frame's far side see no light.
    for axis, number in ((-2, grid.shape[0]), (-1, grid.shape[1])):
        excess = max(kernel.shape[axis] // 2 - (number + margin) * k + 1, 0)
        kernel = kernel.narrow(axis, excess, kernel.shape[axis] - 2 * excess)
    summed = torch.nn.functional.avg_pool2d(
        torch.nn.functional.pad(kernel, (k - 1,) * 4)[:, None], k, stride=1, divisor_override=1
    )[:, 0]

    lengths, leads, starts = [], [], []
    for axis in (-2, -1):
        # The first element moves light by -reach sub-pixels; `lead` zeros before it make
        # that a whole number of pixels.
        half = kernel.shape[axis] // 2
        reach = half + k - 1
        shift = math.ceil(reach / k)
        leads.append(shift * k - reach)
        starts.append(margin + shift)
        needed = scene.shape[axis] + max(half - margin * k, 0)
        needed = max(needed, leads[-1] + summed.shape[axis])
        lengths.append(_good_length(math.ceil(needed / k)))
    (ny, nx), (lead_y, lead_x) = lengths, leads
    summed = torch.nn.functional.pad(summed, (lead_x, 0, lead_y, 0))

    spectrum = torch.fft.rfft2(scene, s=(ny * k, nx * k))
    # Rows of zeros need no transform. On contiguous columns its bits depend on no other lens.
    columns = torch.fft.rfft(summed, n=nx * k).mT.contiguous()
    response = torch.fft.fft(columns, n=ny * k).mT
    product = (spectrum * response[:, None]).unflatten(-2, (k, ny)).sum(dim=-3)
    image = _every_kth(torch.fft.ifft(product, dim=-2), nx, k)
    image = image.roll((-starts[0], -starts[1]), dims=(-2, -1))
    return image[..., : grid.shape[0], : grid.shape[1]] * (grid.spacing / k) ** 2


def _every_kth(spectrum: Tensor, number: int, k: int) -> Tensor:
    """Every k-th value of real rows, times k, from the half of their spectrum."""
    # Part j of the full spectrum starts at j n. Parts beyond the middle are the conjugates
    # of the first half, read backwards.
    half = number // 2
    folded = spectrum[..., : half + 1]
    for j in range(1, (k - 1) // 2 + 1):
        folded = folded + spectrum[..., j * number : j * number + half + 1]
    for j in range(1, k // 2 + 1):
        part = spectrum[..., j * number - half : j * number + 1]
        folded = folded + part.flip(-1).conj()
    return torch.fft.irfft(folded, n=number)


def _good_length(number: int) -> int:
    """Smallest length, not below ``number``, without prime factors above seven."""
    while True:
        rest = number
        for prime in (2, 3, 5, 7):
            while rest % prime == 0:
                rest //= prime
        if rest == 1:
            return number
        number += 1

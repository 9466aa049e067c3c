r"""Charge trails: electrons that traps hold back while a detector is read out.

Charge in the pixel that is :math:`i` transfers away from the read-out register passes as
many traps. With a probability :math:`\rho` of capture at each transfer, a fraction

.. math:: f_i = 1 - (1 - \rho)^{n_i}, \qquad n_i = i + 1,

is held back, and released with an exponential law, on average after the time of L
transfers. What is released between k - 1 and k transfers later is read out with the pixel
k behind:

.. math:: w_k = \int_{k-1}^{k} e^{-s / L} \frac{\mathrm{d}s}{L}
              = (1 - e^{-1/L})\, e^{-(k-1)/L} , \qquad k \ge 1 ,

with mean distance :math:`1 / (1 - e^{-1/L})`, about L + 1/2.

The picture is that of Massey et al. 2010, MNRAS 401, 371 (traps that capture at once and
release exponentially), with one species of trap where they have three, and in linear
response: they let a cloud of charge fill its pixel's well by a power of its size, so that
faint light loses a larger fraction; here all light loses the same. An electron is captured
once at most, which leaves out terms of order :math:`f^2`.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import torch

if TYPE_CHECKING:
    from torch import Tensor

__all__ = ["ChargeTrail", "charge_beyond_frame", "trail", "transfer_matrix"]


def _fraction_and_decay(
    number: int, density: Tensor, release_length: Tensor, first_pixel: int
) -> tuple[Tensor, Tensor]:
    """Fraction held back of each pixel, (B, n), and decay from pixel to pixel, (B, 1)."""
    if not bool(((density >= 0) & (density < 1)).all()):
        raise ValueError(
            "density must be a probability per transfer, at least 0 and below 1, got "
            f"{density.tolist()}"
        )
    if not bool((release_length > 0).all()):
        raise ValueError(
            "release_length must be positive, in pixels, also where the density is zero, "
            f"got {release_length.tolist()}"
        )
    pixel = torch.arange(number, dtype=density.dtype, device=density.device)
    transfers = (pixel + (1 + first_pixel)).clamp(min=0)
    fraction = -torch.expm1(transfers * torch.log1p(-density)[:, None])
    return fraction, torch.exp(-1 / release_length)[:, None]


def transfer_matrix(
    number: int, density: Tensor, release_length: Tensor, *, first_pixel: int = 0
) -> Tensor:
    r"""Where the charge of each pixel of a line is read out.

    :math:`T_{ji} = (1 - f_i)\,\delta_{ji} + f_i\,w_{j - i}`, see the module.

    Parameters
    ----------
    number : int
        Pixels n of the line, the one nearest the register first.
    density : Tensor, (B,), per transfer
        Trap density :math:`\rho`, the probability of capture at each transfer.
    release_length : Tensor, (B,), pixels
        Mean time of release L in transfers, positive.
    first_pixel : int, optional
        Number i of the line's first pixel. Charge with i below zero has been read out
        without a transfer and loses nothing.

    Returns
    -------
    Tensor, (B, n, n)
        Lower triangular, from column i to row j. Columns sum to one, less what is
        released beyond the line's end.

    Raises
    ------
    ValueError
        If a density is outside [0, 1) or a release length is not positive.
    """
    fraction, decay = _fraction_and_decay(number, density, release_length, first_pixel)
    pixel = torch.arange(number, device=density.device)
    behind = pixel[:, None] - pixel[None, :]
    powers = decay ** torch.arange(number, dtype=decay.dtype, device=decay.device)
    weight = (1 - decay[..., None]) * powers[:, (behind - 1).clamp(min=0)]
    kept = torch.diag_embed(1 - fraction)
    return kept + torch.where(behind > 0, weight * fraction[:, None, :], 0)


def _matrices(
    shape: torch.Size,
    density: Tensor,
    release_length: Tensor,
    axis: Tensor,
    first_pixel: int,
) -> tuple[Tensor, Tensor]:
    """Transfer along the columns, (B, H, H), and along the rows, (B, W, W)."""
    along_y, along_x = (
        transfer_matrix(
            number,
            torch.where(axis == along, density, 0),
            release_length,
            first_pixel=first_pixel,
        )
        for along, number in enumerate(shape[-2:])
    )
    return along_y, along_x


def trail(
    electrons: Tensor,
    density: Tensor,
    release_length: Tensor,
    axis: Tensor,
    *,
    first_pixel: int = 0,
) -> Tensor:
    """Image as it is read out through traps.

    Charge moves towards pixel 0 of the axis, the register, and the trails point away from
    it. What is released behind the frame's last pixel leaves the frame and is what
    `charge_beyond_frame` gives; put into the last pixel it would be a bright edge.

    Parameters
    ----------
    electrons : Tensor, (B, H, W), electrons
        Charge in the pixels before read-out.
    density : Tensor, (B,), per transfer
        Trap density; zero leaves an image exactly as it is.
    release_length : Tensor, (B,), pixels
        Mean time of release in transfers, positive.
    axis : Tensor, (B,)
        Axis of the image along which charge moves: 0 for y, along the columns, the
        register beside row 0; 1 for x, along the rows, the register beside column 0.
    first_pixel : int, optional
        Number of the frame's first pixel on that axis, from the register.

    Returns
    -------
    Tensor, (B, H, W), electrons

    Raises
    ------
    ValueError
        If a density is outside [0, 1) or a release length is not positive.
    """
    options = (density, release_length, axis, first_pixel)
    along_y, along_x = _matrices(electrons.shape, *options)
    return torch.bmm(torch.bmm(along_y, electrons), along_x.mT)


def charge_beyond_frame(
    electrons: Tensor, density: Tensor, release_length: Tensor, axis: Tensor
) -> Tensor:
    r"""Charge that `trail` releases beyond the far edge of the frame.

    :math:`\sum_i f_i\,e^{-(n - 1 - i) / L}\,q_i` over the pixels of every line of n pixels.

    Parameters
    ----------
    electrons : Tensor, (B, H, W), electrons
        Charge in the pixels before read-out.
    density : Tensor, (B,), per transfer
        Trap density.
    release_length : Tensor, (B,), pixels
        Mean time of release in transfers, positive.
    axis : Tensor, (B,)
        Axis of the image along which charge moves, 0 for y or 1 for x.

    Returns
    -------
    Tensor, (B,), electrons
        Total of ``electrons`` less that of the trailed image.

    Raises
    ------
    ValueError
        If a density is outside [0, 1) or a release length is not positive.
    """
    beyond = torch.zeros_like(density)
    for along, number in enumerate(electrons.shape[-2:]):
        fraction, decay = _fraction_and_decay(number, density, release_length, 0)
        steps = torch.arange(number - 1, -1, -1, device=decay.device).to(decay.dtype)
        lines = electrons.sum(dim=2 - along)
        lost = (lines * fraction * decay**steps).sum(dim=-1)
        beyond = beyond + torch.where(axis == along, lost, 0)
    return beyond


@dataclass(frozen=True)
class ChargeTrail:
    """What `trail` needs besides the image, for the exposure of a batch.

    Parameters
    ----------
    density : Tensor, (B,), per transfer
        Trap density; zero where there are no traps.
    release_length : Tensor, (B,), pixels
        Mean time of release in transfers, positive.
    axis : Tensor, (B,)
        Axis of the image along which charge moves, 0 for y or 1 for x.
    """

    density: Tensor
    release_length: Tensor
    axis: Tensor

    def __call__(self, electrons: Tensor, *, margin: int = 0) -> Tensor:
        """Trail a frame that is ``margin`` pixels larger on each side; see `trail`.

        Parameters
        ----------
        electrons : Tensor, (B, H + 2 margin, W + 2 margin), electrons
            Charge before read-out.
        margin : int, optional
            Pixels of the frame before the register's first.

        Returns
        -------
        Tensor, (B, H + 2 margin, W + 2 margin), electrons
        """
        return trail(
            electrons, self.density, self.release_length, self.axis, first_pixel=-margin
        )

    def variance(self, rate: Tensor, *, margin: int = 0) -> Tensor:
        r"""Variance of trailed Poisson electrons.

        :math:`\sum_i T_{ji}^2 \lambda_i` for independent pixels of rate :math:`\lambda_i`.

        Parameters
        ----------
        rate : Tensor, (B, H + 2 margin, W + 2 margin), electrons
            Expected electrons before read-out.
        margin : int, optional
            Pixels of the frame before the register's first.

        Returns
        -------
        Tensor, (B, H + 2 margin, W + 2 margin), electrons^2
        """
        along_y, along_x = _matrices(
            rate.shape, self.density, self.release_length, self.axis, -margin
        )
        return torch.bmm(torch.bmm(along_y**2, rate), along_x.mT**2)

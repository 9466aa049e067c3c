"""The recurrent cell of the RIM: convolutional gated units at two coarser scales."""

from __future__ import annotations

from pathlib import Path
from typing import ClassVar, Literal

import torch
from torch import Tensor, nn

from astrorim.interfaces import NetworkBackend

__all__ = ["MultiScaleCell", "UNetGRU"]


class ConvGRU(nn.Module):
    r"""Convolutional gated recurrent unit.

    .. math::

        z, r = \sigma(W_{zr} * [x, h]), \quad
        h' = (1 - z) h + z \tanh(W_c * [x, r h])

    as Ballas et al. 2016 (arXiv:1511.06432), equations 2-5.

    Parameters
    ----------
    channels_in : int
        Channels of the input x.
    channels : int
        Channels of the state h.
    """

    def __init__(self, channels_in: int, channels: int) -> None:
        super().__init__()
        self.gates = nn.Conv2d(channels_in + channels, 2 * channels, 3, padding=1)
        self.candidate = nn.Conv2d(channels_in + channels, channels, 3, padding=1)

    def forward(self, x: Tensor, h: Tensor) -> Tensor:
        """New state (B, C, n, n) from input and state."""
        z, r = torch.sigmoid(self.gates(torch.cat([x, h], dim=1))).chunk(2, dim=1)
        return (1 - z) * h + z * torch.tanh(self.candidate(torch.cat([x, r * h], dim=1)))


class MultiScaleCell(nn.Module):
    """One step of the recurrence: a U-shaped network with memory at its coarse levels.

    The last convolution starts at zero, so an untrained cell leaves the source as it is.

    Parameters
    ----------
    channels_in : int
        Channels of the input maps.
    fine, middle, coarse : int
        Channels at full, half and quarter resolution.
    """

    def __init__(self, channels_in: int, fine: int, middle: int, coarse: int) -> None:
        super().__init__()
        self.widths = (middle, coarse)

        def conv(a: int, b: int, *, stride: int = 1) -> nn.Sequential:
            return nn.Sequential(nn.Conv2d(a, b, 3, stride=stride, padding=1), nn.SiLU())

        self.entry = nn.Sequential(conv(channels_in, fine), conv(fine, fine))
        self.down_middle = conv(fine, middle, stride=2)
        self.memory_middle = ConvGRU(middle, middle)
        self.down_coarse = conv(middle, coarse, stride=2)
        self.memory_coarse = ConvGRU(coarse, coarse)
        self.up_coarse = nn.Conv2d(coarse, middle, 1)
        self.merge_middle = conv(2 * middle, middle)
        self.up_middle = nn.Conv2d(middle, fine, 1)
        self.exit = nn.Sequential(conv(2 * fine, fine), nn.Conv2d(fine, 1, 3, padding=1))
        nn.init.zeros_(self.exit[-1].weight)  # type: ignore[arg-type]
        nn.init.zeros_(self.exit[-1].bias)  # type: ignore[arg-type]

    def initial_state(self, batch: int, size: int, like: Tensor) -> tuple[Tensor, Tensor]:
        """Zero state for ``batch`` sources of ``size`` x ``size`` pixels.

        Raises
        ------
        ValueError
            If ``size`` is not a multiple of four.
        """
        if size % 4:
            raise ValueError(f"source size must be a multiple of 4, got {size}")
        middle, coarse = self.widths
        return (
            like.new_zeros(batch, middle, size // 2, size // 2),
            like.new_zeros(batch, coarse, size // 4, size // 4),
        )

    def forward(
        self, inputs: Tensor, state: tuple[Tensor, Tensor]
    ) -> tuple[Tensor, tuple[Tensor, Tensor]]:
        """Update (B, 1, n, n) and new state from inputs (B, C, n, n) and state."""
        upsample = nn.functional.interpolate
        entry = self.entry(inputs)
        middle = self.memory_middle(self.down_middle(entry), state[0])
        coarse = self.memory_coarse(self.down_coarse(middle), state[1])
        up = upsample(self.up_coarse(coarse), scale_factor=2, mode="nearest")
        up = self.merge_middle(torch.cat([up, middle], dim=1))
        up = upsample(self.up_middle(up), scale_factor=2, mode="nearest")
        return self.exit(torch.cat([up, entry], dim=1)), (middle, coarse)


class UNetGRU(NetworkBackend):
    """Backend of `MultiScaleCell`."""

    name: ClassVar[str] = "unet-gru"
    role: ClassVar[Literal["encoder", "recurrence"]] = "recurrence"

    def architecture(self) -> dict[str, int]:
        """Options of `build` with their defaults."""
        return {"channels_in": 6, "fine": 24, "middle": 40, "coarse": 56}

    def build(self, **architecture: int) -> nn.Module:
        """Build the cell with fresh weights; see `NetworkBackend.build`."""
        options = self.architecture()
        unknown = sorted(set(architecture) - set(options))
        if unknown:
            raise TypeError(
                f"unet-gru has no option {', '.join(unknown)}; it has {', '.join(options)}"
            )
        return MultiScaleCell(**(options | architecture))

    def weights(self) -> Path | None:
        """The shipped weights, trained on the foundation simulator."""
        path = Path(__file__).with_name("unet_gru.safetensors")
        return path if path.is_file() else None

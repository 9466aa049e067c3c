"""The plain recurrent cell: one convolutional gated unit at the source's full resolution."""

from __future__ import annotations

from pathlib import Path
from typing import ClassVar, Literal

from torch import Tensor, nn

from astrorim.interfaces import NetworkBackend
from astrorim_plugins.networks.unet_gru import ConvGRU

__all__ = ["ConvGRUCell", "ConvGRUNetwork"]


class ConvGRUCell(nn.Module):
    """One step of the recurrence: convolution, gated unit, two convolutions.

    Everything happens at full resolution, so that a step sees no farther than six pixels
    and costs twelve times as much as one of ``unet-gru``: the baseline that it is compared
    with. The last convolution starts at zero, so an untrained cell leaves the source as it
    is.

    Parameters
    ----------
    channels_in : int
        Channels of the input maps.
    hidden : int
        Channels of the state; half as many go into the unit and come out of it.
    """

    def __init__(self, channels_in: int, hidden: int) -> None:
        super().__init__()
        self.hidden = hidden
        half = hidden // 2
        self.entry = nn.Sequential(nn.Conv2d(channels_in, half, 3, padding=1), nn.SiLU())
        self.memory = ConvGRU(half, hidden)
        last = nn.Conv2d(half, 1, 3, padding=1)
        nn.init.zeros_(last.weight)
        nn.init.zeros_(last.bias)  # type: ignore[arg-type]
        self.exit = nn.Sequential(nn.Conv2d(hidden, half, 3, padding=1), nn.SiLU(), last)

    def initial_state(self, batch: int, size: int, like: Tensor) -> Tensor:
        """Zero state for ``batch`` sources of ``size`` x ``size`` pixels."""
        return like.new_zeros(batch, self.hidden, size, size)

    def forward(self, inputs: Tensor, state: Tensor) -> tuple[Tensor, Tensor]:
        """Update (B, 1, n, n) and new state from inputs (B, C, n, n) and state."""
        state = self.memory(self.entry(inputs), state)
        return self.exit(state), state


class ConvGRUNetwork(NetworkBackend):
    """Backend of `ConvGRUCell`."""

    name: ClassVar[str] = "conv-gru"
    role: ClassVar[Literal["encoder", "recurrence"]] = "recurrence"

    def architecture(self) -> dict[str, int]:
        """Options of `build` with their defaults."""
        return {"channels_in": 6, "hidden": 128}

    def build(self, **architecture: int) -> nn.Module:
        """Build the cell with fresh weights; see `NetworkBackend.build`."""
        options = self.architecture()
        unknown = sorted(set(architecture) - set(options))
        if unknown:
            raise TypeError(
                f"conv-gru has no option {', '.join(unknown)}; it has {', '.join(options)}"
            )
        return ConvGRUCell(**(options | architecture))

    def weights(self) -> Path | None:
        """The shipped weights, trained beside those of ``unet-gru`` for the same time."""
        path = Path(__file__).with_name("conv_gru.safetensors")
        return path if path.is_file() else None

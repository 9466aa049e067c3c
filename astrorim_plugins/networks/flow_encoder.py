"""The parameter encoder: a convolutional embedding under a normalizing flow."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, ClassVar, Literal

import torch
import zuko
from torch import Tensor, nn

from astrorim.interfaces import NetworkBackend

if TYPE_CHECKING:
    from torch.distributions import Distribution

__all__ = ["FlowEncoder", "FlowPosterior", "ResidualBlock", "ResidualEncoder"]


def _conv(a: int, b: int, *, stride: int = 1) -> nn.Sequential:
    return nn.Sequential(
        nn.Conv2d(a, b, 3, stride=stride, padding=1), nn.GroupNorm(8, b), nn.SiLU()
    )


class ResidualBlock(nn.Module):
    r"""Two normalised convolutions beside the identity.

    :math:`x + W_2 * f(W_1 * f(x))` with f a group normalisation and a SiLU, the
    full pre-activation of He et al. 2016 (arXiv:1603.05027), figure 4e. The last
    convolution starts at zero: an untrained block changes nothing.

    Parameters
    ----------
    channels : int
        Channels of input and output; a multiple of eight.
    """

    def __init__(self, channels: int) -> None:
        super().__init__()
        last = nn.Conv2d(channels, channels, 3, padding=1)
        nn.init.zeros_(last.weight)
        self.change = nn.Sequential(
            nn.GroupNorm(8, channels),
            nn.SiLU(),
            nn.Conv2d(channels, channels, 3, padding=1),
            nn.GroupNorm(8, channels),
            nn.SiLU(),
            last,
        )

    def forward(self, x: Tensor) -> Tensor:
        """New features (B, C, n, n)."""
        return x + self.change(x)


def _plain_embedding(channels_in: int, width: int, frame: int, context: int) -> nn.Sequential:
    w1, w2, w3, w4 = width, 2 * width, 3 * width, 4 * width
    return nn.Sequential(
        nn.Conv2d(channels_in, w1, 5, stride=2, padding=2),
        nn.SiLU(),
        _conv(w1, w2, stride=2),
        _conv(w2, w2),
        _conv(w2, w3, stride=2),
        _conv(w3, w3),
        _conv(w3, w4, stride=2),
        nn.Flatten(),
        nn.Linear(w4 * (frame // 16) ** 2, context),
        nn.SiLU(),
    )


def _residual_embedding(
    channels_in: int, width: int, frame: int, context: int, blocks: int
) -> nn.Sequential:
    layers: list[nn.Module] = [
        nn.Conv2d(channels_in, width, 5, stride=2, padding=2),
        *(ResidualBlock(width) for _ in range(blocks)),
    ]
    for factor in (2, 3, 4):
        before, own = width * max(factor - 1, 1), width * factor
        layers += [nn.Conv2d(before, own, 3, stride=2, padding=1)]
        layers += [ResidualBlock(own) for _ in range(blocks)]
    # Places matter, the centre above all: few channels, but those of every place.
    last, few = 4 * width, width
    return nn.Sequential(
        *layers,
        nn.GroupNorm(8, last),
        nn.SiLU(),
        nn.Conv2d(last, few, 1),
        nn.SiLU(),
        nn.Flatten(),
        nn.Linear(few * (frame // 16) ** 2, context),
        nn.SiLU(),
    )


class FlowPosterior(nn.Module):
    """Joint posterior of the standardised parameters, given an image and its PSF.

    A strided convolutional network embeds the image; a neural spline flow (Durkan et
    al. 2019, arXiv:1906.04032) conditioned on the embedding is the posterior.

    Parameters
    ----------
    channels_in : int
        Channels of the image features.
    num_parameters : int
        Dimension P of the posterior.
    frame : int
        Side of the feature frame, pixels; a multiple of 16.
    psf_frame : int
        Side of the PSF stamp, pixels.
    width : int
        Channels after the first convolution; deeper ones scale with it. A multiple of
        eight.
    context : int
        Size of the embedding.
    transforms : int
        Number of spline transforms in the flow.
    blocks : int
        Residual blocks at each of the four scales; 0 for the plain strided network, which
        a processor trains in an hour.
    """

    def __init__(
        self,
        channels_in: int,
        num_parameters: int,
        frame: int,
        psf_frame: int,
        width: int,
        context: int,
        transforms: int,
        blocks: int,
    ) -> None:
        super().__init__()
        if blocks:
            self.embed_image = _residual_embedding(channels_in, width, frame, context, blocks)
        else:
            self.embed_image = _plain_embedding(channels_in, width, frame, context)
        self.embed_psf = nn.Sequential(nn.Flatten(), nn.Linear(psf_frame**2, 32), nn.SiLU())
        self.join = nn.Sequential(nn.Linear(context + 32, context), nn.SiLU())
        self.flow = zuko.flows.NSF(
            num_parameters,
            context=context,
            transforms=transforms,
            bins=8,
            hidden_features=(128, 128),
        )

    def forward(self, features: Tensor, psf: Tensor) -> Distribution:
        """Posterior over (B, P) standardised parameters.

        Parameters
        ----------
        features : Tensor, (B, C, N, N)
            Image features in units of the noise.
        psf : Tensor, (B, 1, K, K)
            PSF stamp at the detector's sampling.
        """
        embedding = torch.cat([self.embed_image(features), self.embed_psf(psf)], dim=1)
        # The flow is evaluated in its own precision, whatever the convolutions were.
        return self.flow(self.join(embedding).to(self.flow_dtype))

    @property
    def flow_dtype(self) -> torch.dtype:
        """Precision of the flow's weights."""
        return next(self.flow.parameters()).dtype


class FlowEncoder(NetworkBackend):
    """Backend of `FlowPosterior`."""

    name: ClassVar[str] = "flow-encoder"
    role: ClassVar[Literal["encoder", "recurrence"]] = "encoder"

    def architecture(self) -> dict[str, int]:
        """Options of `build` with their defaults."""
        return {
            "channels_in": 7,
            "num_parameters": 14,
            "frame": 96,
            "psf_frame": 21,
            "width": 32,
            "context": 256,
            "transforms": 3,
            "blocks": 0,
        }

    def build(self, **architecture: int) -> nn.Module:
        """Build the encoder with fresh weights; see `NetworkBackend.build`."""
        options = self.architecture()
        unknown = sorted(set(architecture) - set(options))
        if unknown:
            raise TypeError(
                f"{self.name} has no option {', '.join(unknown)}; it has {', '.join(options)}"
            )
        return FlowPosterior(**(options | architecture))

    def weights(self) -> Path | None:
        """The shipped weights, trained on the foundation simulator."""
        path = Path(__file__).with_name("flow_encoder.safetensors")
        return path if path.is_file() else None


class ResidualEncoder(FlowEncoder):
    """Backend of `FlowPosterior` with residual blocks, for a GPU to train."""

    name: ClassVar[str] = "residual-encoder"

    def architecture(self) -> dict[str, int]:
        """Options of `build` with their defaults."""
        return super().architecture() | {"width": 40, "blocks": 2}

    def weights(self) -> Path | None:
        """The shipped weights, trained on all simulators."""
        path = Path(__file__).with_name("residual_encoder.safetensors")
        return path if path.is_file() else None

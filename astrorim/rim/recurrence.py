r"""One step of the Recurrent Inference Machine on the source.

The recurrence of Putzky & Welling 2017 (arXiv:1706.04008), equation 9,
:math:`s_{t+1} = s_t + g_\phi(\nabla \ln L, s_t, h_t)`, with the gradient preconditioned by
the Gauss-Newton diagonal, so that it has the source's own units, and with the source
pixels' signal to noise, which tells the network where the data speak.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import torch

if TYPE_CHECKING:
    from torch import Tensor, nn

    from astrorim.lensing.forward import SourceOperator

__all__ = ["NUM_CELL_INPUTS", "Preconditioner", "SourceState", "start", "step"]

NUM_CELL_INPUTS = 6
"""Number of maps that the cell sees."""

_FLOOR = 0.02  # of the largest element, added to the preconditioner's diagonal


@dataclass(frozen=True)
class Preconditioner:
    r"""The Gauss-Newton diagonal of the source, :math:`A^T W A 1`, and its floored inverse.

    Parameters
    ----------
    sensitivity : Tensor, (B, n, n)
        One over the squared noise of a source pixel.
    inverse : Tensor, (B, n, n)
        Takes :math:`A^T W r` to flux per arcsec^2.
    """

    sensitivity: Tensor
    inverse: Tensor

    @classmethod
    def of(cls, operator: SourceOperator, weight: Tensor) -> Preconditioner:
        """Compute it for an operator and the inverse variance (B, H, W)."""
        size = operator.frames.size
        ones = weight.new_ones(len(weight), size, size)
        sensitivity = operator.transpose(weight * operator.apply(ones)).clamp_min(0)
        largest = sensitivity.amax(dim=(-2, -1), keepdim=True)
        tiny = torch.finfo(weight.dtype).tiny
        return cls(sensitivity, 1 / (sensitivity + _FLOOR * largest + tiny))

    def back_projection(self, operator: SourceOperator, weighted: Tensor) -> Tensor:
        r"""Preconditioned back-projection :math:`A^T (W d) / (A^T W A 1)`, (B, n, n).

        Parameters
        ----------
        operator : SourceOperator
            The map A.
        weighted : Tensor, (B, H, W)
            Image times inverse variance.
        """
        return operator.transpose(weighted) * self.inverse


@dataclass(frozen=True)
class SourceState:
    """The source during the recurrence.

    Parameters
    ----------
    source : Tensor, (B, n, n)
        Surface brightness over ``amplitude``.
    amplitude : Tensor, (B, 1, 1), flux per arcsec^2
        Scale taken from the data, never from a truth.
    memory : object
        State of the cell.
    """

    source: Tensor
    amplitude: Tensor
    memory: Any

    @property
    def brightness(self) -> Tensor:
        """Surface brightness, (B, n, n), flux per arcsec^2."""
        return self.source * self.amplitude


def start(cell: nn.Module, projection: Tensor) -> SourceState:
    """Begin the recurrence: half the positive part of the back-projection.

    Parameters
    ----------
    cell : torch.nn.Module
        Gives the memory's start.
    projection : Tensor, (B, n, n), flux per arcsec^2
        Back-projection of the arcs.
    """
    amplitude = projection.amax(dim=(-2, -1), keepdim=True)
    size = projection.abs().mean(dim=(-2, -1), keepdim=True)
    tiny = torch.finfo(projection.dtype).tiny
    amplitude = torch.maximum(amplitude, size).clamp_min(tiny)
    source = projection.clamp_min(0) * 0.5 / amplitude
    memory = cell.initial_state(len(projection), projection.shape[-1], projection)  # type: ignore[operator]
    return SourceState(source, amplitude, memory)


def step(
    cell: nn.Module,
    state: SourceState,
    operator: SourceOperator,
    preconditioner: Preconditioner,
    weight: Tensor,
    arcs: Tensor,
) -> SourceState:
    """Advance the source by one step of the recurrence.

    The exact gradient enters as an input: it is not differentiated again in training.

    Parameters
    ----------
    cell : torch.nn.Module
        The recurrent cell.
    state : SourceState
        Where the source is.
    operator : SourceOperator
        The map at the current lens parameters.
    preconditioner : Preconditioner
        Of the source; may be that of slightly other lens parameters.
    weight : Tensor, (B, H, W)
        Inverse variance, zero where masked.
    arcs : Tensor, (B, H, W), flux per pixel
        Data without the current lens light.
    """
    with torch.no_grad():
        current = state.source.detach()
        residual = arcs - operator.apply(current * state.amplitude)
        gradient = preconditioner.back_projection(operator, weight * residual) / state.amplitude
        noise = preconditioner.sensitivity.sqrt()
        signal_to_noise = torch.log10(noise * state.amplitude + 1e-2)
        num_good = (weight > 0).sum(dim=(-2, -1)).clamp_min(1)
        chi2 = (weight * residual**2).sum(dim=(-2, -1)) / num_good
        misfit = (chi2 + 1e-3).log()[:, None, None].clamp(-3, 5).expand_as(current) / 2
        fineness = (operator.frames.pixel_scale / operator.image_scale).log()
        fineness = fineness[:, None, None].expand_as(current)
    inputs = torch.stack(
        [
            state.source,
            gradient.clamp(-10, 10),
            torch.asinh(10 * state.source) / 3,
            signal_to_noise,
            misfit,
            fineness,
        ],
        dim=1,
    )
    update, memory = cell(inputs, state.memory)
    source = state.source + update[:, 0].to(state.source.dtype)
    return SourceState(source, state.amplitude, memory)

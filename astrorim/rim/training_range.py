"""Whether a lens is like those that the networks were trained on."""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch

from astrorim.rim.parameter_step import is_positive, to_coordinates

if TYPE_CHECKING:
    from torch import Tensor

    from astrorim.lensing.forward import ImageData
    from astrorim.lensing.system import LensSystem
    from astrorim.rim.codec import ParameterCodec
    from astrorim.rim.start import Start

__all__ = ["encoder_disagreement", "training_distance"]


def _common(system: LensSystem, codec: ParameterCodec) -> list[int]:
    """Columns of the lens parameters that the encoder knows."""
    known = set(codec.parameters.names)
    names = system.parameters.names[: system.num_lens]
    return [column for column, name in enumerate(names) if name in known]


def encoder_disagreement(
    values: Tensor, start: Start, system: LensSystem, codec: ParameterCodec
) -> Tensor:
    r"""How far the likelihood moved the lens from where the encoder saw it.

    .. math:: D = \left[\frac{1}{L} \sum_i \frac{(\theta_i - \mu_i)^2}{\sigma_i^2}\right]^{1/2}

    over the L lens parameters that the encoder knows, with its posterior's means and
    standard deviations. For lenses of the training population an honest posterior makes
    it about one.

    Parameters
    ----------
    values : Tensor, (B, P)
        Parameters after the joint inference.
    start : Start
        Mean and spread of the encoder's posterior, in step coordinates.
    system : LensSystem
        What the parameters belong to.
    codec : ParameterCodec
        Of the encoder's own parameters.

    Returns
    -------
    Tensor, (B,)
        NaN if the encoder knows none of the lens parameters.
    """
    columns = _common(system, codec)
    positive = is_positive(system.parameters, values)
    moved = to_coordinates(values, positive) - to_coordinates(start.values, positive)
    return (moved / start.spread)[:, columns].square().mean(dim=1).sqrt()


def training_distance(
    values: Tensor, data: ImageData, system: LensSystem, codec: ParameterCodec
) -> Tensor:
    """How many of the training population's standard deviations a lens is from its mean.

    Of all lens parameters that the encoder knows the largest, lengths in pixels and positive
    ones by their logarithm, as `~astrorim.rim.codec.ParameterCodec` has them.

    Parameters
    ----------
    values : Tensor, (B, P), declared units
        Parameters.
    data : ImageData
        The images.
    system : LensSystem
        What the parameters belong to.
    codec : ParameterCodec
        Of the encoder's own parameters.

    Returns
    -------
    Tensor, (B,)
        NaN if the encoder knows none of the lens parameters.
    """
    names = system.parameters.names
    columns = _common(system, codec)
    if not columns:
        return values.new_full((len(values),), torch.nan)
    own = [codec.parameters.index_of(names[column]) for column in columns]
    full = values.new_ones(len(values), len(codec.parameters))
    full[:, own] = values[:, columns]
    return codec.encode(full, data)[:, own].abs().amax(dim=1)

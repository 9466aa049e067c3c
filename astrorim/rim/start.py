"""Where the joint inference begins: the encoder's posterior, or what is known."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import torch

from astrorim.lensing.system import LIGHT_PREFIX
from astrorim.rim.features import image_features, psf_features
from astrorim.rim.orientation import turn_samples
from astrorim.rim.parameter_step import from_coordinates, is_positive, to_coordinates

if TYPE_CHECKING:
    from torch import Tensor

    from astrorim.lensing.forward import ImageData
    from astrorim.lensing.system import LensSystem
    from astrorim.rim.checkpoint import Checkpoint
    from astrorim.rim.codec import ParameterCodec

__all__ = ["Start", "encoder_samples", "encoder_start", "known_start"]

_NUM_SAMPLES = 256
_QUANTILES = (0.03, 0.97)  # of theta_E, for the candidates beside the mean


@dataclass(frozen=True)
class Start:
    """Where the joint inference begins.

    Parameters
    ----------
    values : Tensor, (B, P)
        Parameters.
    spread : Tensor, (B, P)
        Their standard deviations in step coordinates.
    theta_e : Tensor, (B,), arcsec
        Einstein radius, for where to look for arcs.
    centre : Tensor, (B, 2), arcsec
        Position (x, y) of the lens, for the same.
    candidates : Tensor, (K, B, P), or None
        Several starts to choose from, ``values`` among them.
    """

    values: Tensor
    spread: Tensor
    theta_e: Tensor
    centre: Tensor
    candidates: Tensor | None = None

    def select(self, index: Tensor) -> Start:
        """The start of some lenses, without the candidates."""
        return Start(
            self.values[index], self.spread[index], self.theta_e[index], self.centre[index]
        )


@torch.no_grad()
def encoder_samples(
    encoder: Checkpoint, codec: ParameterCodec, data: ImageData, generator: torch.Generator
) -> Tensor:
    """Samples of the encoder's posterior.

    Parameters
    ----------
    encoder : Checkpoint
        Trained encoder.
    codec : ParameterCodec
        Of its parameters.
    data : ImageData
        The images.
    generator : Generator
        Seeds the samples.

    Returns
    -------
    Tensor, (S, B, P), declared units
        The encoder's own parameters; flux in the units of the data.
    """
    settings = encoder.settings
    features = image_features(data, settings["frame"])
    psf = psf_features(data, settings["psf_frame"])
    seed = int(torch.randint(2**31, (1,), generator=generator))
    draws = []
    with torch.random.fork_rng(devices=[]):
        for i in range(len(data)):
            # The same draws for every lens: its result does not depend on the others.
            torch.manual_seed(seed)
            posterior = encoder.network(features[i : i + 1], psf[i : i + 1])
            draws.append(posterior.sample((_NUM_SAMPLES,)))
    samples = codec.decode(torch.cat(draws, dim=1).clamp(-6, 6), data)
    names = codec.parameters
    # A frame of odd side is half a pixel off the encoder's even one.
    for axis, letter in ((-1, "x0"), (-2, "y0")):
        if (data.image.shape[axis] - settings["frame"]) % 2:
            for key in (letter, LIGHT_PREFIX + letter):
                samples[..., names.index_of(key)] -= 0.5 * data.pixel_scale
    return samples


@torch.no_grad()
def encoder_start(
    encoder: Checkpoint,
    codec: ParameterCodec,
    system: LensSystem,
    data: ImageData,
    generator: torch.Generator,
) -> Start:
    """Mean and spread of the encoder's posterior, for the parameters of ``system``.

    Parameters
    ----------
    encoder : Checkpoint
        Trained encoder.
    codec : ParameterCodec
        Of the encoder's own parameters.
    system : LensSystem
        What is to be fitted; parameters that the encoder does not know start at the
        middle of their prior.
    data : ImageData
        The images.
    generator : Generator
        Seeds the posterior samples.

    Returns
    -------
    Start
    """
    samples = encoder_samples(encoder, codec, data, generator)
    names = codec.parameters
    positive = is_positive(system.parameters, samples)
    # Beside the mean, a small and a large Einstein radius that the posterior allows, each
    # with the other parameters that go with it.
    order = samples[..., names.index_of("theta_E")].argsort(dim=0)
    ends = [order[int(q * (len(order) - 1))] for q in _QUANTILES]
    lens = torch.arange(len(data), device=samples.device)
    places = samples.new_empty(1 + len(ends), len(data), len(system.parameters))
    spread = torch.empty_like(places[0])
    for column, parameter in enumerate(system.parameters):
        if parameter.name in names.names:
            # in the coordinates of this system, whose model may declare another support
            drawn = to_coordinates(
                samples[..., names.index_of(parameter.name)], positive[column]
            )
            places[0, :, column], spread[:, column] = drawn.mean(dim=0), drawn.std(dim=0)
            for number, end in enumerate(ends, start=1):
                places[number, :, column] = drawn[end, lens]
        else:
            edges = to_coordinates(samples.new_tensor(parameter.prior), positive[column])
            places[..., column] = edges.mean()
            spread[:, column] = (edges[1] - edges[0]) / 4
    candidates = from_coordinates(places, positive)
    lowest, highest = system.supports(candidates)
    candidates = torch.minimum(torch.maximum(candidates, lowest), highest)
    theta_e = samples[..., names.index_of("theta_E")].median(dim=0).values
    centre = torch.stack(
        [samples[..., names.index_of(k)].mean(dim=0) for k in ("x0", "y0")], dim=1
    )
    return Start(candidates[0], spread.clamp_min(1e-5), theta_e, centre, candidates)


def known_start(
    start: Start,
    system: LensSystem,
    known: Mapping[str, float],
    unit_flux: list[float],
    symmetries: Sequence[int] = (),
) -> Start:
    """Put known parameters in the place of the encoder's.

    Parameters
    ----------
    start : Start
        The encoder's.
    system : LensSystem
        What the parameters belong to.
    known : mapping of str to float
        All parameters by name, in declared units.
    unit_flux : list of float
        What one flux unit of the tensors is in each observation's own unit.
    symmetries : sequence of int, optional
        How the image of each lens was turned; the parameters are those before.

    Returns
    -------
    Start

    Raises
    ------
    ValueError
        If a parameter is missing from ``known``, or is none of the system's.
    """
    names = system.parameters.names
    missing = [name for name in names if name not in known]
    if missing:
        raise ValueError(f"known must name every parameter, got none for {', '.join(missing)}")
    unknown = sorted(set(known) - set(names))
    if unknown:
        raise ValueError(
            f"known has {', '.join(unknown)}, which {system!r} does not; its parameters are "
            f"{', '.join(names)}"
        )
    values = start.values.clone()
    for column, parameter in enumerate(system.parameters):
        value = torch.full((len(values),), float(known[parameter.name])).to(values)
        if parameter.linear:
            value = value / values.new_tensor(unit_flux)
        values[:, column] = value
    if symmetries:
        values = turn_samples(values, names, symmetries)
    # The source's frame is then chosen from the known lens, not from the encoder's.
    theta_e, centre = start.theta_e, start.centre
    if "theta_E" in names:
        theta_e = values[:, names.index("theta_E")]
    if "x0" in names and "y0" in names:
        centre = values[:, [names.index("x0"), names.index("y0")]]
    return replace(start, values=values, theta_e=theta_e, centre=centre, candidates=None)

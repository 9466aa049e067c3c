"""What the networks are trained to do, on batches straight from a simulator."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any, ClassVar

import astropy.units as u
import torch

from astrorim.lensing.forward import ForwardModel, ImageData, SourceOperator
from astrorim.lensing.interpolation import SourceFrames, SourceSampler
from astrorim.lensing.system import LensSystem
from astrorim.rim import recurrence
from astrorim.rim.codec import ParameterCodec
from astrorim.rim.features import image_features, psf_features
from astrorim.rim.labels import encoder_labels
from astrorim.rim.light_augmentation import LightRange, redraw_light
from astrorim.rim.mask_augmentation import draw_masks
from astrorim.rim.source_frames import frames_from_arcs
from astrorim.rim.symmetries import NUM_SYMMETRIES, transform_image, transform_values

if TYPE_CHECKING:
    from torch import Generator, Tensor, nn

    from astrorim.interfaces import SimulatedLenses

__all__ = [
    "EncoderObjective",
    "Objective",
    "RecurrenceObjective",
    "footprint_errors",
    "image_data",
    "true_source",
]


_USUAL_PIXEL = 0.04  # arcsec


def image_data(simulated: SimulatedLenses) -> ImageData:
    """The images of a simulated batch, as the reconstruction gets them."""
    return ImageData(
        simulated.image,
        simulated.noise,
        torch.ones_like(simulated.image),
        simulated.psf,
        simulated.psf_supersampling,
        simulated.pixel_scale,
    )


def true_source(
    simulated: SimulatedLenses, frames: SourceFrames, supersampling: int = 2
) -> Tensor:
    """True source averaged over the pixels of ``frames``, (B, n, n), flux per arcsec^2."""
    x, y = frames.coordinates(supersampling)
    brightness = simulated.source(x, y)
    return torch.nn.functional.avg_pool2d(brightness[:, None], supersampling)[:, 0]


def footprint_errors(source: Tensor, truth: Tensor) -> Tensor:
    """Relative error of sources where the truth exceeds 1 % of its peak; (B,).

    Parameters
    ----------
    source, truth : Tensor, (B, n, n), flux per arcsec^2
        Both on the same frames.
    """
    peak = truth.amax(dim=(-2, -1), keepdim=True)
    inside = (truth > 0.01 * peak).to(truth.dtype)
    difference = (((source - truth) * inside) ** 2).sum(dim=(-2, -1))
    return (difference / ((truth * inside) ** 2).sum(dim=(-2, -1))).sqrt()


def _operator_between(
    model: ForwardModel,
    frames: SourceFrames,
    right: tuple[Tensor, Tensor],
    wrong: tuple[Tensor, Tensor],
    share: float,
) -> SourceOperator:
    """The map from the source to the image at a share of the way to wrong positions."""
    x, y = (torch.lerp(a, b, share) for a, b in zip(right, wrong, strict=True))
    return SourceOperator(model, SourceSampler(x, y, frames, model.interpolation))


@dataclass(frozen=True)
class Objective(ABC):
    """A loss on a simulated batch.

    Parameters
    ----------
    system : LensSystem
        What the parameter vectors belong to.
    """

    system: LensSystem
    role: ClassVar[str]
    headline: ClassVar[str]

    @abstractmethod
    def loss(
        self, network: nn.Module, simulated: SimulatedLenses, generator: Generator
    ) -> Tensor:
        """Mean loss over a batch, a scalar with gradient."""

    @abstractmethod
    def evaluate(self, network: nn.Module, simulated: SimulatedLenses) -> dict[str, float]:
        """Readable measures on a batch never trained on."""

    def settings(self) -> dict[str, Any]:
        """What a checkpoint must record for inference."""
        return {}


@dataclass(frozen=True)
class EncoderObjective(Objective):
    """Negative log-likelihood of the true parameters under the encoder's posterior.

    Parameters
    ----------
    system : LensSystem
        What the parameter vectors belong to.
    codec : ParameterCodec
        Standardises the parameters.
    frame, psf_frame : int
        Sides of the feature frames, pixels.
    copies : int
        Symmetric copies of each simulated lens with fresh noise in every batch.
    light_range : LightRange or None
        Lens galaxies from a wider range than the simulator's; None to leave them.
    masks : bool
        Whether pixels are masked as in real images.
    """

    codec: ParameterCodec
    frame: int = 96
    psf_frame: int = 21
    copies: int = 2
    light_range: LightRange | None = None
    masks: bool = False
    role: ClassVar[str] = "encoder"
    headline: ClassVar[str] = "theta_E_error"

    def posterior(self, network: nn.Module, data: ImageData) -> Any:
        """Distribution over standardised parameters for a batch of images."""
        return network(image_features(data, self.frame), psf_features(data, self.psf_frame))

    def loss(
        self, network: nn.Module, simulated: SimulatedLenses, generator: Generator
    ) -> Tensor:
        """Mean negative log-likelihood over symmetric copies of the batch."""
        labels = values = encoder_labels(self.system, simulated)
        noise_free, deviation = simulated.noise_free, simulated.noise
        data = image_data(simulated)
        device = data.image.device
        names = self.system.parameters.names
        images, targets = [], []
        for number in range(self.copies):
            if self.light_range is not None:
                with torch.no_grad():
                    values, noise_free, deviation = redraw_light(
                        self.system, simulated, self.light_range, generator, labels
                    )
            # From the seed, so that a GPU need not be waited for.
            symmetry = (generator.initial_seed() + number) % NUM_SYMMETRIES
            # Shallower exposures of the same lens; the noise is redrawn with its level.
            level = torch.rand(len(values), 1, 1, generator=generator, device=device)
            noise = deviation * 10 ** (0.5 * level - 0.1)
            white = torch.randn(noise.shape, generator=generator, device=device)
            image = noise_free + noise * white
            good = data.good
            if self.masks:
                good = draw_masks(image, generator)
            copy = replace(
                data,
                image=transform_image(image, symmetry),
                noise=transform_image(noise, symmetry),
                good=good,
                psf=transform_image(data.psf, symmetry),
            )
            images.append(
                (image_features(copy, self.frame), psf_features(copy, self.psf_frame))
            )
            moved = transform_values(values, names, symmetry)
            targets.append(self.codec.encode(moved, copy))
        features = torch.cat([f for f, _ in images])
        psf = torch.cat([p for _, p in images])
        log_prob = network(features, psf).log_prob(torch.cat(targets))
        return -log_prob.clamp_min(-200).mean()

    def evaluate(self, network: nn.Module, simulated: SimulatedLenses) -> dict[str, float]:
        """Validation loss and the median relative error of theta_E."""
        values = encoder_labels(self.system, simulated)
        data = image_data(simulated)
        posterior = self.posterior(network, data)
        loss = -posterior.log_prob(self.codec.encode(values, data)).mean()
        mean = self.codec.decode(posterior.sample((128,)).mean(dim=0), data)
        column = self.system.parameters.index_of("theta_E")
        error = (mean[:, column] / values[:, column] - 1).abs()
        shape = (mean - values).abs().median(dim=0).values.tolist()
        measures = dict(zip(self.system.parameters.names, shape, strict=True))
        return {"loss": float(loss), "theta_E_error": float(error.median())} | {
            name: measures[name] for name in ("e1", "gamma1", "x0")
        }

    def settings(self) -> dict[str, Any]:
        """Frames and the standardisation."""
        return {
            "frame": self.frame,
            "psf_frame": self.psf_frame,
            "mean": self.codec.mean,
            "std": self.codec.std,
        }


@dataclass(frozen=True)
class RecurrenceObjective(Objective):
    r"""Source error over the steps of the recurrence.

    Half the lenses of a batch are given exactly; the others start with errors like an
    encoder's that shrink from step to step, as they do when the parameters are updated
    between the steps.

    Parameters
    ----------
    system : LensSystem
        What the weights are used with.
    systems : mapping of str to LensSystem, optional
        Complete models of the lenses that are trained on, by the names of their lens
        models; that of ``system`` needs no entry.
    source_size : int
        Side of the source images, pixels.
    num_steps : int
        Steps of the recurrence.
    spread : dict of str to float
        Standard deviation of the start's error of each parameter; relative for
        parameters that must be positive, absolute (in their unit) for the others, lengths
        for pixels of 0.04 arcsec and in proportion to the pixels' side.
    masks : bool
        Whether pixels are masked as in real images.
    """

    systems: Mapping[str, LensSystem] = field(default_factory=dict)
    source_size: int = 64
    num_steps: int = 6
    spread: dict[str, float] | None = None
    masks: bool = False
    role: ClassVar[str] = "recurrence"
    headline: ClassVar[str] = "source_error"

    def system_of(self, simulated: SimulatedLenses) -> LensSystem:
        """The complete model of a batch of lenses.

        Raises
        ------
        ValueError
            If there is none for their lens model.
        """
        known = {self.system.lens.name: self.system, **self.systems}
        if simulated.lens_model not in known:
            raise ValueError(
                f"lenses must be of a model among {', '.join(known)}, got "
                f"{simulated.lens_model!r}; name it in systems"
            )
        return known[simulated.lens_model]

    def _perturbed(
        self, values: Tensor, simulated: SimulatedLenses, generator: Generator
    ) -> Tensor:
        system, number, device = self.system_of(simulated), len(values), values.device
        spread = self.spread or {}
        size = torch.rand(number, generator=generator, device=device) * 1.5
        size = size * (torch.rand(number, generator=generator, device=device) < 0.5)
        pixels = simulated.pixel_scale / _USUAL_PIXEL
        moved = values.clone()
        for index, parameter in enumerate(system.parameters):
            scale = spread.get(parameter.name, 0.0)
            draw = torch.randn(number, generator=generator, device=device) * size * scale
            if parameter.support[0] >= 0:
                draw = draw * values[:, index]
            elif parameter.unit == u.arcsec:
                draw = draw * pixels
            moved[:, index] += draw
        low, high = system.supports(values)
        return torch.minimum(torch.maximum(moved, low), high)

    def unroll(
        self,
        network: nn.Module,
        simulated: SimulatedLenses,
        begin: Tensor | None = None,
        shrink: float = 0.6,
        good: Tensor | None = None,
    ) -> tuple[list[Tensor], Tensor]:
        """Run the recurrence with lens parameters that approach the truth.

        Parameters
        ----------
        network : torch.nn.Module
            The cell.
        simulated : SimulatedLenses
            The lenses.
        begin : Tensor, (B, P), optional
            Parameters at the first step; the true ones by default.
        shrink : float, optional
            Factor on their error from step to step.
        good : Tensor, (B, H, W), optional
            Zero where a pixel is masked; none by default.

        Returns
        -------
        sources : list of Tensor, (B, n, n), flux per arcsec^2
            After each step.
        truth : Tensor, (B, n, n), flux per arcsec^2
            On the same frames.
        """
        system = self.system_of(simulated)
        values = system.stack(simulated.lens, simulated.light)
        data = image_data(simulated)
        if good is not None:
            data = replace(data, good=good)
        with torch.no_grad():
            model = ForwardModel(system, data, light_supersampling=2)
            current = values if begin is None else begin
            light_error = torch.zeros_like(data.image)
            if begin is not None:
                light_error = model.lens_light(current) - model.lens_light(values)
            light = simulated.lens_light + light_error
            theta_e = self.system.parameters.index_of("theta_E")
            frames = frames_from_arcs(
                model,
                current,
                light,
                self.source_size,
                theta_e=encoder_labels(self.system, simulated)[:, theta_e],
                centre=torch.stack([simulated.lens["x0"], simulated.lens["y0"]], dim=1),
            )
            # Traced twice only: in between, errors move the source's positions in proportion.
            right, wrong = model.trace(values), model.trace(current)
            operator = _operator_between(model, frames, right, wrong, 1.0)
            weight = data.weight
            preconditioner = recurrence.Preconditioner.of(operator, weight)
            arcs = data.image - light
            projection = preconditioner.back_projection(operator, weight * arcs)
            truth = true_source(simulated, frames)
        state = recurrence.start(network, projection)
        sources = []
        for number in range(self.num_steps):
            if begin is not None and number > 0:
                factor = shrink**number
                with torch.no_grad():
                    operator = _operator_between(model, frames, right, wrong, factor)
                    arcs = data.image - simulated.lens_light - factor * light_error
            state = recurrence.step(network, state, operator, preconditioner, weight, arcs)
            sources.append(state.brightness)
        return sources, truth

    def loss(
        self, network: nn.Module, simulated: SimulatedLenses, generator: Generator
    ) -> Tensor:
        """Relative squared error, the footprint weighted five times, later steps more."""
        values = self.system_of(simulated).stack(simulated.lens, simulated.light)
        begin = self._perturbed(values, simulated, generator)
        good = draw_masks(simulated.image, generator) if self.masks else None
        sources, truth = self.unroll(network, simulated, begin, good=good)
        peak = truth.amax(dim=(-2, -1), keepdim=True)
        emphasis = 1 + 4 * (truth > 0.01 * peak).to(truth.dtype)
        norm = (truth**2).sum(dim=(-2, -1)).clamp_min(1e-30)
        total = truth.new_zeros(())
        for number, source in enumerate(sources, start=1):
            error = (emphasis * (source - truth) ** 2).sum(dim=(-2, -1)) / norm
            total = total + number / len(sources) * error.clamp_max(20).mean()
        return total / len(sources)

    def evaluate(self, network: nn.Module, simulated: SimulatedLenses) -> dict[str, float]:
        """Median source error, the lens given, at the first, middle and last step."""
        sources, truth = self.unroll(network, simulated)
        medians = [float(footprint_errors(s, truth).median()) for s in sources]
        return {
            "source_error_first": medians[0],
            "source_error_middle": medians[len(medians) // 2],
            "source_error": medians[-1],
        }

    def settings(self) -> dict[str, Any]:
        """Size of the source and number of steps."""
        return {"source_size": self.source_size, "num_steps": self.num_steps}

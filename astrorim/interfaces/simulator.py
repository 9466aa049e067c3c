"""The interface of simulators, and what a simulator draws."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, ClassVar

if TYPE_CHECKING:
    from torch import Tensor

    from astrorim.parameters import Parameter

__all__ = ["SimulatedLenses", "Simulator"]


@dataclass(frozen=True)
class SimulatedLenses:
    """A batch of simulated observations with their truth.

    Parameters
    ----------
    image : Tensor, (B, H, W), counts
        Data as a telescope gives them, sky subtracted where the simulator says so.
    noise : Tensor, (B, H, W), counts
        Standard deviation of each pixel, from the noise-free image.
    psf : Tensor, (B, K, K)
        Kernel handed to the observer, sum one, sampled ``psf_supersampling`` times finer
        than the detector.
    psf_supersampling : int
        Number of kernel elements along the side of a detector pixel.
    pixel_scale : Tensor, (B,), arcsec
        Side of a detector pixel.
    noise_free : Tensor, (B, H, W), counts
        Image without noise and sky: arcs plus lens light, PSF applied.
    lens_light : Tensor, (B, H, W), counts
        The lens galaxy's part of ``noise_free``.
    lens_model : str
        Name of the lens model, as the registry resolves it, for example ``"sie+shear"``.
    light_model : str
        Name of the lens-light model, for example ``"sersic"``.
    lens : mapping of str to Tensor, (B,)
        Lens parameters by name, in the units that the model declares.
    light : mapping of str to Tensor, (B,)
        Lens-light parameters by name.
    source : callable
        ``source(x, y)`` gives the source's surface brightness, counts per arcsec^2, at
        positions ``(B, ...)``, arcsec, of the source plane.
    source_image : Tensor, (B, n, n), counts per arcsec^2
        The source averaged over the pixels of the truth's grid.
    source_pixel_scale : Tensor, (B,), arcsec
        Side of a pixel of ``source_image``.
    source_centre : Tensor, (B, 2), arcsec
        Position (x, y) of the centre of ``source_image``.
    metadata : mapping of str to Tensor, (B,)
        Everything else drawn: redshifts, magnitudes, exposure, gain, sky and so on; and
        ``effect_<name>``, one where an effect was applied and zero where not.
    seed : int
        Seed of the dataset.
    index : Tensor, (B,)
        Number of each lens in the dataset; a lens depends on (seed, index) alone.
    simulator : str, optional
        Name of the simulator.
    other_light : Tensor, (B, H, W), counts, optional
        Part of ``noise_free`` that is neither arcs nor the lens galaxy: neighbours, field
        stars, the light of a second deflector. None where there is none.
    rendering_psf : Tensor, (B, K, K), optional
        Kernel that the images were rendered with, sampled like ``psf``; None where it is
        ``psf`` itself.
    cosmic_rays : Tensor, (B, H, W), bool, optional
        Pixels hit by cosmic rays; None where there are none.
    noise_kernel : Tensor, (B, N, N), optional
        Noise divided by its standard deviation is white noise convolved with this kernel,
        whose squares sum to one; N is odd. None for white noise.
    """

    image: Tensor
    noise: Tensor
    psf: Tensor
    psf_supersampling: int
    pixel_scale: Tensor
    noise_free: Tensor
    lens_light: Tensor
    lens_model: str
    light_model: str
    lens: Mapping[str, Tensor]
    light: Mapping[str, Tensor]
    source: Callable[[Tensor, Tensor], Tensor]
    source_image: Tensor
    source_pixel_scale: Tensor
    source_centre: Tensor
    seed: int
    index: Tensor
    metadata: Mapping[str, Tensor] = field(default_factory=dict)
    simulator: str = ""
    other_light: Tensor | None = None
    rendering_psf: Tensor | None = None
    cosmic_rays: Tensor | None = None
    noise_kernel: Tensor | None = None

    def __len__(self) -> int:
        return int(self.image.shape[0])


class Simulator(ABC):
    """Draws strong lenses from a declared population and renders them."""

    name: ClassVar[str]
    """Name under which the simulator is registered, for example ``"foundation"``."""

    aliases: ClassVar[tuple[str, ...]] = ()
    """Other names of the same simulator."""

    description: ClassVar[str]
    """One line: what the simulator is for."""

    lens_model: ClassVar[str]
    """Name of the lens model that it draws, for example ``"sie+shear"``."""

    light_model: ClassVar[str]
    """Name of the lens-light model that it draws, for example ``"sersic"``."""

    parameters: ClassVar[tuple[Parameter, ...]]
    """What the population draws; the prior of each is its range."""

    pixel_scales: ClassVar[tuple[float, ...]] = ()
    """Sides of the detector pixels of the instruments that it draws, arcsec; empty for a
    simulator without scales of its own."""

    @abstractmethod
    def simulate(
        self,
        number: int,
        *,
        seed: int,
        start: int = 0,
        shape: tuple[int, int] = (96, 96),
        pixel_scale: float | None = None,
        supersampling: int = 4,
        device: str = "cpu",
    ) -> SimulatedLenses:
        """Draw and render the lenses ``start`` to ``start + number - 1`` of a dataset.

        Parameters
        ----------
        number : int
            Batch size B.
        seed : int
            Seed of the dataset. Training uses seeds below 10^9, evaluation above.
        start : int, optional
            Number of the first lens.
        shape : tuple of int, optional
            Frame, ``(ny, nx)``, detector pixels.
        pixel_scale : float, optional
            Side of a detector pixel, arcsec; the simulator's own by default.
        supersampling : int, optional
            Sub-pixels along the side of a pixel when rendering.
        device : str, optional
            Where the tensors live.

        Returns
        -------
        SimulatedLenses
            float32; on a processor the same bits for a lens whatever the batch that it is
            in, on a GPU the same to rounding.
        """

"""The `foundation` simulator: a baseline of space-like images with strong arcs."""

from __future__ import annotations

import math
from collections.abc import Mapping
from functools import partial
from typing import TYPE_CHECKING, ClassVar

import torch

from astrorim.exceptions import SimulationError
from astrorim.interfaces import SimulatedLenses, Simulator
from astrorim.plugins import load_plugins
from astrorim_plugins.simulators.einstein_radius import effective_einstein_radius
from astrorim_plugins.simulators.noise import noise_deviation, observe
from astrorim_plugins.simulators.photometry import (
    arc_visibility,
    counts_from_magnitude,
    first_visible,
)
from astrorim_plugins.simulators.population import Population, draw_population
from astrorim_plugins.simulators.random_streams import RandomStreams, box_muller
from astrorim_plugins.simulators.ranges import POPULATION
from astrorim_plugins.simulators.rendering import SuperGrid, even_length, separable_collect

if TYPE_CHECKING:
    from torch import Tensor

    from astrorim.parameters import Parameter

__all__ = ["Foundation"]

GAIN = 1.5
"""Electrons per count."""

PIXEL_SCALE = 0.04
"""Side of a detector pixel, arcsec."""

VISIBILITY = 0.35
"""Arc visibility below which the lens light's magnitude is drawn again."""

_SOURCE_SIZE = 128
_SOURCE_SCALE = 0.75
_LIGHT_SUPERSAMPLING = 4
_VECTOR = 16
"""Draws are made for a multiple of this many lenses, so that every number comes from the
vector instructions of the processor and never from the scalar ones, which may differ in the
last bit. Rendering works on tiles of a fixed number of lenses for the same reason."""
_CPU_TILE = 1
_GPU_TILE = 16


class Foundation(Simulator):
    """Space-like images of elliptical lenses with shear and strong, visible arcs.

    Parameters
    ----------
    sky_subtracted : bool, optional
        Whether the mean sky is taken off the image.
    wide_clumps : bool, optional
        Scatter the source's clumps over the frame, as separate background sources,
        instead of within two half-light radii of its centre.
    lens_model : str, optional
        Name of any registered lens model. Parameters that the population does not know
        are drawn uniformly from their declared prior.

    Raises
    ------
    UnknownNameError
        If the lens model is not registered.
    """

    name = "foundation"
    aliases = ("v1",)
    description = "foundation baseline with strong arcs"
    lens_model: ClassVar[str] = "sie+shear"
    light_model: ClassVar[str] = "sersic"
    parameters: ClassVar[tuple[Parameter, ...]] = tuple(POPULATION)

    def __init__(
        self,
        *,
        sky_subtracted: bool = True,
        wide_clumps: bool = False,
        lens_model: str = "sie+shear",
    ) -> None:
        self.sky_subtracted = bool(sky_subtracted)
        self.wide_clumps = bool(wide_clumps)
        plugins = load_plugins()
        self._lens = plugins.lens_models.resolve(lens_model)
        self._light = plugins.light_models.create(self.light_model)
        self._psf = plugins.psfs.create("gaussian")
        self.lens_model = plugins.lens_models.canonical_name(lens_model)  # type: ignore[misc]

    def draw(
        self, number: int, *, seed: int, start: int = 0, device: str = "cpu"
    ) -> Population:
        """Draw lenses without rendering them.

        Parameters
        ----------
        number : int
            Batch size B.
        seed : int
            Seed of the dataset.
        start : int, optional
            Number of the first lens.
        device : str, optional
            Where the tensors live.

        Returns
        -------
        Population
            float64, for at least ``number`` lenses: the batch is filled up to a multiple
            of 16.
        """
        _check_numbers(number, start)
        padded = math.ceil(number / _VECTOR) * _VECTOR
        index = torch.arange(start, start + padded, dtype=torch.int64, device=device)
        return draw_population(
            RandomStreams(seed, index), self._lens, self._light, wide_clumps=self.wide_clumps
        )

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
        """Draw and render lenses; see `Simulator.simulate`.

        The source and its truth stay the same, in arcsec, when ``pixel_scale`` changes;
        the sky follows the solid angle of a pixel.

        Raises
        ------
        SimulationError
            If a number, the shape, the pixel scale or the supersampling cannot be used.
        """
        scale = PIXEL_SCALE if pixel_scale is None else float(pixel_scale)
        _check_frame(shape, scale, supersampling)
        population = self.draw(number, seed=seed, start=start, device=device)
        grid, kernel_size = self._super_grid(
            (int(shape[0]), int(shape[1])), scale, supersampling
        )
        index = torch.arange(start, start + number, dtype=torch.int64, device=device)
        return self._render(population, grid, kernel_size, seed, index)

    def _render(
        self,
        population: Population,
        grid: SuperGrid,
        kernel_size: int,
        seed: int,
        index: Tensor,
    ) -> SimulatedLenses:
        number, device = len(index), index.device
        scale, supersampling = grid.pixel_scale, grid.supersampling
        values = population.values
        exposure = values["exposure"]
        source_counts = counts_from_magnitude(values["source_magnitude"], exposure)
        source_magnitude = values["source_magnitude"][:, None]
        light_magnitudes = source_magnitude + population.magnitude_differences
        light_counts = counts_from_magnitude(light_magnitudes, exposure[:, None])
        sky = values["sky"] * (scale / PIXEL_SCALE) ** 2

        # From here on float32; each tile holds the same number of lenses whatever the batch.
        tile = _CPU_TILE if device.type == "cpu" else _GPU_TILE
        lens = _single(population.lens)
        light = _single(population.light)
        source = population.source.to(torch.float32)
        fwhm = values["psf_fwhm"].to(torch.float32)
        x, y = grid.positions(tile, device)
        sampling = torch.full((tile,), grid.spacing, dtype=torch.float32, device=device)
        axis = _source_axis(scale, device)
        fractions, kernels, source_images = [], [], []
        for first in range(0, number, tile):
            rows = slice(first, first + tile)
            mass = {name: value[rows, None, None] for name, value in lens.items()}
            glow = {name: value[rows, None, None] for name, value in light.items()}
            own = source.select(rows)
            alpha_x, alpha_y = self._lens.deflection(x, y, mass)
            arcs = grid.frame(own(x - alpha_x, y - alpha_y))
            galaxy = grid.frame(self._light.surface_brightness(x, y, glow)).contiguous()
            if supersampling < _LIGHT_SUPERSAMPLING:
                brightness = partial(self._light.surface_brightness, params=glow)
                factor = _LIGHT_SUPERSAMPLING // supersampling
                grid.refine_core(galaxy, brightness, factor=factor)
            kernel = self._psf_kernel(sampling, kernel_size, fwhm[rows])
            fractions.append(separable_collect(torch.stack([arcs, galaxy], 1), kernel, grid))
            kernels.append(kernel)
            source_images.append(own.image(axis, _SOURCE_SCALE * scale))

        fraction = torch.cat(fractions)[:number]
        keep = slice(0, number)
        visibility = arc_visibility(fraction[:, 0], fraction[:, 1])[:, None] * (
            source_counts[keep, None] / light_counts[keep]
        ).to(torch.float32)
        chosen, visible = first_visible(visibility, VISIBILITY)
        pick = chosen[:, None]
        light_flux = light_counts[keep].gather(1, pick)[:, 0].to(torch.float32)
        source_flux = source_counts[keep].to(torch.float32)
        arcs = fraction[:, 0] * source_flux[:, None, None]
        lens_light = fraction[:, 1] * light_flux[:, None, None]
        noise_free = arcs + lens_light

        image, noise = self._expose(noise_free, values, sky, seed, index)
        light = {name: value[keep] for name, value in light.items()}
        light["amplitude"] = light["amplitude"] * light_flux
        radius = effective_einstein_radius(self._lens, population.lens)
        final = source.select(keep).scaled(source_flux)
        metadata = {
            **{name: value[keep] for name, value in values.items() if name in _RECORDED},
            "lens_magnitude": light_magnitudes[keep].gather(1, pick)[:, 0],
            "gain": torch.full_like(exposure[keep], GAIN),
            "sky": sky[keep],
            "effective_einstein_radius": radius[keep],
            "arc_visibility": visibility.gather(1, pick)[:, 0],
            "arcs_visible": visible,
            "lens_magnitude_redraws": chosen,
            "magnification": fraction[:, 0].sum(dim=(1, 2)),
            "sky_subtracted": torch.full_like(chosen, int(self.sky_subtracted)),
            **final.components(),
        }
        return SimulatedLenses(
            image=image,
            noise=noise,
            psf=torch.cat(kernels)[:number],
            psf_supersampling=supersampling,
            pixel_scale=torch.full((number,), scale, dtype=torch.float32, device=device),
            noise_free=noise_free,
            lens_light=lens_light,
            lens_model=self.lens_model,
            light_model=self.light_model,
            lens={name: value[keep] for name, value in lens.items()},
            light=light,
            source=final,
            source_image=torch.cat(source_images)[:number] * source_flux[:, None, None],
            source_pixel_scale=torch.full(
                (number,), _SOURCE_SCALE * scale, dtype=torch.float32, device=device
            ),
            source_centre=torch.zeros((number, 2), dtype=torch.float32, device=device),
            seed=seed,
            index=index,
            metadata={name: value.to(torch.float32) for name, value in metadata.items()},
        )

    def _super_grid(
        self, shape: tuple[int, int], scale: float, supersampling: int
    ) -> tuple[SuperGrid, int]:
        """Sub-pixels, and the kernel's size, for the broadest PSF of the population."""
        spacing = torch.tensor([scale / supersampling], dtype=torch.float64)
        widest = torch.tensor([POPULATION.by_name("psf_fwhm").prior[1]], dtype=torch.float64)
        zero = torch.zeros_like(widest)
        size = self._psf.size_for(spacing, {"fwhm": widest, "ellipticity": zero, "angle": zero})
        margin = math.ceil(size // 2 / supersampling)
        return SuperGrid(shape, scale, supersampling, margin), size

    def _psf_kernel(self, sampling: Tensor, size: int, fwhm: Tensor) -> Tensor:
        zero = torch.zeros_like(fwhm)
        return self._psf.kernel(
            sampling, size, {"fwhm": fwhm, "ellipticity": zero, "angle": zero}
        )

    def _expose(
        self,
        noise_free: Tensor,
        values: Mapping[str, Tensor],
        sky: Tensor,
        seed: int,
        index: Tensor,
    ) -> tuple[Tensor, Tensor]:
        """Image as a telescope gives it, and its standard deviation."""
        number, pixels = len(noise_free), noise_free[0].numel()
        half = even_length(math.ceil(pixels / 2))
        words = RandomStreams(seed, index).words(
            {"photon_noise": 2 * half, "pixel_read_noise": 2 * half}
        )
        images, noises = [], []
        for i in range(number):
            row = slice(i, i + 1)
            read_noise = values["read_noise"][row, None, None].to(torch.float32)
            level = (sky[row] * values["exposure"][row])[:, None, None].to(torch.float32)
            expected = noise_free[row] + level
            photon, read = (
                box_muller(words[name][row])[:, :pixels].view_as(expected)
                for name in ("photon_noise", "pixel_read_noise")
            )
            gain = torch.full_like(read_noise, GAIN)
            image = observe(expected, gain, read_noise, photon, read)
            images.append(image - level if self.sky_subtracted else image)
            noises.append(noise_deviation(expected, gain, read_noise))
        return torch.cat(images), torch.cat(noises)


_RECORDED = (
    "z_lens",
    "z_source",
    "source_magnitude",
    "exposure",
    "read_noise",
    "psf_fwhm",
)


def _single(values: Mapping[str, Tensor]) -> dict[str, Tensor]:
    return {name: value.to(torch.float32) for name, value in values.items()}


def _source_axis(scale: float, device: torch.device) -> Tensor:
    """Centres of the columns of the truth's grid, arcsec."""
    steps = torch.arange(_SOURCE_SIZE, dtype=torch.float64, device=device)
    return ((steps - (_SOURCE_SIZE - 1) / 2) * (_SOURCE_SCALE * scale)).to(torch.float32)


def _check_numbers(number: int, start: int) -> None:
    for label, value, least in (("number", number, 1), ("start", start, 0)):
        if int(value) != value or value < least:
            raise SimulationError(
                f"{label} must be an integer of at least {least}, got {value!r}"
            )


def _check_frame(shape: tuple[int, int], scale: float, supersampling: int) -> None:
    if len(shape) != 2 or any(int(n) != n or n < 1 for n in shape):
        raise SimulationError(f"shape must be (ny, nx), two positive integers, got {shape!r}")
    if not (math.isfinite(scale) and scale > 0):
        raise SimulationError(f"pixel_scale must be positive, in arcsec, got {scale!r}")
    if supersampling not in (1, 2, 4):
        raise SimulationError(f"supersampling must be 1, 2 or 4, got {supersampling!r}")

"""From drawn lenses to images: ray tracing, optics, detector."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any

import torch

from astrorim_plugins.simulators.declaration import EFFECTS
from astrorim_plugins.simulators.deflection import deflection_of_present
from astrorim_plugins.simulators.detector import Detector
from astrorim_plugins.simulators.distributions import Cases, OneOf
from astrorim_plugins.simulators.draws.light import draw_neighbours
from astrorim_plugins.simulators.draws.source import source_frame
from astrorim_plugins.simulators.einstein_radius import effective_einstein_radius
from astrorim_plugins.simulators.field_objects import add_objects, moffat_brightness
from astrorim_plugins.simulators.optics import kernel_size, psf_kernel, with_coma
from astrorim_plugins.simulators.photometry import (
    arc_visibility,
    counts_from_magnitude,
    first_accepted,
)
from astrorim_plugins.simulators.rendering import (
    SuperGrid,
    fourier_collect,
    separable_collect,
)

if TYPE_CHECKING:
    from torch import Tensor

    from astrorim.interfaces import LensModel, LightModel
    from astrorim_plugins.simulators.declaration import Declaration
    from astrorim_plugins.simulators.draws import Population
    from astrorim_plugins.simulators.random_streams import RandomStreams

__all__ = ["Observatory", "Optics"]

_SOURCE_SIZE = 128
_LIGHT_SPACING = 0.01
"""Distance, arcsec, of the points in the cores of galaxies. The sum over points of a steep
profile, a Sersic index of five and a half-light radius of 0.2 arcsec, is right to 1 %."""
_ROUNDING = 1e-6
_MOST_PIXELS = 64
"""Largest kernel, detector pixels across."""


@dataclass(frozen=True)
class Optics:
    """A telescope with one kind of PSF.

    Parameters
    ----------
    instrument : int
        Number of the instrument in the declaration.
    kind : str
        Kind of the PSF.
    grid : SuperGrid
        Sub-pixels, with a margin for the broadest PSF of the population.
    size : int
        Kernel's side, sub-pixels.
    separable : bool
        Whether the kernels are products of two profiles.
    """

    instrument: int
    kind: str
    grid: SuperGrid
    size: int
    separable: bool


@dataclass(frozen=True)
class Observatory:
    """Telescopes of a declaration, looking at lenses.

    Parameters
    ----------
    declaration : Declaration
        What is drawn.
    lens_model : LensModel
        The mass.
    light_model : LightModel
        The Sersic profile.
    shape : tuple of int
        Frame, ``(ny, nx)``, pixels.
    pixel_scale : float or None
        Side of a pixel, arcsec, instead of the instruments' own.
    supersampling : int
        Sub-pixels along the side of a pixel.
    sky_subtracted : bool
        Whether the mean sky is taken off.
    detector_seed : int
        Seed of the detector's fixed pattern.
    """

    declaration: Declaration
    lens_model: LensModel
    light_model: LightModel
    shape: tuple[int, int]
    pixel_scale: float | None
    supersampling: int
    sky_subtracted: bool
    detector_seed: int

    @cached_property
    def optics(self) -> dict[tuple[int, int], Optics]:
        """Every telescope, by the numbers of its instrument and of its kind of PSF."""
        kinds = self._kinds
        return {
            (i, j): self._make_optics(i, kind)
            for i in range(len(self.declaration.instruments))
            for j, kind in enumerate(kinds)
        }

    @property
    def _kinds(self) -> tuple[str, ...]:
        if "psf_kind" not in self.declaration:
            return ("gaussian",)
        distribution = self.declaration["psf_kind"].distribution
        return distribution.names if isinstance(distribution, OneOf) else ("gaussian",)

    def _make_optics(self, instrument: int, kind: str) -> Optics:
        scale = self.pixel_scale
        if scale is None:
            scale = self.declaration.instruments[instrument].pixel_scale
        widest = {"fwhm": self._limit("psf_fwhm", instrument, 1)}
        widest["ellipticity"] = self._limit("psf_ellipticity", instrument, 1)
        if kind == "moffat":
            widest["beta"] = self._limit("psf_beta", instrument, 0)
        if "has_psf_mismatch" in self.declaration:
            widest["fwhm"] *= self._limit("mismatch_fwhm_ratio", instrument, 1)
        most = _MOST_PIXELS * self.supersampling + 1
        spacing = scale / self.supersampling
        size = kernel_size(kind, spacing, widest, most)
        margin = math.ceil(size // 2 / self.supersampling)
        grid = SuperGrid(self.shape, scale, self.supersampling, margin)
        round_gaussian = kind == "gaussian" and "psf_ellipticity" not in self.declaration
        return Optics(instrument, kind, grid, size, round_gaussian)

    def _limit(self, name: str, instrument: int, which: int) -> float:
        """Least (0) or largest (1) value of a quantity for an instrument."""
        if name not in self.declaration:
            return 0.0
        distribution = self.declaration[name].distribution
        if isinstance(distribution, Cases):
            distribution = distribution.cases[instrument]
        return distribution.interval[which]

    @property
    def _psf_size(self) -> int:
        return max(optics.size for optics in self.optics.values())

    def optics_of(self, population: Population) -> list[tuple[int, int]]:
        """Numbers of the instrument and of the kind of PSF of each lens."""
        zero = torch.zeros(len(population), dtype=torch.int64)
        instrument, kind = (
            population.values[name].to(torch.int64).cpu() if name in population.values else zero
            for name in ("instrument", "psf_kind")
        )
        return list(zip(instrument.tolist(), kind.tolist(), strict=True))

    def observe(
        self, population: Population, key: tuple[int, int], streams: RandomStreams
    ) -> dict[str, Any]:
        """Images of lenses that the same telescope looks at.

        Parameters
        ----------
        population : Population
            The lenses, float64.
        key : tuple of int
            Instrument and kind of PSF.
        streams : RandomStreams
            Random numbers of these lenses.

        Returns
        -------
        dict
            Fields of `SimulatedLenses`, as tensors; those that are empty do not apply.
        """
        optics = self.optics[key]
        values = population.values
        exposure = values["exposure"]
        source_counts = counts_from_magnitude(values["source_magnitude"], exposure)
        magnitudes = values["source_magnitude"][:, None] + population.magnitude_differences
        light_counts = counts_from_magnitude(magnitudes, exposure[:, None])

        # From here on float32.
        lens, light = _single(population.lens), _single(population.light)
        source = population.source.to(torch.float32)
        own = _single(values)
        kernel = self._kernel(optics, own)
        scenes = self._scenes(optics, population, lens, light, source)
        collect = separable_collect if optics.separable else fourier_collect
        collected = collect(torch.stack(list(scenes.values()), dim=1), kernel, optics.grid)
        fraction = dict(zip(scenes, collected.unbind(dim=1), strict=True))

        ratio = (source_counts[:, None] / light_counts).to(torch.float32)
        visibility = arc_visibility(fraction["arcs"], fraction["galaxy"])[:, None] * ratio
        chosen, visible = first_accepted(self._accepted(visibility, own))
        pick = chosen[:, None]
        light_flux = light_counts.gather(1, pick)[:, 0].to(torch.float32)
        if "matched_visibility" in own:
            match = visibility.gather(1, pick)[:, 0] / own["matched_visibility"]
            light_flux = light_flux * match
            magnitudes = magnitudes - 2.5 * torch.log10(match)[:, None]
            visibility = visibility / match[:, None]
            visible = torch.ones_like(visible)
        source_flux = source_counts.to(torch.float32)
        arcs = fraction["arcs"] * source_flux[:, None, None]
        lens_light = fraction["galaxy"] * light_flux[:, None, None]
        noise_free = arcs + lens_light
        empty = noise_free.new_zeros((len(population), 0))
        other_light = empty
        if self._has_others:
            other_light = torch.zeros_like(noise_free)
            if "second" in fraction:
                other_light += fraction["second"] * light_flux[:, None, None]
            if "field" in fraction:
                other_light += fraction["field"]
            noise_free = noise_free + other_light

        detector = Detector(
            self.declaration,
            self.shape,
            detector_seed=self.detector_seed,
            sky_subtracted=self.sky_subtracted,
        )
        exposed = detector.expose(noise_free, own, self._sky(own, key[0]), streams)
        final = source.scaled(source_flux)
        centre, scale = source_frame(final, _SOURCE_SIZE)
        radius = effective_einstein_radius(self.lens_model, population.lens)
        signal = (arcs / exposed.noise).square().sum(dim=(1, 2)).sqrt()
        metadata = {
            **{name: value for name, value in own.items() if name not in lens},
            "drawn_theta_E": own["theta_E"],
            "lens_magnitude": magnitudes.gather(1, pick)[:, 0],
            "gain": torch.full_like(exposure, self.declaration.gain),
            "sky": self._sky(own, key[0]),
            "effective_einstein_radius": radius,
            "arc_visibility": visibility.gather(1, pick)[:, 0],
            "arcs_visible": visible,
            "lens_magnitude_redraws": chosen,
            "magnification": fraction["arcs"].sum(dim=(1, 2)),
            "signal_to_noise": signal,
            "sky_subtracted": torch.full_like(chosen, int(self.sky_subtracted)),
            **self._effects(own, optics, galaxies=source.galaxies is not None),
        }
        handed = self._handed_kernel(optics, own)
        return {
            "image": exposed.image,
            "noise": exposed.noise,
            "psf": self._padded(kernel if handed is None else handed),
            "rendering_psf": empty if handed is None else self._padded(kernel),
            "cosmic_rays": empty if exposed.cosmic_rays is None else exposed.cosmic_rays,
            "noise_kernel": empty if exposed.noise_kernel is None else exposed.noise_kernel,
            "pixel_scale": torch.full_like(source_flux, optics.grid.pixel_scale),
            "noise_free": noise_free,
            "lens_light": lens_light,
            "other_light": other_light,
            "lens": lens,
            "light": light | {"amplitude": light["amplitude"] * light_flux},
            "source": final,
            "source_image": final.image(centre, scale, _SOURCE_SIZE),
            "source_pixel_scale": scale,
            "source_centre": centre,
            "metadata": {name: value.to(torch.float32) for name, value in metadata.items()},
        }

    @property
    def _has_others(self) -> bool:
        return any(name in self.declaration for name in ("has_second", "has_neighbours"))

    def _scenes(
        self,
        optics: Optics,
        population: Population,
        lens: Mapping[str, Tensor],
        light: Mapping[str, Tensor],
        source: Any,
    ) -> dict[str, Tensor]:
        """Surface brightness on the sub-pixels, (B, H', W'), for a flux of one each."""
        grid = optics.grid
        x, y = grid.meshes(len(population), population.magnitude_differences.device)
        mass = {name: value[:, None, None] for name, value in lens.items()}
        alpha_x, alpha_y = deflection_of_present(self.lens_model, x, y, mass)
        glow = {name: value[:, None, None] for name, value in light.items()}
        scenes = {
            "arcs": source(x - alpha_x, y - alpha_y),
            "galaxy": self._galaxy(grid, x, y, glow),
        }
        second = _single(population.second_light)
        if second and bool((second["amplitude"] != 0).any()):
            own = {name: value[:, :, None] for name, value in second.items()}
            scenes["second"] = self._galaxy(grid, x, y, own)
        if "has_neighbours" in population.values:
            scenes["field"] = self._field(optics, population, like=x)
        return scenes

    def _galaxy(
        self, grid: SuperGrid, x: Tensor, y: Tensor, params: Mapping[str, Tensor]
    ) -> Tensor:
        image = self.light_model.surface_brightness(x, y, params)
        factor = math.ceil(grid.spacing / _LIGHT_SPACING - _ROUNDING)
        if factor > 1:
            grid.refine_core(
                image,
                lambda fine_x, fine_y: self.light_model.surface_brightness(
                    fine_x, fine_y, params
                ),
                factor=factor,
                centre=(params["x0"].view(-1), params["y0"].view(-1)),
            )
        return image

    def _field(self, optics: Optics, population: Population, *, like: Tensor) -> Tensor:
        ny, nx = self.shape
        grid = optics.grid
        frame = torch.tensor([nx, ny]) * grid.pixel_scale
        # Brightness as on the instrument's own pixels, whatever pixels are asked for.
        own = self.declaration.instruments[optics.instrument].pixel_scale
        sub_pixel = torch.full_like(population.values["z_lens"], own / 4)
        galaxies, stars = draw_neighbours(population.drawn, population.values, frame, sub_pixel)
        scene = torch.zeros_like(like.expand(len(population), *like.shape[1:])).contiguous()
        add_objects(scene, grid, _single(galaxies), self.light_model.surface_brightness)
        if stars:
            add_objects(scene, grid, _single(stars), moffat_brightness)
        return scene

    def _accepted(self, visibility: Tensor, values: Mapping[str, Tensor]) -> Tensor:
        """Draws of the lens light that make the arcs as visible as wanted, (B, n)."""
        rule = self.declaration.visibility
        if "target_visibility" in values:
            return (visibility - values["target_visibility"][:, None]).abs() <= rule.tolerance
        accepted = visibility >= rule.least
        if "wants_visible_arcs" in values:
            accepted = accepted | (values["wants_visible_arcs"][:, None] == 0)
        return accepted

    def _sky(self, values: Mapping[str, Tensor], instrument: int) -> Tensor:
        """Sky in a detector pixel, (B,), counts/s."""
        own = self.declaration.instruments[instrument].pixel_scale
        return values["sky"] * (values["pixel_scale"] / own) ** 2

    def _kernel(self, optics: Optics, values: Mapping[str, Tensor]) -> Tensor:
        zero = torch.zeros_like(values["psf_fwhm"])
        params = {
            "fwhm": values["psf_fwhm"],
            "ellipticity": values.get("psf_ellipticity", zero),
            "angle": values.get("psf_angle", zero),
        }
        if optics.kind == "moffat":
            params["beta"] = values["psf_beta"]
        return self._kernel_of(optics, params, values)

    def _handed_kernel(self, optics: Optics, values: Mapping[str, Tensor]) -> Tensor | None:
        """Kernel that the observer is given, where it may differ from the image's."""
        if "has_psf_mismatch" not in values:
            return None
        wrong = values["has_psf_mismatch"]
        # A negative ellipticity is a positive one across; only its modulus is kept.
        ellipticity = values["psf_ellipticity"] + wrong * values["mismatch_ellipticity"]
        params = {
            "fwhm": values["psf_fwhm"] * (1 + wrong * (values["mismatch_fwhm_ratio"] - 1)),
            "ellipticity": ellipticity.abs(),
            "angle": values["psf_angle"] + wrong * values["mismatch_angle"],
        }
        if optics.kind == "moffat":
            params["beta"] = values["psf_beta"]
        return self._kernel_of(optics, params, values)

    def _kernel_of(
        self, optics: Optics, params: dict[str, Tensor], values: Mapping[str, Tensor]
    ) -> Tensor:
        sampling = torch.full_like(params["fwhm"], optics.grid.spacing)
        kernel = psf_kernel(optics.kind, sampling, optics.size, params)
        if "has_coma" in values and optics.kind != "airy":
            comatic = with_coma(kernel, sampling, params["fwhm"])
            kernel = torch.where(values["has_coma"][:, None, None] > 0, comatic, kernel)
        return kernel

    def _padded(self, kernel: Tensor) -> Tensor:
        """Kernel with zeros around it, as wide as the widest of the population."""
        border = (self._psf_size - kernel.shape[-1]) // 2
        return torch.nn.functional.pad(kernel, (border,) * 4)

    def _effects(
        self, values: Mapping[str, Tensor], optics: Optics, *, galaxies: bool
    ) -> dict[str, Tensor]:
        """Which effects were applied: zeros and ones, (B,)."""
        applied = {}
        for effect, names in EFFECTS.items():
            present = [values[name] != 0 for name in names if name in values]
            if present:
                applied[effect] = torch.stack(present).any(dim=0)
        if "subhalos" in applied:
            applied["subhalos"] = applied["subhalos"] & (values["num_subhalos"] > 0)
        if "coma" in applied and optics.kind == "airy":
            applied["coma"] = torch.zeros_like(applied["coma"])
        if "sky_residual" in applied and not self.sky_subtracted:
            applied["sky_residual"] = torch.zeros_like(applied["sky_residual"])
        if "spiral" in applied and galaxies:
            applied["spiral"] = torch.zeros_like(applied["spiral"])
        return {f"effect_{name}": value for name, value in applied.items()}


def _single(values: Mapping[str, Tensor]) -> dict[str, Tensor]:
    return {name: value.to(torch.float32) for name, value in values.items()}

"""The simulator that all declared populations share: draw, render, observe."""

from __future__ import annotations

import math
from collections.abc import Sequence
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar

import torch

from astrorim.exceptions import SimulationError
from astrorim.interfaces import SimulatedLenses, Simulator
from astrorim.plugins import load_plugins
from astrorim_plugins.simulators.declaration import EFFECTS
from astrorim_plugins.simulators.distances import Distances
from astrorim_plugins.simulators.draws import Population, draw_population
from astrorim_plugins.simulators.observing import Observatory
from astrorim_plugins.simulators.random_streams import RandomStreams
from astrorim_plugins.simulators.tiles import (
    block_size,
    fill_size,
    map_tiles,
    tile_rows,
    tile_size,
)

if TYPE_CHECKING:
    from astropy.cosmology import FLRW
    from torch import Tensor

    from astrorim.parameters import Parameter
    from astrorim_plugins.simulators.declaration import Declaration
    from astrorim_plugins.simulators.sources.galaxy_library import GalaxyLibrary

__all__ = ["PopulationSimulator"]


class PopulationSimulator(Simulator):
    """Draws lenses from a declaration, renders and observes them.

    Parameters
    ----------
    sky_subtracted : bool, optional
        Whether the mean sky is taken off the image.
    wide_clumps : bool, optional
        Scatter the source's clumps over the frame, as separate background sources,
        instead of within two half-light radii of its centre.
    lens_model : str, optional
        Name of any registered lens model; the declaration's own by default. Parameters
        that the declaration does not draw come uniformly from their declared prior.
    cosmology : str or `~astropy.cosmology.FLRW`, optional
        For Einstein radii from velocity dispersions, and for halos.
    galaxies : str, Path or GalaxyLibrary, optional
        Images of real galaxies to be lensed instead of analytic sources.
    single_image : bool, optional
        Place the source until it has a single image.
    arc_visibility : tuple of float, optional
        Range of the ratio of arcs to lens light (99th percentiles), drawn uniformly in
        the logarithm; the lens light gets the magnitude that this takes, whatever the
        declaration says. Massive galaxies outshine their arcs: below 0.3.
    detector_seed : int, optional
        Seed of the detector's fixed pattern.
    without : sequence of str, optional
        Effects that are left out, such as ``"cosmic_rays"``.

    Raises
    ------
    SimulationError
        If an effect is not known, or a range is not one.
    UnknownNameError
        If the lens model is not registered.
    """

    declaration: ClassVar[Declaration]
    """What the simulator draws."""

    lens_model: ClassVar[str]
    light_model: ClassVar[str] = "sersic"
    parameters: ClassVar[tuple[Parameter, ...]]

    def __init_subclass__(cls, **options: Any) -> None:
        super().__init_subclass__(**options)
        cls.lens_model = cls.declaration.lens_model
        cls.parameters = cls.declaration.parameters
        cls.pixel_scales = tuple(i.pixel_scale for i in cls.declaration.instruments)

    def __init__(
        self,
        *,
        sky_subtracted: bool = True,
        wide_clumps: bool = False,
        lens_model: str | None = None,
        cosmology: str | FLRW = "Planck15",
        galaxies: str | Path | GalaxyLibrary | None = None,
        single_image: bool = False,
        arc_visibility: tuple[float, float] | None = None,
        detector_seed: int = 0,
        without: Sequence[str] = (),
    ) -> None:
        if isinstance(galaxies, str | Path):
            # Reading images loads packages that nothing else here needs.
            from astrorim_plugins.simulators.sources.galaxy_library import GalaxyLibrary

            galaxies = GalaxyLibrary.read(galaxies)
        left_out = (without,) if isinstance(without, str) else tuple(without)
        _check_effects(left_out)
        plugins = load_plugins()
        name = self.declaration.lens_model if lens_model is None else lens_model
        self.lens_model = plugins.lens_models.canonical_name(name)  # type: ignore[misc]
        self._lens = plugins.lens_models.resolve(name)
        self._light = plugins.light_models.create(self.light_model)
        self._distances = Distances(cosmology)
        self._draw = partial(
            draw_population,
            self.declaration,
            lens_model=self._lens,
            light_model=self._light,
            distances=self._distances,
            wide_clumps=bool(wide_clumps),
            galaxies=galaxies,
            single_image=bool(single_image),
            without=left_out,
            arc_visibility=_checked_range(arc_visibility),
        )
        self._sky_subtracted = bool(sky_subtracted)
        self._detector_seed = int(detector_seed)

    @property
    def cosmology(self) -> str:
        """Name of the cosmology."""
        return self._distances.name

    def draw(
        self,
        number: int,
        *,
        seed: int,
        start: int = 0,
        pixel_scale: float | None = None,
        device: str = "cpu",
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
        pixel_scale : float, optional
            Side of a detector pixel, arcsec; the instrument's own by default.
        device : str, optional
            Where the tensors live.

        Returns
        -------
        Population
            float64; the last bit may depend on ``number`` and ``start``.

        Raises
        ------
        SimulationError
            If a number cannot be used.
        """
        _check_numbers(number, start)
        index = torch.arange(start, start + number, dtype=torch.int64, device=device)
        return self._draw(self._streams(seed, index), pixel_scale=pixel_scale)

    def _streams(self, seed: int, index: Tensor) -> RandomStreams:
        # The first simulator has had the names alone.
        namespace = "" if self.name == "foundation" else f"{self.name}/"
        return RandomStreams(seed, index, namespace)

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
        _check_numbers(number, start)
        _check_frame(shape, pixel_scale, supersampling)
        where = torch.device(device)
        observatory = Observatory(
            self.declaration,
            self._lens,
            self._light,
            shape=(int(shape[0]), int(shape[1])),
            pixel_scale=None if pixel_scale is None else float(pixel_scale),
            supersampling=supersampling,
            sky_subtracted=self._sky_subtracted,
            detector_seed=self._detector_seed,
        )
        index = torch.arange(start, start + number, dtype=torch.int64, device=where)
        tiles, kept, order = [], [], []
        size = block_size(where)
        blocks = range(start // size, (start + number - 1) // size + 1)
        members = [
            torch.arange(block * size, (block + 1) * size, device=where) for block in blocks
        ]
        draw = partial(self._draw, pixel_scale=pixel_scale)
        drawn = [(self._streams(seed, numbers),) for numbers in members]
        populations = map_tiles(draw, drawn, where)
        for block, numbers, population in zip(blocks, members, populations, strict=True):
            wanted = range(
                max(start - block * size, 0), min(start + number - block * size, size)
            )
            keys = observatory.optics_of(population)
            tiled = tile_rows(
                [keys[row] for row in wanted], tile_size(where), fill_size(where)
            )
            for key, rows, meant in tiled:
                own = (rows + wanted.start).to(where)
                streams = self._streams(seed, numbers[own])
                tiles.append((population.select(own), key, streams))
                kept.append(meant)
                order += (numbers[own[:meant]] - start).tolist()
        images = map_tiles(observatory.observe, tiles, where)
        back = torch.argsort(torch.tensor(order, device=where))

        def joined(parts: list[Tensor]) -> Tensor:
            return torch.cat([p[:m] for p, m in zip(parts, kept, strict=True)])[back]

        sources = [image.pop("source") for image in images]
        metadata = [image.pop("metadata") for image in images]
        lens = [image.pop("lens") for image in images]
        light = [image.pop("light") for image in images]
        whole = [part.select(slice(0, m)) for part, m in zip(sources, kept, strict=True)]
        source = type(whole[0]).concatenate(whole).select(back)
        recorded = {name: joined([m[name] for m in metadata]) for name in metadata[0]}
        tensors = {name: joined([image[name] for image in images]) for name in images[0]}
        return SimulatedLenses(
            **{name: value for name, value in tensors.items() if value.numel()},
            psf_supersampling=supersampling,
            lens_model=self.lens_model,
            light_model=self.light_model,
            lens={name: joined([own[name] for own in lens]) for name in lens[0]},
            light={name: joined([own[name] for own in light]) for name in light[0]},
            source=source,
            seed=seed,
            index=index,
            metadata=recorded | source.components(),
            simulator=self.name,
        )


def _check_effects(names: Sequence[str]) -> None:
    unknown = [name for name in names if name not in EFFECTS]
    if unknown:
        raise SimulationError(
            f"without must name effects, got {unknown[0]!r}; known are {', '.join(EFFECTS)}"
        )


def _checked_range(limits: Sequence[float] | None) -> tuple[float, float] | None:
    if limits is None:
        return None
    if len(limits) != 2 or not 0 < limits[0] < limits[1] < math.inf:
        raise SimulationError(
            f"arc_visibility must be (low, high) with 0 < low < high, got {limits!r}"
        )
    return float(limits[0]), float(limits[1])


def _check_numbers(number: int, start: int) -> None:
    for label, value, least in (("number", number, 1), ("start", start, 0)):
        if int(value) != value or value < least:
            raise SimulationError(
                f"{label} must be an integer of at least {least}, got {value!r}"
            )


def _check_frame(shape: tuple[int, int], scale: float | None, supersampling: int) -> None:
    if len(shape) != 2 or any(int(n) != n or n < 1 for n in shape):
        raise SimulationError(f"shape must be (ny, nx), two positive integers, got {shape!r}")
    if scale is not None and not (math.isfinite(scale) and scale > 0):
        raise SimulationError(f"pixel_scale must be positive, in arcsec, got {scale!r}")
    if supersampling not in (1, 2, 4):
        raise SimulationError(f"supersampling must be 1, 2 or 4, got {supersampling!r}")

"""The draw of a population of lenses: mass, light and source of each."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import torch

from astrorim_plugins.simulators.declaration import EFFECTS
from astrorim_plugins.simulators.draws.light import draw_lens_light, draw_second_light
from astrorim_plugins.simulators.draws.mass import LENS_PREFIX, draw_mass, draw_strength
from astrorim_plugins.simulators.draws.source import draw_source, main_radius
from astrorim_plugins.simulators.lensed_images import is_singly_imaged
from astrorim_plugins.simulators.photometry import first_accepted

if TYPE_CHECKING:
    from torch import Tensor

    from astrorim.interfaces import LensModel, LightModel
    from astrorim_plugins.simulators.declaration import Declaration
    from astrorim_plugins.simulators.distances import Distances
    from astrorim_plugins.simulators.random_streams import RandomStreams
    from astrorim_plugins.simulators.sources.components import ComponentSource
    from astrorim_plugins.simulators.sources.galaxy_library import GalaxyLibrary

__all__ = ["KNOWN_LENS_PARAMETERS", "Population", "draw_population"]

KNOWN_LENS_PARAMETERS = {"theta_E", "e1", "e2", "x0", "y0", "gamma1", "gamma2"}
"""Lens parameters that every declaration draws."""

_TRIALS = 16
_TRIAL_REACH = 2.5
"""Einstein radii, along each axis, within which a singly imaged source is looked for."""


@dataclass(frozen=True)
class Population:
    """A batch of drawn lenses, before rendering.

    Parameters
    ----------
    lens : mapping of str to Tensor, (B,)
        Lens parameters in the model's units.
    light : mapping of str to Tensor, (B,)
        Lens-light parameters with the amplitude of a profile whose total flux is one.
    second_light : mapping of str to Tensor, (B, 1)
        Light of a second deflector, in units of the lens galaxy's flux; empty if the
        population has none.
    source : ComponentSource
        The source with a total flux of one.
    magnitude_differences : Tensor, (B, 9), mag
        The lens light's magnitude minus the source's: the first draw and eight more.
    values : mapping of str to Tensor, (B,)
        Every quantity with one number for each lens.
    drawn : mapping of str to Tensor, (B, n)
        Every quantity.
    """

    lens: Mapping[str, Tensor]
    light: Mapping[str, Tensor]
    second_light: Mapping[str, Tensor]
    source: ComponentSource
    magnitude_differences: Tensor
    values: Mapping[str, Tensor]
    drawn: Mapping[str, Tensor]

    def __len__(self) -> int:
        return len(self.magnitude_differences)

    def select(self, rows: Tensor | slice) -> Population:
        """Some lenses of the batch."""
        tables = ("lens", "light", "second_light", "values", "drawn")
        return replace(
            self,
            source=self.source.select(rows),
            magnitude_differences=self.magnitude_differences[rows],
            **{
                table: {name: value[rows] for name, value in getattr(self, table).items()}
                for table in tables
            },
        )


def draw_population(
    declaration: Declaration,
    streams: RandomStreams,
    lens_model: LensModel,
    light_model: LightModel,
    distances: Distances,
    *,
    wide_clumps: bool = False,
    galaxies: GalaxyLibrary | None = None,
    pixel_scale: float | None = None,
    single_image: bool = False,
    without: Sequence[str] = (),
    arc_visibility: tuple[float, float] | None = None,
) -> Population:
    """Draw a batch of lenses.

    Parameters
    ----------
    declaration : Declaration
        What is drawn.
    streams : RandomStreams
        Random numbers of B lenses.
    lens_model : LensModel
        Parameters that the declaration does not draw come from their prior.
    light_model : LightModel
        Sersic profile of the lens light and of the source.
    distances : Distances
        Cosmology.
    wide_clumps : bool, optional
        Scatter the clumps over the frame, as separate background sources, instead of
        within two half-light radii of the source.
    galaxies : GalaxyLibrary, optional
        Real galaxies in the place of the analytic sources, resized to the half-light
        radius that is drawn for these.
    pixel_scale : float, optional
        Side of a detector pixel, arcsec, instead of the instrument's.
    single_image : bool, optional
        Place the source until it has a single image.
    without : sequence of str, optional
        Names of effects that are left out.
    arc_visibility : tuple of float, optional
        Range of arc visibilities that the lens light is matched to.

    Returns
    -------
    Population
        float64.
    """
    known = KNOWN_LENS_PARAMETERS
    if lens_model.name == declaration.lens_model:
        known = {p.name for p in lens_model.parameters}
    others = [
        p.renamed(LENS_PREFIX + p.name) for p in lens_model.parameters if p.name not in known
    ]
    drawn = declaration.draw(streams, others)
    if arc_visibility is not None:
        low, high = (math.log(limit) for limit in arc_visibility)
        share = streams.uniform({"matched_visibility": 1})["matched_visibility"]
        drawn["matched_visibility"] = torch.exp(low + (high - low) * share)
    for effect in without:
        for name in EFFECTS[effect]:
            if name in drawn:
                drawn[name] = torch.zeros_like(drawn[name])
    draw_strength(declaration, drawn, distances)
    # Scalars of each lens, (B,); what has several values keeps its last axis.
    values = {name: value[:, 0] for name, value in drawn.items() if value.shape[1] == 1}
    values["pixel_scale"] = _pixel_scales(declaration, values, pixel_scale)

    lens = draw_mass(tuple(lens_model.parameters), drawn, values, distances)
    if single_image:
        values |= _single_place(streams, lens_model, lens, values["theta_E"])
    light = draw_lens_light(drawn, values, light_model)
    second: dict[str, Tensor] = {}
    if "second_ratio" in values and "theta_E_second" in lens:
        second = draw_second_light(values, lens, light, light_model)
    source = draw_source(declaration, drawn, values, light_model, wide_clumps=wide_clumps)
    if galaxies is not None:
        source = _with_galaxies(source, streams, galaxies, values)
    population = Population(
        lens, light, second, source, drawn["magnitude_difference"], values, drawn
    )
    return _shifted(population) if "has_shift" in values else population


def _single_place(
    streams: RandomStreams, model: LensModel, lens: Mapping[str, Tensor], theta_e: Tensor
) -> dict[str, Tensor]:
    """First of several places of the source, in Einstein radii, that has a single image."""
    names = ("trial_offset_x", "trial_offset_y")
    trials = streams.uniform(dict.fromkeys(names, _TRIALS))
    x, y = ((2 * trials[name] - 1) * _TRIAL_REACH for name in names)
    each = {name: value.repeat_interleave(_TRIALS) for name, value in lens.items()}
    scale = theta_e[:, None]
    single = is_singly_imaged(
        model,
        each,
        (x * scale).flatten(),
        (y * scale).flatten(),
        half_width=((2 + 1.5 * _TRIAL_REACH) * scale).expand_as(x).flatten(),
    )
    chosen, found = first_accepted(single.view_as(x))
    pick = chosen[:, None]
    return {
        "source_offset_x": x.gather(1, pick)[:, 0],
        "source_offset_y": y.gather(1, pick)[:, 0],
        "singly_imaged": found.to(x.dtype),
    }


def _pixel_scales(
    declaration: Declaration, values: Mapping[str, Tensor], wanted: float | None
) -> Tensor:
    like = values["z_lens"]
    if wanted is not None:
        return torch.full_like(like, wanted)
    scales = like.new_tensor([i.pixel_scale for i in declaration.instruments])
    if "instrument" not in values:
        return scales[:1].expand(len(like))
    return scales[values["instrument"].to(torch.int64)]


def _with_galaxies(
    source: ComponentSource,
    streams: RandomStreams,
    library: GalaxyLibrary,
    values: Mapping[str, Tensor],
) -> ComponentSource:
    """Images of real galaxies where the main profile was, and nothing else."""
    from astrorim_plugins.simulators.sources.galaxy_images import draw_galaxies

    centre = (source.profiles[name][:, 0] for name in ("x0", "y0"))
    cutouts = draw_galaxies(streams, library, main_radius(values), *centre)
    dark = source.scaled(torch.zeros_like(values["z_lens"]))
    return replace(dark, galaxies=cutouts, spiral={})


def _shifted(population: Population) -> Population:
    """Move lens and source together, as a pointing off by a fraction of a pixel does."""
    values = population.values
    step = values["pixel_scale"] * values["has_shift"]
    moves = {"x0": values["shift_x"] * step, "y0": values["shift_y"] * step}

    def moved(table: Mapping[str, Tensor]) -> dict[str, Tensor]:
        shifted = {}
        for name, value in table.items():
            move = moves.get(name[:2])
            if move is not None and (len(name) == 2 or name[2] == "_"):
                shifted[name] = value + move.view(-1, *(1,) * (value.ndim - 1))
            else:
                shifted[name] = value
        return shifted

    source = population.source
    galaxies = source.galaxies
    if galaxies is not None:
        galaxies = replace(galaxies, x0=galaxies.x0 + moves["x0"], y0=galaxies.y0 + moves["y0"])
    return replace(
        population,
        lens=moved(population.lens),
        light=moved(population.light),
        second_light=moved(population.second_light),
        source=replace(
            source,
            profiles=moved(source.profiles),
            clumps=moved(source.clumps),
            spiral=moved(source.spiral),
            galaxies=galaxies,
        ),
    )

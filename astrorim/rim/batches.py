"""Batches of simulated lenses joined, cut to what they hold, and sources kept on a grid."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import fields, replace
from typing import TYPE_CHECKING, Any

import torch
from torch.nn.functional import pad

from astrorim.exceptions import SimulationError
from astrorim.lensing.interpolation import SourceFrames, SourceSampler

if TYPE_CHECKING:
    from torch import Tensor

    from astrorim.interfaces import SimulatedLenses

__all__ = [
    "GriddedSource",
    "JoinedSource",
    "compact",
    "consecutive",
    "join_batches",
    "without_padding",
]

_SAME = ("seed", "simulator", "lens_model", "light_model", "psf_supersampling")
_IMAGES = ("image", "noise", "noise_free", "lens_light", "source_image")
_NUMBERS = ("pixel_scale", "source_pixel_scale", "source_centre", "index")


class GriddedSource:
    """Source brightness interpolated between the pixels of its image.

    It stands for the function that a simulator evaluates: what is finer than a pixel of
    ``source_image`` is lost, and the brightness fades to zero within one pixel beyond the
    centres of the image's edge pixels.

    Parameters
    ----------
    image : Tensor, (B, n, n), counts per arcsec^2
        Brightness at the centres of the pixels.
    centre : Tensor, (B, 2), arcsec
        Position (x, y) of the centre of each image.
    pixel_scale : Tensor, (B,), arcsec
        Side of a pixel.
    """

    def __init__(self, image: Tensor, centre: Tensor, pixel_scale: Tensor) -> None:
        self.image = image
        self.frames = SourceFrames(centre, pixel_scale, image.shape[-1])

    def __call__(self, x: Tensor, y: Tensor) -> Tensor:
        """Bilinear interpolation at positions (B, ...), arcsec; counts per arcsec^2."""
        flat_x, flat_y = (position.reshape(len(position), 1, -1) for position in (x, y))
        return SourceSampler(flat_x, flat_y, self.frames).apply(self.image).view(x.shape)


class JoinedSource:
    """Sources of several batches as one.

    Parameters
    ----------
    sources : sequence of callable
        Each gives brightness at positions of its lenses.
    lengths : sequence of int
        Number of lenses of each.
    """

    def __init__(
        self, sources: Sequence[Callable[[Tensor, Tensor], Tensor]], lengths: Sequence[int]
    ) -> None:
        self.sources, self.lengths = tuple(sources), tuple(lengths)

    def __call__(self, x: Tensor, y: Tensor) -> Tensor:
        """Brightness at positions (B, ...), arcsec; counts per arcsec^2."""
        parts = zip(self.sources, x.split(self.lengths), y.split(self.lengths), strict=True)
        return torch.cat([source(own_x, own_y) for source, own_x, own_y in parts])


class _PartOfSource:
    """Sources of the lenses ``rows`` of a batch of ``length``."""

    def __init__(
        self, source: Callable[[Tensor, Tensor], Tensor], rows: slice, length: int
    ) -> None:
        self.source, self.rows, self.length = source, rows, length

    def __call__(self, x: Tensor, y: Tensor) -> Tensor:
        """Brightness at positions (B, ...), arcsec; counts per arcsec^2."""
        wide_x, wide_y = (p.new_zeros(self.length, *p.shape[1:]) for p in (x, y))
        wide_x[self.rows], wide_y[self.rows] = x, y
        return self.source(wide_x, wide_y)[self.rows]


def consecutive(simulated: SimulatedLenses, first: int, number: int) -> SimulatedLenses:
    """Lenses ``first`` to ``first + number - 1`` of a batch.

    Parameters
    ----------
    simulated : SimulatedLenses
        A batch; a source with a method ``select`` is cut by it, any other is evaluated for
        the whole batch.
    first, number : int
        Place of the first one in the batch, and how many.

    Returns
    -------
    SimulatedLenses
        Its tensors share their memory with those of the batch.
    """
    rows = slice(first, first + number)
    if first == 0 and number == len(simulated):
        return simulated
    own: dict[str, Any] = {}
    for field in fields(simulated):
        value = getattr(simulated, field.name)
        if isinstance(value, torch.Tensor):
            own[field.name] = value[rows]
        elif isinstance(value, Mapping):
            own[field.name] = {name: column[rows] for name, column in value.items()}
    select = getattr(simulated.source, "select", None)
    source = simulated.source
    cut = _PartOfSource(source, rows, len(simulated)) if select is None else select(rows)
    return replace(simulated, **own, source=cut)


def without_padding(kernels: Tensor) -> Tensor:
    """Cut off the rings of exact zeros that surround all kernels of a batch.

    Parameters
    ----------
    kernels : Tensor, (B, K, K)
        Centred; K may be even or odd.

    Returns
    -------
    Tensor, (B, k, k)
        k has the parity of K; the widest kernel touches the edge. At least the innermost
        ring is left.
    """
    used = (kernels != 0).any(dim=0)
    while len(used) > 2:
        ring = torch.cat([used[0], used[-1], used[:, 0], used[:, -1]])
        if bool(ring.any()):
            break
        used = used[1:-1, 1:-1]
    margin = (kernels.shape[-1] - len(used)) // 2
    return kernels[:, margin : margin + len(used), margin : margin + len(used)]


def _widened(kernels: Tensor, size: int) -> Tensor:
    margin, odd = divmod(size - kernels.shape[-1], 2)
    if odd:
        raise SimulationError(
            "kernels must all have an odd or all an even number of elements, got "
            f"{kernels.shape[-1]} and {size}"
        )
    return pad(kernels, (margin, margin, margin, margin))


def _joined_kernels(parts: Sequence[Tensor]) -> Tensor:
    size = max(part.shape[-1] for part in parts)
    return torch.cat([_widened(part, size) for part in parts])


def compact(simulated: SimulatedLenses) -> SimulatedLenses:
    """Leave out of a batch what none of its lenses has.

    What is stored then depends on the lenses alone and not on the batch that they were
    drawn in.

    Parameters
    ----------
    simulated : SimulatedLenses
        A batch.

    Returns
    -------
    SimulatedLenses
        Kernels without padding; ``other_light`` and ``cosmic_rays`` None where they are
        zero, ``rendering_psf`` None where it is ``psf``, ``noise_kernel`` None where the
        noise is white.
    """
    psf = without_padding(simulated.psf)
    true_psf, kernel = simulated.rendering_psf, simulated.noise_kernel
    if true_psf is not None:
        true_psf = without_padding(true_psf)
        true_psf = None if torch.equal(true_psf, psf) else true_psf
    if kernel is not None:
        kernel = without_padding(kernel)
        kernel = None if kernel.shape[-1] == 1 else kernel
    light, hits = simulated.other_light, simulated.cosmic_rays
    return replace(
        simulated,
        psf=psf,
        rendering_psf=true_psf,
        noise_kernel=kernel,
        other_light=light if light is not None and bool(light.any()) else None,
        cosmic_rays=hits if hits is not None and bool(hits.any()) else None,
    )


def join_batches(batches: Sequence[SimulatedLenses]) -> SimulatedLenses:
    """One batch of the lenses of several, in their order.

    Kernels are padded with zeros to the widest; what only some batches have is filled up
    with what its absence means.

    Parameters
    ----------
    batches : sequence of SimulatedLenses
        At least one; of one dataset.

    Returns
    -------
    SimulatedLenses

    Raises
    ------
    SimulationError
        If there is no batch, or they are of different datasets.
    """
    if not batches:
        raise SimulationError("batches must hold at least one batch, got none")
    first = batches[0]
    if len(batches) == 1:
        return first
    for name in _SAME:
        found = {getattr(batch, name) for batch in batches}
        if len(found) > 1:
            raise SimulationError(
                f"batches must be of one dataset, got {name} {sorted(found)}; join those "
                "of one seed and simulator"
            )

    def some(name: str, fill: Callable[[SimulatedLenses], Tensor]) -> list[Tensor] | None:
        found = [getattr(batch, name) for batch in batches]
        if all(value is None for value in found):
            return None
        return [fill(b) if v is None else v for b, v in zip(batches, found, strict=True)]

    light = some("other_light", lambda b: torch.zeros_like(b.image))
    hits = some("cosmic_rays", lambda b: torch.zeros_like(b.image, dtype=torch.bool))
    true_psf = some("rendering_psf", lambda b: b.psf)
    kernel = some("noise_kernel", lambda b: torch.ones_like(b.image[:, :1, :1]))
    joined: dict[str, Any] = {
        name: torch.cat([getattr(batch, name) for batch in batches])
        for name in (*_IMAGES, *_NUMBERS)
    }
    for name in ("lens", "light", "metadata"):
        joined[name] = _joined_values([getattr(batch, name) for batch in batches])
    return replace(
        first,
        **joined,
        psf=_joined_kernels([batch.psf for batch in batches]),
        source=JoinedSource([batch.source for batch in batches], [len(b) for b in batches]),
        other_light=None if light is None else torch.cat(light),
        cosmic_rays=None if hits is None else torch.cat(hits),
        rendering_psf=None if true_psf is None else _joined_kernels(true_psf),
        noise_kernel=None if kernel is None else _joined_kernels(kernel),
    )


def _joined_values(parts: Iterable[Mapping[str, Tensor]]) -> dict[str, Tensor]:
    first, *others = parts
    for other in others:
        if other.keys() != first.keys():
            differing = sorted(other.keys() ^ first.keys())
            raise SimulationError(
                f"batches must record the same, got {', '.join(differing)} in some only"
            )
    return {name: torch.cat([first[name], *(o[name] for o in others)]) for name in first}

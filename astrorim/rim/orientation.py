"""One orientation for every image, so that results do not depend on how it was turned."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

import torch

from astrorim.rim.symmetries import (
    NUM_SYMMETRIES,
    inverse_symmetry,
    transform_image,
    transform_values,
)

if TYPE_CHECKING:
    from collections.abc import Sequence

    from torch import Tensor

    from astrorim.lensing.forward import ImageData
    from astrorim.lensing.system import LensSystem
    from astrorim.rim.joint import JointResult

__all__ = ["canonical_symmetries", "is_covariant", "turn_data", "turn_result", "turn_samples"]

_CLIP = 10.0  # signal to noise of a pixel beyond which it counts no more


def canonical_symmetries(data: ImageData) -> list[int]:
    r"""Which of the eight symmetries brings each image into its canonical orientation.

    With the signal to noise of each pixel clipped to :math:`\pm 10` as weight, the first
    moments :math:`M_x` and :math:`M_y` about the centre of the frame are not negative, and
    :math:`M_x \geq M_y` where the frame is square; others are made wide rather than high.
    All eight versions of an image have the same canonical one, whatever its unit; only for
    images that are symmetric themselves is the choice arbitrary.

    Parameters
    ----------
    data : ImageData
        Images (B, H, W).

    Returns
    -------
    list of int, of length B
        As for `~astrorim.rim.symmetries.transform_image`.
    """
    height, width = data.image.shape[-2:]
    weight = (data.good * data.image / data.noise).double().clamp(-_CLIP, _CLIP)
    x = torch.arange(width, device=weight.device, dtype=weight.dtype) - (width - 1) / 2
    y = torch.arange(height, device=weight.device, dtype=weight.dtype) - (height - 1) / 2
    moments_x = (weight.sum(dim=-2) @ x).tolist()
    moments_y = (weight.sum(dim=-1) @ y).tolist()
    chosen = []
    for m_x, m_y in zip(moments_x, moments_y, strict=True):
        swap = height > width or (height == width and abs(m_y) > abs(m_x))
        chosen.append((m_x < 0) + 2 * (m_y < 0) + 4 * swap)
    return chosen


def turn_data(data: ImageData, symmetries: Sequence[int]) -> ImageData:
    """Flip and turn each image with its noise, mask and PSF.

    Parameters
    ----------
    data : ImageData
        Images (B, H, W).
    symmetries : sequence of int
        Of each image; they agree on the shape of the result.

    Returns
    -------
    ImageData
    """
    turned: dict[str, Any] = {
        name: torch.stack(
            [transform_image(own, s) for own, s in zip(whole, symmetries, strict=True)]
        )
        for name in ("image", "noise", "good", "psf")
        if (whole := getattr(data, name)) is not None
    }
    return replace(data, **turned)


def turn_samples(samples: Tensor, names: Sequence[str], symmetries: Sequence[int]) -> Tensor:
    """Transform parameters (..., B, P), each lens by its own symmetry.

    Parameters
    ----------
    samples : Tensor, (..., B, P)
        Parameter vectors.
    names : sequence of str
        Name of each of the P columns.
    symmetries : sequence of int
        Of each of the B lenses.

    Returns
    -------
    Tensor, (..., B, P)
    """
    lenses = []
    for index, symmetry in enumerate(symmetries):
        own = samples[..., index, :]
        flat = transform_values(own.reshape(-1, own.shape[-1]), names, symmetry)
        lenses.append(flat.reshape(own.shape))
    return torch.stack(lenses, dim=-2)


def turn_result(
    result: JointResult, names: Sequence[str], symmetries: Sequence[int]
) -> JointResult:
    """Result for the images as they were before `turn_data`.

    Parameters
    ----------
    result : JointResult
        For the turned images.
    names : sequence of str
        Of the parameters.
    symmetries : sequence of int
        That the images were turned by.

    Returns
    -------
    JointResult
        Its covariance too is that of the parameters before.
    """
    back = [inverse_symmetry(s) for s in symmetries]

    def images(sources: Tensor) -> Tensor:
        return torch.stack(
            [transform_image(own, s) for own, s in zip(sources, back, strict=True)]
        )

    # Parameters with a direction are none of those whose logarithm is taken.
    half = torch.stack(
        [transform_values(c, names, s) for c, s in zip(result.covariance, back, strict=True)]
    ).transpose(1, 2)
    covariance = torch.stack(
        [transform_values(c, names, s) for c, s in zip(half, back, strict=True)]
    )
    return replace(
        result,
        values=turn_samples(result.values, names, back),
        covariance=covariance,
        source=images(result.source),
        frames=result.frames._replace(
            centre=turn_samples(result.frames.centre, ("x0", "y0"), back)
        ),
        source_steps=[images(step) for step in result.source_steps],
    )


@torch.no_grad()
def is_covariant(system: LensSystem) -> bool:
    """Whether `~astrorim.rim.symmetries.transform_values` knows how a system turns.

    It goes by the names of parameters; a model that calls its angle otherwise is found by
    where it traces some points and its light there, which then do not turn with them.

    Parameters
    ----------
    system : LensSystem
        Lens and lens light.

    Returns
    -------
    bool
    """
    names = system.parameters.names
    generator = torch.Generator().manual_seed(0)
    prior = torch.tensor([p.prior for p in system.parameters], dtype=torch.float64)
    where = 0.3 + 0.4 * torch.rand(len(names), generator=generator, dtype=torch.float64)
    values = (prior[:, 0] + where * (prior[:, 1] - prior[:, 0]))[None]
    points = torch.rand(40, 2, generator=generator, dtype=torch.float64) * 4 - 2

    def traced_and_light(values: Tensor, points: Tensor) -> tuple[Tensor, Tensor]:
        x, y = points[None, None, :, 0], points[None, None, :, 1]
        traced = torch.stack([b[0, 0] for b in system.trace(x, y, values)], dim=1)
        return traced, system.light_surface_brightness(x, y, values)[0, 0]

    traced, light = traced_and_light(values, points)
    for symmetry in range(1, NUM_SYMMETRIES):
        try:
            moved = transform_values(values, names, symmetry)
        except KeyError:  # a component without its partner
            return False
        turned, shone = traced_and_light(
            moved, transform_values(points, ("x0", "y0"), symmetry)
        )
        expected = transform_values(traced, ("x0", "y0"), symmetry)
        if not (
            torch.allclose(turned, expected, rtol=1e-5, atol=1e-6)
            and torch.allclose(shone, light, rtol=1e-5, atol=1e-6 * float(light.abs().max()))
        ):
            return False
    return True

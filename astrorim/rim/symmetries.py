"""The eight symmetries of the square, on images and on parameters alike."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

import torch

if TYPE_CHECKING:
    from collections.abc import Sequence

    from torch import Tensor

__all__ = ["NUM_SYMMETRIES", "inverse_symmetry", "transform_image", "transform_values"]

NUM_SYMMETRIES = 8
"""Number of flips and rotations of a square frame."""

_PAIRS = (("x0", "y0", 1), ("e1", "e2", 2), ("gamma1", "gamma2", 2))
_NAME = re.compile(r"^(light_)?(x0|y0|e1|e2|gamma1|gamma2)(_\w+)?$")


def _parts(symmetry: int) -> tuple[bool, bool, bool]:
    if not 0 <= symmetry < NUM_SYMMETRIES:
        raise ValueError(f"symmetry must be 0 to {NUM_SYMMETRIES - 1}, got {symmetry}")
    return bool(symmetry & 1), bool(symmetry & 2), bool(symmetry & 4)


def transform_image(image: Tensor, symmetry: int) -> Tensor:
    """Flip x (bit 0), flip y (bit 1), then swap the axes (bit 2) of (..., H, W) images.

    Raises
    ------
    ValueError
        If ``symmetry`` is not 0 to 7.
    """
    flip_x, flip_y, swap = _parts(symmetry)
    axes = [axis for axis, flip in ((-1, flip_x), (-2, flip_y)) if flip]
    if axes:
        image = torch.flip(image, axes)
    return image.transpose(-2, -1) if swap else image


def inverse_symmetry(symmetry: int) -> int:
    """The symmetry that undoes another.

    Parameters
    ----------
    symmetry : int
        As for `transform_image`.

    Returns
    -------
    int

    Raises
    ------
    ValueError
        If ``symmetry`` is not 0 to 7.
    """
    flip_x, flip_y, swap = _parts(symmetry)
    return flip_y + 2 * flip_x + 4 if swap else symmetry


def transform_values(values: Tensor, names: Sequence[str], symmetry: int) -> Tensor:
    r"""Parameters of the image that `transform_image` makes.

    A position is a vector; (e1, e2) and (gamma1, gamma2) have spin two: a flip changes
    the sign of the second component, swapping the axes that of the first.

    Parameters
    ----------
    values : Tensor, (B, P)
        Parameter vectors.
    names : sequence of str
        Name of each column.
    symmetry : int
        As for `transform_image`.

    Returns
    -------
    Tensor, (B, P)
    """
    flip_x, flip_y, swap = _parts(symmetry)
    order = list(range(len(names)))
    sign = [1.0] * len(names)
    index = {name: i for i, name in enumerate(names)}
    for name, column in index.items():
        match = _NAME.match(name)
        if match is None:
            continue
        prefix, base, suffix = match.group(1) or "", match.group(2), match.group(3) or ""
        for first, second, spin in _PAIRS:
            if base not in (first, second):
                continue
            is_first = base == first
            if spin == 1:
                # The entry comes from its partner when the axes are swapped afterwards.
                from_first = is_first != swap
                order[column] = index[prefix + (first if from_first else second) + suffix]
                sign[column] = -1.0 if (flip_x if from_first else flip_y) else 1.0
            elif is_first:
                sign[column] = -1.0 if swap else 1.0
            else:
                sign[column] = -1.0 if flip_x != flip_y else 1.0
    return values[:, order] * values.new_tensor(sign)

r"""Gaussian smoothness priors of a pixel source, with their exact determinants.

A source on an n x n grid, zero beyond its edges, has the prior
:math:`p(s) \propto \exp(-\tfrac{\lambda}{2} s^T H s)`. With the second-difference matrix
:math:`T = \mathrm{tridiag}(-1, 2, -1)` of one axis,

.. math::
    H_\mathrm{gradient} = T \otimes 1 + 1 \otimes T, \qquad
    H_\mathrm{curvature} = T^2 \otimes 1 + 1 \otimes T^2,

that is the sum of squared first or second differences along rows and columns (Suyu et al.
2006, MNRAS 371, 983, appendix A). The eigenvalues of T are
:math:`2 - 2 \cos(\pi k / (n + 1))`, so determinants cost nothing.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Literal

import torch

if TYPE_CHECKING:
    from torch import Tensor

__all__ = ["SmoothnessKind", "smoothness_log_determinant", "smoothness_matrix"]

SmoothnessKind = Literal["gradient", "curvature"]

_POWERS = {"gradient": 1, "curvature": 2}


def _power(kind: str) -> int:
    if kind not in _POWERS:
        raise ValueError(f"the prior must be one of {', '.join(_POWERS)}, got {kind!r}")
    return _POWERS[kind]


def smoothness_matrix(
    size: int, kind: SmoothnessKind = "gradient", *, dtype: torch.dtype = torch.float64
) -> Tensor:
    """Prior precision H of a source at unit strength.

    Parameters
    ----------
    size : int
        Pixels n along each side of the source.
    kind : {"gradient", "curvature"}, optional
        What is to be small.
    dtype : torch.dtype, optional
        Of the result.

    Returns
    -------
    Tensor, (n^2, n^2)
        Symmetric, positive definite; pixels in row-major order.

    Raises
    ------
    ValueError
        If ``kind`` is unknown.
    """
    power = _power(kind)
    eye = torch.eye(size, dtype=dtype)
    ones = torch.ones(size - 1, dtype=dtype)
    second = 2 * eye - torch.diag(ones, 1) - torch.diag(ones, -1)
    second = torch.linalg.matrix_power(second, power)
    return torch.kron(second, eye) + torch.kron(eye, second)


def smoothness_log_determinant(size: int, kind: SmoothnessKind = "gradient") -> float:
    """Logarithm of the determinant of `smoothness_matrix`.

    Parameters
    ----------
    size : int
        Pixels along each side.
    kind : {"gradient", "curvature"}, optional
        Which prior.

    Returns
    -------
    float

    Raises
    ------
    ValueError
        If ``kind`` is unknown.
    """
    order = torch.arange(1, size + 1, dtype=torch.float64)
    eigenvalues = (2 - 2 * torch.cos(math.pi * order / (size + 1))) ** _power(kind)
    return float((eigenvalues[:, None] + eigenvalues[None, :]).log().sum())

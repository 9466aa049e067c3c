r"""Noise that is correlated between pixels, as drizzling and resampling leave it.

Noise of unit variance and correlation :math:`\rho` has the covariance
:math:`C_{pq} = \rho(p - q)`. Its likelihood is approximated by that of each pixel given the
nearest ones before it in the order of rows (Vecchia 1988, J. R. Stat. Soc. B 50, 297),

.. math::
    -\tfrac12 \ln |C| - \tfrac12 z^T C^{-1} z \approx
        - \sum_p \left[ \ln s_p + \tfrac12 (W z)_p^2 \right] , \qquad
    (W z)_p = \Big( z_p - \sum_{q \in N(p)} a_{pq} z_q \Big) / s_p ,

with :math:`a_p = C_{NN}^{-1} C_{Np}` and :math:`s_p^2 = 1 - C_{pN} a_p`: exact for noise that
a filter of that reach makes, and a proper likelihood whatever pixels are left out. W is
sparse, and is applied to data and design alike.
"""

from __future__ import annotations

from functools import cached_property
from typing import TYPE_CHECKING

import numpy as np
import torch
from scipy.sparse import csr_array

if TYPE_CHECKING:
    from numpy.typing import NDArray
    from torch import Tensor

__all__ = ["Whitening", "proper_correlation"]

_FAINTEST = 0.02  # of the mean power, that a spectrum may have
_GRID = 64  # side of the grid on which a correlation is made proper


def proper_correlation(correlation: NDArray[np.floating]) -> NDArray[np.float64]:
    """The nearest correlation whose power spectrum is positive, by clipping the spectrum.

    Parameters
    ----------
    correlation : ndarray, (2 k + 1, 2 k + 1)
        Measured, at lags of up to k rows and columns; 1 in the middle.

    Returns
    -------
    ndarray, (64, 64)
        Element ``[i, j]`` is of the lag of i rows and j columns, negative ones counted from
        the end.

    Raises
    ------
    ValueError
        If the correlation is not square with an odd side below 64, or not 1 in the middle.
    """
    side = correlation.shape[0]
    if correlation.shape != (side, side) or side % 2 == 0 or side >= _GRID:
        raise ValueError(
            f"correlation must be square with an odd side below {_GRID}, got "
            f"{correlation.shape}"
        )
    half = side // 2
    if not abs(correlation[half, half] - 1) < 1e-6:
        raise ValueError(
            f"correlation must be 1 at lag (0, 0), got {correlation[half, half]:g}"
        )
    wide = np.zeros((_GRID, _GRID))
    wide[:side, :side] = (correlation + correlation[::-1, ::-1]) / 2
    power = np.fft.rfft2(np.roll(wide, (-half, -half), (0, 1))).real
    proper = np.fft.irfft2(np.maximum(power, _FAINTEST), s=wide.shape)
    return proper / proper[0, 0]


class Whitening:
    """Removes the correlation from noise of unit variance.

    Parameters
    ----------
    correlation : ndarray, (2 k + 1, 2 k + 1)
        Of the noise, at lags of up to k rows and columns; 1 in the middle.
    used : Tensor, (H, W), bool
        Which N pixels there are.
    reach : int, optional
        Rows and columns within which pixels before each one are looked at.
    """

    def __init__(
        self, correlation: NDArray[np.floating], used: Tensor, *, reach: int = 3
    ) -> None:
        proper = proper_correlation(correlation)
        lags = [(-i, j) for i in range(reach, 0, -1) for j in range(-reach, reach + 1)]
        lags += [(0, j) for j in range(-reach, 0)]
        lag = np.array(lags)
        mask = used.numpy()
        number = np.full(np.add(mask.shape, 2 * reach), -1)
        number[reach:-reach, reach:-reach][mask] = np.arange(int(mask.sum()))
        row, column = (place + reach for place in np.nonzero(mask))
        before = number[row[:, None] + lag[:, 0], column[:, None] + lag[:, 1]]
        patterns, which = np.unique(before >= 0, axis=0, return_inverse=True)
        shares = np.zeros((len(patterns), len(lag) + 1))
        for share, pattern in zip(shares, patterns, strict=True):
            near = lag[pattern]
            apart = near[:, None] - near[None, :]
            to_all = proper[near[:, 0], near[:, 1]]
            weight = np.linalg.solve(proper[apart[..., 0], apart[..., 1]], to_all)
            deviation = np.sqrt(1 - to_all @ weight)
            share[:-1][pattern] = -weight / deviation
            share[-1] = 1 / deviation
        self._places = torch.from_numpy(
            np.column_stack([np.maximum(before, 0), np.arange(len(before))])
        )
        self._shares = torch.from_numpy(shares[which.reshape(-1)])

    @property
    def log_determinant(self) -> float:
        """Logarithm of the determinant of W, minus half that of the correlation matrix."""
        return float(self._shares[:, -1].log().sum())

    def apply(self, values: Tensor) -> Tensor:
        """W z of values (..., N)."""
        shares = self._shares.to(values)
        result = values * shares[:, -1]
        for k in range(shares.shape[1] - 1):
            result = result + values[..., self._places[:, k]] * shares[:, k]
        return result

    @cached_property
    def matrix(self) -> csr_array:
        """W, (N, N), float64."""
        number, width = self._places.shape
        starts = np.arange(number + 1) * width
        shares, places = (t.numpy().flatten() for t in (self._shares, self._places))
        matrix = csr_array((shares, places, starts), shape=(number, number))
        matrix.sum_duplicates()
        matrix.eliminate_zeros()
        return matrix

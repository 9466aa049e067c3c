"""A matrix whose first columns may be sparse, as those of a source's pixels are."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING

import numpy as np
import torch

if TYPE_CHECKING:
    from scipy.sparse import csr_array
    from torch import Tensor

__all__ = ["DesignMatrix"]

_BLOCK = 128  # columns that are brought to float64 at a time, to save memory
_FULLEST = 0.03  # filled share of sparse columns above which dense products are faster


@dataclass(frozen=True)
class DesignMatrix:
    """A = (sparse, dense), from n unknowns to N data.

    Parameters
    ----------
    sparse : csr_array, (N, m), or None
        The first columns, if they are sparse.
    dense : Tensor, (N, n - m)
        The others.
    """

    sparse: csr_array | None
    dense: Tensor

    @staticmethod
    def of(sparse: csr_array, dense: Tensor) -> DesignMatrix:
        """Join columns; the sparse ones are kept so where that makes their products faster."""
        if sparse.nnz > _FULLEST * sparse.shape[0] * sparse.shape[1]:
            first = torch.from_numpy(sparse.toarray()).to(dense)
            return DesignMatrix(None, torch.cat([first, dense], dim=1))
        return DesignMatrix(sparse, dense)

    @property
    def shape(self) -> tuple[int, int]:
        """Numbers N of data and n of unknowns."""
        first = 0 if self.sparse is None else self.sparse.shape[1]
        return self.dense.shape[0], first + self.dense.shape[1]

    def with_columns(self, columns: Tensor) -> DesignMatrix:
        """The same with dense columns (N, k) added at the end."""
        return DesignMatrix(self.sparse, torch.cat([self.dense, columns.to(self.dense)], dim=1))

    def first(self, number: int) -> DesignMatrix:
        """The first columns, of which there are as many as are sparse at least."""
        before = 0 if self.sparse is None else self.sparse.shape[1]
        return DesignMatrix(self.sparse, self.dense[:, : number - before])

    def rows(self, chosen: Tensor) -> DesignMatrix:
        """The rows where (N,) bool is true."""
        sparse = None if self.sparse is None else self.sparse[chosen.numpy()]
        return DesignMatrix(sparse, self.dense[chosen])

    def last(self, number: int) -> Tensor:
        """The last dense columns, (N, number)."""
        return self.dense[:, self.dense.shape[1] - number :]

    def __matmul__(self, unknowns: Tensor) -> Tensor:
        """A x of unknowns (n,) or (n, k), in the precision of A."""
        unknowns = unknowns.to(self.dense)
        if self.sparse is None:
            return self.dense @ unknowns
        m = self.sparse.shape[1]
        first = torch.from_numpy(self.sparse @ unknowns[:m].numpy())
        return first + self.dense @ unknowns[m:]

    def transposed(self, data: Tensor) -> Tensor:
        """A^T y of data (N,) or (N, k), in their precision."""
        last = self.dense.to(data).mT @ data
        if self.sparse is None:
            return last
        first = self._transpose.astype(data.numpy().dtype, copy=False) @ data.numpy()
        return torch.cat([torch.from_numpy(first), last])

    def gram(self, num_source: int) -> Tensor:
        """A^T A, (n, n), float64.

        Light components that overlap, as those of a multi-Gaussian expansion do, are told
        apart below the rounding of float32 sums: with several the sums are made in float64.

        Parameters
        ----------
        num_source : int
            Unknowns that are pixels of the source, the first ones.

        Returns
        -------
        Tensor, (n, n)
        """
        m, number = num_source, self.shape[1]
        if self.sparse is None and number - m <= 2:
            return _square(self.dense).double()
        gram = self.dense.new_empty(number, number, dtype=torch.float64)
        if self.sparse is None:
            gram[:m, :m] = _square(self.dense[:, :m])
            light = self.dense[:, m:].double()
            for first in range(0, m, _BLOCK):
                part = slice(first, min(first + _BLOCK, m))
                gram[part, m:] = self.dense[:, part].double().mT @ light
        else:
            turned, light = self._transpose, self.dense.double()
            gram[:m, :m] = torch.from_numpy((turned @ turned.T).toarray())
            gram[:m, m:] = torch.from_numpy(turned @ light.numpy())
        gram[m:, m:] = light.mT @ light
        gram[m:, :m] = gram[:m, m:].mT
        return gram

    @cached_property
    def _transpose(self) -> csr_array:
        """Of the sparse columns, float64."""
        if self.sparse is None:
            raise ValueError("the matrix must have sparse columns, got none")
        return self.sparse.T.tocsr().astype(np.float64)


def _square(matrix: Tensor) -> Tensor:
    """A^T A by the product that knows of its symmetry, half the work."""
    array = matrix.numpy()
    return torch.from_numpy(array.T @ array)

"""Products of sparse and dense columns against those of the whole matrix."""

from __future__ import annotations

import pytest
import torch
from scipy.sparse import random_array

from astrorim.inference.design_matrix import DesignMatrix

N, SOURCE = 90, 40


@pytest.fixture(params=[0.01, 0.5], ids=["sparse", "full"])
def columns(request):
    source = random_array((N, SOURCE), density=request.param, rng=3).tocsr()
    light = torch.randn(N, 5, generator=torch.Generator().manual_seed(4)).double()
    return source, light


def _whole(columns):
    source, light = columns
    return torch.cat([torch.from_numpy(source.toarray()), light], dim=1)


def test_only_sparse_columns_are_kept_sparse(columns):
    design = DesignMatrix.of(*columns)
    assert (design.sparse is None) == (columns[0].nnz > 0.03 * N * SOURCE)
    assert design.shape == (N, SOURCE + 5)


@pytest.mark.parametrize("lights", [1, 5])
def test_products_are_those_of_the_matrix(columns, lights):
    columns = (columns[0], columns[1][:, :lights])
    design, whole = DesignMatrix.of(*columns), _whole(columns)
    unknowns, data = torch.rand(SOURCE + lights, 2).double(), torch.rand(N, 2).double()
    torch.testing.assert_close(design @ unknowns, whole @ unknowns)
    torch.testing.assert_close(design @ unknowns[:, 0], (whole @ unknowns)[:, 0])
    torch.testing.assert_close(design.transposed(data), whole.mT @ data)
    torch.testing.assert_close(design.transposed(data[:, 0]), (whole.mT @ data)[:, 0])
    torch.testing.assert_close(design.gram(SOURCE), whole.mT @ whole)


def test_single_precision_stays_except_in_the_gram_matrix(columns):
    design = DesignMatrix.of(columns[0].astype("float32"), columns[1].float())
    unknowns = torch.rand(SOURCE + 5).double()
    assert (design @ unknowns).dtype == torch.float32
    assert design.transposed(torch.rand(N)).dtype == torch.float32
    assert design.transposed(torch.rand(N).double()).dtype == torch.float64
    exact = _whole(columns)
    assert design.gram(SOURCE).dtype == torch.float64
    torch.testing.assert_close(design.gram(SOURCE), exact.mT @ exact, rtol=1e-5, atol=1e-5)

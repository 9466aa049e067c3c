"""Which lenses of a batch have what, asked of a device once for all components."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from torch import Tensor

__all__ = ["rows_set"]


def rows_set(flags: Tensor) -> list[Tensor]:
    """Rows of every column of a table in which a flag is set.

    A GPU is waited for once, and not for each column.

    Parameters
    ----------
    flags : Tensor, (B, m), bool
        Lenses along the rows, components along the columns.

    Returns
    -------
    list of Tensor, (R,), int64
        One for each column, on the device of ``flags``.
    """
    columns = flags.cpu().unbind(dim=1)
    return [
        column.nonzero()[:, 0].to(flags.device, non_blocking=True) for column in columns
    ]

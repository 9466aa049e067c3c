"""Tables for the documentation."""

from __future__ import annotations

from collections.abc import Iterable, Sequence


def list_table(rows: Iterable[Sequence[object]], *, header: bool = True) -> list[str]:
    """Lines of a reStructuredText table, the first row its header if there is one."""
    lines = [".. list-table::", *(["   :header-rows: 1"] if header else []), ""]
    for row in rows:
        lines += [f"   {'*' if k == 0 else ' '} - {cell}" for k, cell in enumerate(row)]
    return lines

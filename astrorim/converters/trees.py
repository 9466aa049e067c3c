"""Parts of ASDF trees that several converters share."""

from __future__ import annotations

from collections.abc import Mapping
from os import PathLike, fspath
from typing import Any

import numpy as np

__all__ = ["arrays_from_tree", "plain_tree", "without_none"]


def plain_tree(value: Any) -> Any:
    """Replace what ASDF does not know by what it does, at every depth.

    Tuples and sets become lists, numpy's scalars become Python's, paths become text and
    keys become strings; everything else stays as it is.

    Parameters
    ----------
    value : object
        For example a dictionary of options.

    Returns
    -------
    object
    """
    if isinstance(value, Mapping):
        return {str(key): plain_tree(item) for key, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [plain_tree(item) for item in value]
    if isinstance(value, (set, frozenset)):
        return sorted((plain_tree(item) for item in value), key=str)
    if isinstance(value, np.generic):
        return value.item()
    return fspath(value) if isinstance(value, PathLike) else value


def arrays_from_tree(node: Mapping[str, Any]) -> dict[str, np.ndarray]:
    """Copy arrays out of a mapping, so that they outlive their file.

    Parameters
    ----------
    node : mapping of str to array
        A node as asdf gives it.

    Returns
    -------
    dict of str to ndarray
    """
    return {name: np.array(array) for name, array in node.items()}


def without_none(tree: Mapping[str, Any]) -> dict[str, Any]:
    """Leave out the entries that are None: what is not known is not written.

    Parameters
    ----------
    tree : mapping of str to object
        A tree.

    Returns
    -------
    dict of str to object
    """
    return {name: value for name, value in tree.items() if value is not None}

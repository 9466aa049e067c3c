"""What plain trees are made of."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from astrorim.converters.trees import arrays_from_tree, plain_tree, without_none


def test_plain_tree_at_every_depth():
    tree = {1: (np.float32(0.5), {"a": np.bool_(True)}), "p": Path("a") / "b", "s": {3, 1}}
    plain = plain_tree(tree)
    assert plain == {"1": [0.5, {"a": True}], "p": "a/b", "s": [1, 3]}
    assert type(plain["1"][0]) is float
    assert type(plain["1"][1]["a"]) is bool


def test_arrays_are_copies():
    array = np.arange(3)
    copies = arrays_from_tree({"a": array})
    array[0] = 9
    np.testing.assert_array_equal(copies["a"], [0, 1, 2])


def test_what_is_not_known_is_left_out():
    assert without_none({"a": 0, "b": None, "c": ""}) == {"a": 0, "c": ""}

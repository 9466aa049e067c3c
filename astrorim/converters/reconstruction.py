"""ASDF converter of reconstructions."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np
from asdf.extension import Converter

from astrorim.converters.trees import arrays_from_tree, plain_tree

if TYPE_CHECKING:
    from astrorim.results import Reconstruction

__all__ = ["ReconstructionConverter"]

_AS_THEY_ARE = ("name", "background", "lens_model", "light_model")
_OBJECTS = ("observation", "source_grid")
_IMAGES = ("source", "forward_image", "lens_light", "convergence")
_NUMBERS = ("lens", "light", "units")
_ARRAYS = ("samples", "steps")
_TREES = ("flags", "provenance")
_ORDERED = ("lens", "light", "samples", "flags", "steps")


class ReconstructionConverter(Converter):
    """Writes and reads `~astrorim.results.Reconstruction`, every field of it.

    The parameter table is written for readers without AstroRIM, and derived anew from
    the samples when the file is read.
    """

    tags: ClassVar = ["asdf://astrorim.org/tags/reconstruction-1.*"]
    types: ClassVar = ["astrorim.results.reconstruction.Reconstruction"]

    def to_yaml_tree(self, obj: Reconstruction, tag: str, ctx: Any) -> dict[str, Any]:
        """Node of a reconstruction."""
        tree = {name: getattr(obj, name) for name in (*_AS_THEY_ARE, *_OBJECTS, *_IMAGES)}
        tree |= {name: dict(getattr(obj, name)) for name in (*_NUMBERS, *_ARRAYS)}
        tree |= {name: plain_tree(getattr(obj, name)) for name in _TREES}
        # asdf writes the keys of a mapping in alphabetical order
        tree["order"] = {name: list(getattr(obj, name)) for name in _ORDERED}
        return tree | {"parameters": obj.parameters}

    def from_yaml_tree(self, node: dict[str, Any], tag: str, ctx: Any) -> Reconstruction:
        """Reconstruction of a node, its arrays in memory."""
        from astrorim.results.reconstruction import Reconstruction

        fields = {name: node[name] for name in (*_AS_THEY_ARE, *_OBJECTS)}
        fields |= {name: np.array(node[name]) for name in _IMAGES}
        fields |= {name: dict(node[name]) for name in _NUMBERS}
        fields |= {name: arrays_from_tree(node[name]) for name in _ARRAYS}
        fields |= {name: plain_tree(node[name]) for name in _TREES}
        for name, keys in node["order"].items():
            fields[name] = {key: fields[name][key] for key in keys}
        return Reconstruction(**fields)

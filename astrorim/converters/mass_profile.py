"""ASDF converter of mass profiles."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np
from asdf.extension import Converter

from astrorim.converters.trees import arrays_from_tree, plain_tree

if TYPE_CHECKING:
    from astrorim.results import MassProfile

__all__ = ["MassProfileConverter"]

_AS_THEY_ARE = ("name", "lens_model", "z_lens", "z_source")
_RADII = ("einstein_radius", "einstein_radius_samples", "critical_curve_radius")


class MassProfileConverter(Converter):
    """Writes and reads `~astrorim.results.MassProfile`, its cosmology included."""

    tags: ClassVar = ["asdf://astrorim.org/tags/mass_profile-1.*"]
    types: ClassVar = ["astrorim.results.mass_profile.MassProfile"]

    def to_yaml_tree(self, obj: MassProfile, tag: str, ctx: Any) -> dict[str, Any]:
        """Node of a mass profile."""
        cosmology = obj.cosmology.to_format("mapping", cosmology_as_str=True)
        tree = {name: getattr(obj, name) for name in (*_AS_THEY_ARE, *_RADII)}
        return tree | {
            "lens": dict(obj.lens),
            "samples": dict(obj.samples),
            "cosmology": plain_tree(cosmology),
            "mass_sheet": obj.mass_sheet,
            "wcs": obj.wcs,
            "critical_surface_density": obj.critical_surface_density,
            "einstein_mass": obj.einstein_mass,
        }

    def from_yaml_tree(self, node: dict[str, Any], tag: str, ctx: Any) -> MassProfile:
        """Mass profile of a node, its arrays in memory; masses are derived anew."""
        from astropy.cosmology import Cosmology

        from astrorim.results.mass_profile import MassProfile

        fields = {name: node[name] for name in _AS_THEY_ARE}
        fields |= {name: np.array(node[name]) * node[name].unit for name in _RADII}
        return MassProfile(
            lens=dict(node["lens"]),
            samples=arrays_from_tree(node["samples"]),
            mass_sheet=float(node.get("mass_sheet", 1.0)),
            wcs=node.get("wcs"),
            cosmology=Cosmology.from_format(dict(node["cosmology"]), format="mapping"),
            **fields,
        )

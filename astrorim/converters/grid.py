"""ASDF converter of source grids."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, ClassVar

from asdf.extension import Converter

if TYPE_CHECKING:
    from astrorim.grid import SourceGrid

__all__ = ["SourceGridConverter"]


class SourceGridConverter(Converter):
    """Writes and reads `~astrorim.grid.SourceGrid`."""

    tags: ClassVar = ["asdf://astrorim.org/tags/source_grid-1.*"]
    types: ClassVar = ["astrorim.grid.SourceGrid"]

    def to_yaml_tree(self, obj: SourceGrid, tag: str, ctx: Any) -> dict[str, Any]:
        """Node of a grid; lengths as quantities."""
        import astropy.units as u

        return {
            "shape": list(obj.shape),
            "pixel_scale": obj.pixel_scale * u.arcsec,
            "x0": obj.x0 * u.arcsec,
            "y0": obj.y0 * u.arcsec,
        }

    def from_yaml_tree(self, node: dict[str, Any], tag: str, ctx: Any) -> SourceGrid:
        """Grid of a node."""
        from astrorim.grid import SourceGrid

        lengths = {
            name: float(node[name].to_value("arcsec")) for name in ("pixel_scale", "x0", "y0")
        }
        return SourceGrid(tuple(node["shape"]), **lengths)

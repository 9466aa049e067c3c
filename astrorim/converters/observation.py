"""ASDF converter of observations."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np
from asdf.extension import Converter

from astrorim.converters.trees import plain_tree, without_none

if TYPE_CHECKING:
    from astropy.nddata import NDUncertainty

    from astrorim.observation import LensObservation

__all__ = ["LensObservationConverter"]

_CARD = 80
_KEPT = ("psf_supersampling", "band", "name", "z_lens", "z_source", "exposure", "gain")


def _meta_to_tree(meta: Any) -> dict[str, Any]:
    """Metadata as FITS cards, if they came from a FITS file, or as a mapping."""
    from astropy.io import fits

    if isinstance(meta, fits.Header):
        text = meta.tostring(sep="", endcard=False, padding=False)
        cards = [text[i : i + _CARD].rstrip() for i in range(0, len(text), _CARD)]
        return {"fits_cards": cards}
    return {"mapping": plain_tree(dict(meta))}


def _meta_from_tree(node: dict[str, Any]) -> Any:
    from astropy.io import fits

    if "fits_cards" in node:
        return fits.Header.fromstring("".join(card.ljust(_CARD) for card in node["fits_cards"]))
    return dict(node["mapping"])


def _uncertainty_to_tree(uncertainty: NDUncertainty | None) -> dict[str, Any] | None:
    if uncertainty is None:
        return None
    known = {"std", "var", "ivar"}
    if uncertainty.uncertainty_type not in known:
        raise ValueError(
            f"uncertainty must be one of the kinds {', '.join(sorted(known))} to be written, "
            f"got {uncertainty.uncertainty_type!r}; use StdDevUncertainty"
        )
    return without_none(
        {
            "kind": uncertainty.uncertainty_type,
            "array": np.asarray(uncertainty.array),
            "unit": uncertainty.unit,
        }
    )


def _uncertainty_from_tree(node: dict[str, Any] | None) -> NDUncertainty | None:
    from astropy import nddata

    if node is None:
        return None
    kinds = {
        "std": nddata.StdDevUncertainty,
        "var": nddata.VarianceUncertainty,
        "ivar": nddata.InverseVariance,
    }
    return kinds[node["kind"]](np.array(node["array"]), unit=node.get("unit"))


class LensObservationConverter(Converter):
    """Writes and reads `~astrorim.observation.LensObservation`, every attribute of it."""

    tags: ClassVar = ["asdf://astrorim.org/tags/lens_observation-1.*"]
    types: ClassVar = ["astrorim.observation.lens_observation.LensObservation"]

    def to_yaml_tree(self, obj: LensObservation, tag: str, ctx: Any) -> dict[str, Any]:
        """Node of an observation; what is not known is left out."""
        from astrorim.exceptions import ObservationError

        celestial = obj.wcs is not None and obj.wcs.has_celestial
        try:
            scale = None if celestial else obj.pixel_scale
        except ObservationError:  # neither a WCS nor a pixel scale: that is kept, too
            scale = None
        tree = {name: plain_tree(getattr(obj, name)) for name in _KEPT}
        tree |= {
            "data": np.asarray(obj.data),
            "unit": obj.unit,
            "mask": None if obj.mask is None else np.asarray(obj.mask),
            "flags": obj.flags,
            "uncertainty": _uncertainty_to_tree(obj.uncertainty),
            "wcs": obj.wcs,
            "psf": obj.psf,
            "pixel_scale": scale,
            "meta": _meta_to_tree(obj.meta),
        }
        return without_none(tree)

    def from_yaml_tree(self, node: dict[str, Any], tag: str, ctx: Any) -> LensObservation:
        """Observation of a node, its arrays in memory."""
        from astrorim.observation import LensObservation

        arrays: dict[str, Any] = {
            name: np.array(node[name]) for name in ("mask", "flags", "psf") if name in node
        }
        return LensObservation(
            np.array(node["data"]),
            unit=node["unit"],
            uncertainty=_uncertainty_from_tree(node.get("uncertainty")),
            wcs=node.get("wcs"),
            meta=_meta_from_tree(node["meta"]),
            pixel_scale=node.get("pixel_scale"),
            **arrays,
            **{name: node[name] for name in _KEPT if name in node},
        )

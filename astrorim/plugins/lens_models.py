"""The registry of lens models, which also resolves the names of sums."""

from __future__ import annotations

from collections.abc import Sequence

from astrorim.interfaces import LensModel
from astrorim.plugins.composites import CompositeRegistry, parse_composite

__all__ = ["LensModelRegistry", "parse_composite"]


class LensModelRegistry(CompositeRegistry[LensModel]):
    """The lens models that plugins bring, alone or summed.

    Components of a sum share parameters called ``x0`` and ``y0``; a component written with
    a label, ``sis@2``, has its own, all of its parameters suffixed ``_2``.
    """

    def __init__(self) -> None:
        super().__init__("lens model", LensModel, "sie+shear")

    def sum_of(self, components: Sequence[tuple[str, LensModel]]) -> LensModel:
        """See `~astrorim.lensing.SumLens`.

        Parameters
        ----------
        components : sequence of (str, LensModel)
            Label, empty for none, and model of each component.

        Returns
        -------
        `~astrorim.interfaces.LensModel`
        """
        # torch comes with this import; asking for names must not load it
        from astrorim.lensing.system import SumLens

        return SumLens(components)

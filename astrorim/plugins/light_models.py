"""The registry of light models, which also resolves the names of sums."""

from __future__ import annotations

from collections.abc import Sequence

from astrorim.interfaces import LightModel
from astrorim.plugins.composites import CompositeRegistry

__all__ = ["LightModelRegistry"]


class LightModelRegistry(CompositeRegistry[LightModel]):
    """The light models that plugins bring, alone or summed.

    A component written with a label, ``sersic@disk``, has all of its parameters suffixed
    ``_disk``; one that needs a label and has none is numbered, so that ``sersic+sersic`` is
    ``sersic+sersic@2``.
    """

    def __init__(self) -> None:
        super().__init__("light model", LightModel, "sersic+sersic")

    def sum_of(self, components: Sequence[tuple[str, LightModel]]) -> LightModel:
        """See `~astrorim.lensing.SumLight`.

        Parameters
        ----------
        components : sequence of (str, LightModel)
            Label, empty for none, and model of each component.

        Returns
        -------
        `~astrorim.interfaces.LightModel`
        """
        # torch comes with this import; asking for names must not load it
        from astrorim.lensing.light_sums import SumLight

        return SumLight(components)

"""The registry of lens models, which also resolves the names of sums."""

from __future__ import annotations

import re

from astrorim.interfaces import LensModel
from astrorim.plugins.registry import Registry

__all__ = ["LensModelRegistry", "parse_composite"]

_LABEL = re.compile(r"[A-Za-z0-9]+")


def parse_composite(name: str) -> tuple[tuple[str, str], ...]:
    """Split the name of a lens model, or of a sum of them, into its components.

    Parameters
    ----------
    name : str
        Names joined by ``+``, each optionally followed by a colon and an argument, and by
        ``@`` and a label, for example ``"sie+shear+sis@2"`` or ``"lenstronomy:EPL+sis@2"``.

    Returns
    -------
    tuple of (str, str)
        Label (empty where none is given) and name of each component, its argument
        included, in order.

    Raises
    ------
    ValueError
        If a component is empty or a label is not of letters and digits.

    Examples
    --------
    >>> from astrorim.plugins.lens_models import parse_composite
    >>> parse_composite("sie+shear+sis@2")
    (('', 'sie'), ('', 'shear'), ('2', 'sis'))
    """
    parts = []
    for text in name.split("+"):
        component, at, label = (piece.strip() for piece in text.partition("@"))
        if not component:
            raise ValueError(
                "a lens model must be a name, or names joined by '+' such as 'sie+shear', "
                f"got {name!r}"
            )
        if at and not _LABEL.fullmatch(label):
            raise ValueError(
                "the label after '@' must be of letters and digits, as in 'sis@2', "
                f"got {text.strip()!r}"
            )
        parts.append((label, component))
    return tuple(parts)


class LensModelRegistry(Registry[LensModel]):
    """The lens models that plugins bring, alone or summed."""

    def __init__(self) -> None:
        super().__init__("lens model", LensModel)

    def resolve(self, name: str) -> LensModel:
        """Make a lens model from a name or from names joined by ``+``.

        Parameters
        ----------
        name : str
            For example ``"sie"``, ``"sie+shear"`` or ``"sie+shear+sis@2"``. Components of
            a sum share parameters called ``x0`` and ``y0``; a component written with a
            label, ``sis@2``, has its own, all of its parameters suffixed ``_2``. What
            follows a colon, as in ``"lenstronomy:EPL"``, is handed to the factory.

        Returns
        -------
        `~astrorim.interfaces.LensModel`

        Raises
        ------
        UnknownNameError
            If a component is not registered.
        PluginError
            If a component does not implement the interface.
        ValueError
            If the name is malformed, an argument is missing or not wanted, or components
            have parameters of the same name that cannot be shared.
        """
        parts = parse_composite(name)
        components = [(label, self.create(component)) for label, component in parts]
        if len(components) == 1 and not components[0][0]:
            return components[0][1]
        # torch comes with this import; asking for names must not load it
        from astrorim.lensing.system import SumLens

        return SumLens(components)

    def canonical_name(self, name: str) -> str:
        """The same model with aliases replaced by names.

        Parameters
        ----------
        name : str
            As for `resolve`.

        Returns
        -------
        str
            For example ``"sie+shear"``.

        Raises
        ------
        UnknownNameError
            If a component is not registered.
        ValueError
            If the name is malformed, or an argument is missing or not wanted.
        """
        single = super().canonical_name
        return "+".join(
            single(component) + (f"@{label}" if label else "")
            for label, component in parse_composite(name)
        )

"""Names of sums of models, and the registries that resolve them."""

from __future__ import annotations

import re
from abc import abstractmethod
from collections.abc import Sequence
from typing import TypeVar

from astrorim.plugins.registry import Registry

__all__ = ["CompositeRegistry", "parse_composite"]

T = TypeVar("T")

_LABEL = re.compile(r"[A-Za-z0-9]+")


def parse_composite(
    name: str, kind: str = "lens model", example: str = "sie+shear"
) -> tuple[tuple[str, str], ...]:
    """Split the name of a model, or of a sum of models, into its components.

    Parameters
    ----------
    name : str
        Names joined by ``+``, each optionally followed by a colon and an argument, and by
        ``@`` and a label, for example ``"sie+shear+sis@2"`` or ``"lenstronomy:EPL+sis@2"``.
    kind, example : str, optional
        What is named, and a sum of two, for messages.

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
    >>> from astrorim.plugins.composites import parse_composite
    >>> parse_composite("sie+shear+sis@2")
    (('', 'sie'), ('', 'shear'), ('2', 'sis'))
    """
    parts = []
    for text in name.split("+"):
        component, at, label = (piece.strip() for piece in text.partition("@"))
        if not component:
            raise ValueError(
                f"a {kind} must be a name, or names joined by '+' such as {example!r}, "
                f"got {name!r}"
            )
        if at and not _LABEL.fullmatch(label):
            raise ValueError(
                "the label after '@' must be of letters and digits, as in "
                f"'{component}@2', got {text.strip()!r}"
            )
        parts.append((label, component))
    return tuple(parts)


class CompositeRegistry(Registry[T]):
    """Models of one kind that plugins bring, alone or summed.

    Parameters
    ----------
    kind : str
        What is registered, for messages and tables.
    interface : type
        Abstract class that everything created here implements.
    example : str
        A sum of two, for messages.
    """

    def __init__(self, kind: str, interface: type[T], example: str) -> None:
        super().__init__(kind, interface)
        self._example = example

    @abstractmethod
    def sum_of(self, components: Sequence[tuple[str, T]]) -> T:
        """Make the sum of labelled components.

        Parameters
        ----------
        components : sequence of (str, object)
            Label, empty for none, and model of each component.

        Returns
        -------
        object
            Implements `interface`.
        """

    def resolve(self, name: str) -> T:
        """Make a model from a name or from names joined by ``+``.

        Parameters
        ----------
        name : str
            As for `parse_composite`. What follows a colon is handed to the factory.

        Returns
        -------
        object
            Implements `interface`.

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
        parts = parse_composite(name, self.kind, self._example)
        components = [(label, self.create(component)) for label, component in parts]
        if len(components) == 1 and not components[0][0]:
            return components[0][1]
        return self.sum_of(components)

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
            for label, component in parse_composite(name, self.kind, self._example)
        )

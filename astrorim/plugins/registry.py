"""Typed registries: from a name to what a plugin makes of it."""

from __future__ import annotations

import difflib
import inspect
import re
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any, Generic, TypeVar

from astrorim.exceptions import PluginError, UnknownNameError

__all__ = ["Registration", "Registry"]

T = TypeVar("T")

_NAME = re.compile(r"[a-z0-9][a-z0-9._-]*")


@dataclass(frozen=True)
class Registration(Generic[T]):
    """A name, what makes the thing, and whose it is.

    Parameters
    ----------
    name : str
        Lower-case letters, digits, hyphens, underscores and dots.
    factory : callable
        Class or function that returns an object of the registry's interface.
    owner : str
        Name of the plugin.
    version : str
        Version of the distribution that the plugin comes in.
    aliases : tuple of str, optional
        Other names of the same thing.
    argument : str, optional
        What the text after a colon stands for, for example ``"PROFILE"``, where the
        factory takes such a text as its one positional argument; empty where not.

    Raises
    ------
    PluginError
        If a name is malformed or the factory cannot be called.
    """

    name: str
    factory: Callable[..., T]
    owner: str
    version: str
    aliases: tuple[str, ...] = ()
    argument: str = ""

    def __post_init__(self) -> None:
        for name in self.all_names:
            if not (isinstance(name, str) and _NAME.fullmatch(name)):
                raise PluginError(
                    f"plugin {self.owner!r} registers the name {name!r}; a name must be of "
                    "lower-case letters, digits, hyphens, underscores and dots"
                )
        if not callable(self.factory):
            raise PluginError(
                f"plugin {self.owner!r} registers {self.name!r} with "
                f"{self.factory!r}, which cannot be called; give a class or a function"
            )

    @property
    def all_names(self) -> tuple[str, ...]:
        """The name, then the aliases."""
        return (self.name, *self.aliases)

    @property
    def usage(self) -> str:
        """The name as it is to be written: ``"sie"``, or ``"lenstronomy:PROFILE"``."""
        return f"{self.name}:{self.argument}" if self.argument else self.name


class Registry(Generic[T]):
    """The things of one kind that plugins bring, by name.

    Parameters
    ----------
    kind : str
        What is registered, for messages and tables, for example ``"lens model"``.
    interface : type
        Abstract class that everything created here implements.
    """

    def __init__(self, kind: str, interface: type[T]) -> None:
        self.kind = kind
        self.interface = interface
        self._entries: dict[str, Registration[T]] = {}
        self._by_any_name: dict[str, Registration[T]] = {}

    def check(self, entries: Sequence[Registration[T]]) -> None:
        """Check that entries can be added, without adding them.

        Parameters
        ----------
        entries : sequence of `Registration`
            What is to be added together.

        Raises
        ------
        PluginError
            If a name is taken, by this or by another plugin (both are named), or a
            class does not implement the interface.
        """
        claimed = dict(self._by_any_name)
        for entry in entries:
            for name in entry.all_names:
                if name in claimed:
                    raise PluginError(
                        f"{self.kind} {name!r} is registered by plugin "
                        f"{claimed[name].owner!r} and again by plugin {entry.owner!r}; "
                        "rename one of them, or leave a plugin out with "
                        "ASTRORIM_BLOCK_PLUGINS"
                    )
                claimed[name] = entry
            if isinstance(entry.factory, type):
                self._check_class(entry.factory, entry)

    def add(self, entry: Registration[T]) -> None:
        """Add one entry.

        Parameters
        ----------
        entry : `Registration`
            What is to be added.

        Raises
        ------
        PluginError
            As `check` says.
        """
        self.check([entry])
        self._entries[entry.name] = entry
        self._by_any_name |= dict.fromkeys(entry.all_names, entry)

    def names(self) -> tuple[str, ...]:
        """The registered names, aliases left out, in order of registration."""
        return tuple(self._entries)

    def entry(self, name: str) -> Registration[T]:
        """What is registered under a name or an alias.

        Parameters
        ----------
        name : str
            Name or alias, with or without an argument after a colon.

        Returns
        -------
        `Registration`

        Raises
        ------
        UnknownNameError
            If there is none; the message lists the names that exist.
        """
        head = name.partition(":")[0].strip() if isinstance(name, str) else name
        try:
            return self._by_any_name[head]
        except (KeyError, TypeError):
            raise self._unknown(head) from None

    def create(self, name: str, **options: Any) -> T:
        """Make what is registered under a name.

        Parameters
        ----------
        name : str
            Name or alias, followed by a colon and an argument where the factory takes
            one: ``"lenstronomy:EPL"``.
        **options
            Handed to the factory.

        Returns
        -------
        object
            Implements `interface`.

        Raises
        ------
        UnknownNameError
            If nothing is registered under that name.
        ValueError
            If an argument is missing, or given to what takes none.
        PluginError
            If what the factory returns does not implement the interface.
        """
        entry, arguments = self._split(name)
        created = entry.factory(*arguments, **options)
        self._check_class(type(created), entry)
        return created

    def canonical_name(self, name: str) -> str:
        """The same name with an alias replaced; an argument is kept.

        Parameters
        ----------
        name : str
            As for `create`.

        Returns
        -------
        str

        Raises
        ------
        UnknownNameError
            If nothing is registered under that name.
        ValueError
            If an argument is missing, or given to what takes none.
        """
        entry, arguments = self._split(name)
        return ":".join([entry.name, *arguments])

    def owner(self, name: str) -> str:
        """Name of the plugin that registered ``name``."""
        return self.entry(name).owner

    def __contains__(self, name: object) -> bool:
        return isinstance(name, str) and name.partition(":")[0] in self._by_any_name

    def __iter__(self) -> Iterator[Registration[T]]:
        return iter(self._entries.values())

    def __len__(self) -> int:
        return len(self._entries)

    def __repr__(self) -> str:
        return f"<Registry of {len(self)} {self.kind}s: {', '.join(self.names())}>"

    def _split(self, name: str) -> tuple[Registration[T], tuple[str, ...]]:
        """What is registered, and the text after the colon where there is one."""
        entry = self.entry(name)
        _, colon, argument = (text.strip() for text in name.partition(":"))
        if colon and not entry.argument:
            raise ValueError(
                f"{self.kind} {entry.name!r} takes nothing after a colon, got {name!r}; "
                f"write {entry.usage!r}"
            )
        if entry.argument and not argument:
            raise ValueError(
                f"{self.kind} {entry.name!r} needs a {entry.argument} after a colon, as in "
                f"{entry.usage!r}, got {name!r}"
            )
        return entry, (argument,) if argument else ()

    def _unknown(self, name: str) -> UnknownNameError:
        error = UnknownNameError(self.kind, name, self.names())
        close = difflib.get_close_matches(str(name), list(self._by_any_name), n=1)
        if close:
            error.add_note(f"did you mean {close[0]!r}?")
        return error

    def _check_class(self, cls: type, entry: Registration[T]) -> None:
        what = f"{self.kind} {entry.name!r} of plugin {entry.owner!r}"
        if not issubclass(cls, self.interface):
            raise PluginError(
                f"{what} must implement {self.interface.__module__}."
                f"{self.interface.__name__}, got {cls.__module__}.{cls.__qualname__}; "
                "derive the class from the interface"
            )
        missing = set(getattr(cls, "__abstractmethods__", ()))
        missing |= {
            name for name in inspect.get_annotations(self.interface) if not hasattr(cls, name)
        }
        if missing:
            raise PluginError(
                f"{what}, {cls.__module__}.{cls.__qualname__}, does not define "
                f"{', '.join(sorted(missing))}"
            )

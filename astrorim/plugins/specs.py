"""The hooks: what a plugin may implement to bring something of its own.

A plugin is a module (or object) named by an entry point of the group
``astrorim.plugins``. Each of its functions marked with `hookimpl` and named like one of
the hooks below is called once, when plugins are loaded, with a ``register`` function.

A hook should be quick and import nothing heavy: what it registers are *factories*,
called when somebody asks for the name.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Protocol, TypeVar

import pluggy

if TYPE_CHECKING:
    from astrorim.interfaces import (
        PSF,
        LensModel,
        LightModel,
        NetworkBackend,
        Normalizer,
        Simulator,
    )

__all__ = [
    "API_VERSION",
    "ENTRY_POINT_GROUP",
    "Register",
    "astrorim_register_lens_models",
    "astrorim_register_light_models",
    "astrorim_register_networks",
    "astrorim_register_normalizers",
    "astrorim_register_psfs",
    "astrorim_register_simulators",
    "hookimpl",
]

API_VERSION = 1
"""Version of the hooks and interfaces. A plugin may say which one it was written for in
a module attribute ``ASTRORIM_API_VERSION``; one written for another version is refused."""

ENTRY_POINT_GROUP = "astrorim.plugins"
"""Entry-point group in which plugins, ours included, announce themselves."""

hookspec = pluggy.HookspecMarker("astrorim")
hookimpl = pluggy.HookimplMarker("astrorim")
"""Decorator that marks a function of a plugin as the implementation of a hook."""

T_contra = TypeVar("T_contra", contravariant=True)


class Register(Protocol[T_contra]):
    """What a hook is given: a function that takes a name and a factory."""

    def __call__(
        self,
        name: str,
        factory: Callable[..., T_contra],
        aliases: Sequence[str] = (),
        *,
        argument: str = "",
    ) -> None:
        """Register a factory under a name.

        Parameters
        ----------
        name : str
            Lower-case letters, digits, hyphens, underscores and dots.
        factory : callable
            Class or function that returns an object of the hook's interface. It is
            called with the options that the user gives, by keyword.
        aliases : sequence of str, optional
            Other names of the same thing.
        argument : str, optional
            What a text after a colon stands for, in upper case, for example
            ``"PROFILE"``: users then write ``name:TEXT``, and the factory gets the text as
            its one positional argument. Empty for a name that stands alone.

        Raises
        ------
        PluginError
            If the name is malformed or taken, or a class does not implement the
            interface.
        """


@hookspec
def astrorim_register_lens_models(register: Register[LensModel]) -> None:
    """Register lens models.

    Parameters
    ----------
    register : Register of `~astrorim.interfaces.LensModel`
        To be called as ``register(name, factory, aliases=())``.
    """


@hookspec
def astrorim_register_light_models(register: Register[LightModel]) -> None:
    """Register light models.

    Parameters
    ----------
    register : Register of `~astrorim.interfaces.LightModel`
        To be called as ``register(name, factory, aliases=())``.
    """


@hookspec
def astrorim_register_simulators(register: Register[Simulator]) -> None:
    """Register simulators.

    Parameters
    ----------
    register : Register of `~astrorim.interfaces.Simulator`
        To be called as ``register(name, factory, aliases=())``.
    """


@hookspec
def astrorim_register_normalizers(register: Register[Normalizer]) -> None:
    """Register normalizers.

    Parameters
    ----------
    register : Register of `~astrorim.interfaces.Normalizer`
        To be called as ``register(name, factory, aliases=())``.
    """


@hookspec
def astrorim_register_psfs(register: Register[PSF]) -> None:
    """Register point spread functions.

    Parameters
    ----------
    register : Register of `~astrorim.interfaces.PSF`
        To be called as ``register(name, factory, aliases=())``.
    """


@hookspec
def astrorim_register_networks(register: Register[NetworkBackend]) -> None:
    """Register network backends.

    Parameters
    ----------
    register : Register of `~astrorim.interfaces.NetworkBackend`
        To be called as ``register(name, factory, aliases=())``.
    """

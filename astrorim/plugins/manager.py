"""Finding plugins, loading them one by one, and filling the registries."""

from __future__ import annotations

import functools
import importlib.metadata
import os
import warnings
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from importlib.metadata import EntryPoint
from types import MappingProxyType
from typing import Any, NamedTuple

import pluggy

from astrorim.exceptions import PluginError, PluginWarning
from astrorim.interfaces import PSF, NetworkBackend, Normalizer, Simulator
from astrorim.plugins import specs
from astrorim.plugins.lens_models import LensModelRegistry
from astrorim.plugins.light_models import LightModelRegistry
from astrorim.plugins.registry import Registration, Registry

__all__ = ["BLOCK_VARIABLE", "PluginRow", "Plugins", "load_plugins"]

BLOCK_VARIABLE = "ASTRORIM_BLOCK_PLUGINS"
"""Environment variable with the names of plugins to leave out, separated by commas."""

_BUILTIN = "astrorim-builtin"


class PluginRow(NamedTuple):
    """One line of the table of what plugins bring."""

    kind: str
    name: str
    owner: str
    version: str
    aliases: tuple[str, ...]


@dataclass(frozen=True)
class Plugins:
    """What the installed plugins bring, by kind, and which of them failed.

    Parameters
    ----------
    lens_models : `LensModelRegistry`
        Of `~astrorim.interfaces.LensModel`.
    light_models : `LightModelRegistry`
        Of `~astrorim.interfaces.LightModel`.
    simulators : `Registry`
        Of `~astrorim.interfaces.Simulator`.
    normalizers : `Registry`
        Of `~astrorim.interfaces.Normalizer`.
    psfs : `Registry`
        Of `~astrorim.interfaces.PSF`.
    networks : `Registry`
        Of `~astrorim.interfaces.NetworkBackend`.
    loaded : mapping of str to str
        Name and version of each plugin that was loaded.
    failures : mapping of str to str
        Name of each plugin that was left out, and why.
    blocked : tuple of str
        Names of the plugins left out on request.
    """

    lens_models: LensModelRegistry = field(default_factory=LensModelRegistry)
    light_models: LightModelRegistry = field(default_factory=LightModelRegistry)
    simulators: Registry[Simulator] = field(
        default_factory=lambda: Registry("simulator", Simulator)
    )
    normalizers: Registry[Normalizer] = field(
        default_factory=lambda: Registry("normalizer", Normalizer)
    )
    psfs: Registry[PSF] = field(default_factory=lambda: Registry("PSF", PSF))
    networks: Registry[NetworkBackend] = field(
        default_factory=lambda: Registry("network", NetworkBackend)
    )
    loaded: Mapping[str, str] = field(default_factory=dict)
    failures: Mapping[str, str] = field(default_factory=dict)
    blocked: tuple[str, ...] = ()

    def by_hook(self) -> dict[str, Registry[Any]]:
        """Each hook's name with the registry that it fills."""
        return {
            "astrorim_register_lens_models": self.lens_models,
            "astrorim_register_light_models": self.light_models,
            "astrorim_register_simulators": self.simulators,
            "astrorim_register_normalizers": self.normalizers,
            "astrorim_register_psfs": self.psfs,
            "astrorim_register_networks": self.networks,
        }

    def table(self) -> list[PluginRow]:
        """Kind, name (as it is written), owner, version and aliases of all that there is."""
        return [
            PluginRow(registry.kind, entry.usage, entry.owner, entry.version, entry.aliases)
            for registry in self.by_hook().values()
            for entry in registry
        ]


def load_plugins(*, entry_points: Iterable[EntryPoint] | None = None) -> Plugins:
    """Load the installed plugins.

    Ours come first and through the same entry-point group as anybody's. A plugin that
    cannot be loaded, misspells a hook, was written for another version of the hooks, or
    claims a name that is taken is left out as a whole, with a warning; the others are not
    affected. Installed plugins are loaded once in a process.

    Parameters
    ----------
    entry_points : iterable of `importlib.metadata.EntryPoint`, optional
        Load these, anew, instead of the installed ones.

    Returns
    -------
    `Plugins`

    Warns
    -----
    PluginWarning
        For each plugin that is left out because it is broken.

    Examples
    --------
    >>> from astrorim.plugins import load_plugins
    >>> plugins = load_plugins()
    >>> plugins.lens_models.names()
    ('sie', 'sis', 'epl', 'nfw', 'shear', 'mass-sheet', 'lenstronomy')
    >>> plugins.simulators.entry("v1").name
    'foundation'
    """
    blocked = os.environ.get(BLOCK_VARIABLE, "")
    if entry_points is None:
        return _load_installed(blocked)
    return _load(entry_points, blocked)


@functools.cache
def _load_installed(blocked: str) -> Plugins:
    return _load(importlib.metadata.entry_points(group=specs.ENTRY_POINT_GROUP), blocked)


def _load(entry_points: Iterable[EntryPoint], blocked: str) -> Plugins:
    refused = tuple(name.strip() for name in blocked.split(",") if name.strip())
    manager = pluggy.PluginManager("astrorim")
    manager.add_hookspecs(specs)
    loaded: dict[str, str] = {}
    failures: dict[str, str] = {}
    plugins = Plugins(
        loaded=MappingProxyType(loaded), failures=MappingProxyType(failures), blocked=refused
    )
    for point in sorted(entry_points, key=lambda p: (p.name != _BUILTIN, p.name, p.value)):
        if point.name in refused:
            continue
        version = point.dist.version if point.dist is not None else "unknown"
        try:
            _load_one(point, version, manager, plugins)
        except Exception as error:  # noqa: BLE001  (whatever a stranger's code raises)
            label = point.name
            if label in loaded or label in failures:
                label = f"{point.name} ({point.value})"
            failures[label] = f"{type(error).__name__}: {error}"
            warnings.warn(
                f"plugin {label!r} is left out: {failures[label]}",
                PluginWarning,
                stacklevel=4,
            )
        else:
            loaded[point.name] = version
    return plugins


def _load_one(
    point: EntryPoint, version: str, manager: pluggy.PluginManager, plugins: Plugins
) -> None:
    """Load one plugin and add all that it registers, or raise and add nothing."""
    if manager.has_plugin(point.name):
        raise PluginError(
            f"two plugins are called {point.name!r}; the other one is "
            f"{manager.get_plugin(point.name)!r}"
        )
    module = point.load()
    written_for = getattr(module, "ASTRORIM_API_VERSION", specs.API_VERSION)
    if written_for != specs.API_VERSION:
        raise PluginError(
            f"it was written for version {written_for!r} of the plugin hooks, this AstroRIM "
            f"has version {specs.API_VERSION}; install matching versions"
        )
    try:
        manager.register(module, name=point.name)
        manager.check_pending()
        staged = _harvest(point.name, version, manager, plugins)
    except Exception:
        manager.unregister(name=point.name)
        raise
    for registry, entries in staged:
        for entry in entries:
            registry.add(entry)


def _harvest(
    owner: str, version: str, manager: pluggy.PluginManager, plugins: Plugins
) -> list[tuple[Registry[Any], list[Registration[Any]]]]:
    """Call one plugin's hooks; what they register is checked but not yet added."""
    plugin = manager.get_plugin(owner)
    hooks = [caller.name for caller in manager.get_hookcallers(plugin) or ()]
    if not hooks:
        raise PluginError(
            "it implements none of the hooks; mark its functions with "
            "@astrorim.plugins.hookimpl and name them like the hooks: "
            f"{', '.join(plugins.by_hook())}"
        )
    others = [other for other in manager.get_plugins() if other is not plugin]
    staged = []
    for hook, registry in plugins.by_hook().items():
        if hook not in hooks:
            continue
        entries: list[Registration[Any]] = []
        caller = manager.subset_hook_caller(hook, others)
        caller(register=_collector(entries, owner, version))
        registry.check(entries)
        staged.append((registry, entries))
    return staged


def _collector(
    entries: list[Registration[Any]], owner: str, version: str
) -> Callable[..., None]:
    def register(
        name: str,
        factory: Callable[..., Any],
        aliases: Sequence[str] = (),
        *,
        argument: str = "",
    ) -> None:
        entry = Registration(name, factory, owner, version, tuple(aliases), argument)
        entries.append(entry)

    return register

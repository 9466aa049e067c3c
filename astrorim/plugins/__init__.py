"""Hooks, registries and the manager that fills them from installed plugins."""

from __future__ import annotations

from astrorim.plugins.lens_models import LensModelRegistry
from astrorim.plugins.light_models import LightModelRegistry
from astrorim.plugins.manager import PluginRow, Plugins, load_plugins
from astrorim.plugins.registry import Registration, Registry
from astrorim.plugins.specs import API_VERSION, Register, hookimpl

__all__ = [
    "API_VERSION",
    "LensModelRegistry",
    "LightModelRegistry",
    "PluginRow",
    "Plugins",
    "Register",
    "Registration",
    "Registry",
    "hookimpl",
    "load_plugins",
]

"""Simulators: the populations of strong lenses that AstroRIM draws and renders."""

from __future__ import annotations

from astrorim_plugins.simulators.foundation import Foundation

__all__ = ["Foundation"]

"""Sources behind the simulated lenses: analytic components and real galaxy images."""

from __future__ import annotations

from astrorim_plugins.simulators.sources.components import ComponentSource

__all__ = ["ComponentSource"]

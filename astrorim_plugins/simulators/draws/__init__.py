"""From drawn quantities to lenses: the mass, the light and the source of each."""

from __future__ import annotations

from astrorim_plugins.simulators.draws.population import Population, draw_population

__all__ = ["Population", "draw_population"]

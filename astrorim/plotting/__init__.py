"""Figures; matplotlib is imported here and nowhere else, and never its global state."""

from __future__ import annotations

from astrorim.plotting.diagnostic import plot_reconstruction
from astrorim.plotting.html import figure_to_pdf, figure_to_png

__all__ = ["figure_to_pdf", "figure_to_png", "plot_reconstruction"]

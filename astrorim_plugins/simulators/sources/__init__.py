"""Sources behind the simulated lenses: analytic components and real galaxy images."""

from __future__ import annotations

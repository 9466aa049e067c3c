"""Inference driven by the exact likelihood, and how well it does."""

from __future__ import annotations

from astrorim.inference.error_calibration import measure_error_factors
from astrorim.inference.evaluation import evaluate_lens, evaluate_simulator
from astrorim.inference.refiner import LensRefiner

__all__ = ["LensRefiner", "evaluate_lens", "evaluate_simulator", "measure_error_factors"]

"""How a network is trained."""

from __future__ import annotations

from dataclasses import dataclass

import torch

from astrorim.rim.training_batches import VALIDATION_SEED

__all__ = ["TrainingOptions"]

_AT_ONCE = 1024
"""Lenses drawn at once on a GPU: so many that the launch of a kernel takes no longer than
its work."""


@dataclass(frozen=True)
class TrainingOptions:
    """How to train.

    Parameters
    ----------
    output_dir : str
        Where weights, state and log go.
    minutes : float
        Time budget, over all resumed runs, validations included; the learning rate falls
        to zero at its end.
    batch_size : int, optional
        Lenses simulated for a step.
    learning_rate : float, optional
        Peak of the schedule: a linear warm-up, then a half cosine.
    seed : int, optional
        Of the dataset; below 10^9 - 1, since validation and evaluation own the others.
    pixel_scales : tuple of float, optional
        Range of the detector's pixel scale, arcsec, drawn per batch.
    warm_up : int, optional
        Steps of the warm-up.
    decay : float, optional
        Of the exponential moving average of the weights.
    clip : float, optional
        Largest norm of the gradient.
    report_minutes : float, optional
        Between validations, each of which writes a checkpoint.
    num_threads : int, optional
        Threads to compute with; torch's own choice when zero.
    mixed_precision : bool, optional
        Whether the networks are evaluated in bfloat16; physics and losses stay in
        float32.
    wide_light : bool, optional
        Whether the encoder also sees lens galaxies much brighter and larger than the
        simulator draws, as real ones are.
    masks : bool, optional
        Whether the networks see masked pixels, as real images have them.
    copies : int, optional
        Symmetric copies of each lens with noise of their own that the encoder sees in a
        step.
    num_steps : int, optional
        Steps of the recurrence.
    device : str, optional
        Where lenses are simulated and networks trained, ``"cpu"`` or ``"cuda"``.
    draw_at_once : int, optional
        Least number of lenses that a simulator draws at once, handed out in several
        batches; by default, zero, those of a batch on a processor and 1024 on a GPU.

    Raises
    ------
    ValueError
        If a value is out of its range.
    """

    output_dir: str
    minutes: float
    batch_size: int = 16
    learning_rate: float = 1e-3
    seed: int = 1
    pixel_scales: tuple[float, float] = (0.04, 0.04)
    warm_up: int = 50
    decay: float = 0.995
    clip: float = 1.0
    report_minutes: float = 2.0
    num_threads: int = 0
    mixed_precision: bool = False
    wide_light: bool = False
    masks: bool = False
    copies: int = 2
    num_steps: int = 6
    device: str = "cpu"
    draw_at_once: int = 0

    def __post_init__(self) -> None:
        if not 0 <= self.seed < VALIDATION_SEED:
            raise ValueError(
                f"seed must be between 0 and 10^9 - 2 for training, got {self.seed}; "
                "10^9 - 1 is kept for validation, seeds above for evaluation"
            )
        for name in (
            "minutes", "batch_size", "learning_rate", "clip", "report_minutes", "copies",
            "num_steps",
        ):  # fmt: skip
            if not getattr(self, name) > 0:
                raise ValueError(f"{name} must be positive, got {getattr(self, name)}")
        if not 0 <= self.decay < 1:
            raise ValueError(f"decay must be at least 0 and below 1, got {self.decay}")
        if self.draw_at_once < 0:
            raise ValueError(f"draw_at_once must be at least 0, got {self.draw_at_once}")

    @property
    def at_once(self) -> int:
        """Least number of lenses that are drawn at once."""
        on_processor = torch.device(self.device).type == "cpu"
        return self.draw_at_once or (1 if on_processor else _AT_ONCE)

"""The Recurrent Inference Machine: networks in use, their training and checkpoints."""

from __future__ import annotations

from astrorim.rim.checkpoint import Checkpoint, load_checkpoint, save_checkpoint
from astrorim.rim.recipes import make_trainer
from astrorim.rim.reconstructor import RIMReconstructor
from astrorim.rim.shards import ShardDataset
from astrorim.rim.training import Trainer
from astrorim.rim.training_batches import DrawnBatches, MixedBatches, StoredBatches
from astrorim.rim.training_options import TrainingOptions

__all__ = [
    "Checkpoint",
    "DrawnBatches",
    "MixedBatches",
    "RIMReconstructor",
    "ShardDataset",
    "StoredBatches",
    "Trainer",
    "TrainingOptions",
    "load_checkpoint",
    "make_trainer",
    "save_checkpoint",
]

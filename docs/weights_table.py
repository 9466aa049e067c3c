"""Writes a table of the shipped weights, from what the checkpoints say of themselves."""

from __future__ import annotations

from typing import TYPE_CHECKING

from registry_tables import list_table

from astrorim.plugins import load_plugins
from astrorim.rim import load_checkpoint

if TYPE_CHECKING:
    from pathlib import Path

__all__ = ["write_weights_table"]


def write_weights_table(path: Path) -> None:
    """Write the table of every network backend that comes with weights.

    Parameters
    ----------
    path : pathlib.Path
        The file to write.
    """
    plugins = load_plugins()
    rows = []
    for name in plugins.networks.names():
        file = plugins.networks.create(name).weights()
        if file is None:
            continue
        checkpoint = load_checkpoint(file, plugins)
        about = checkpoint.provenance
        numbers = sum(p.numel() for p in checkpoint.network.parameters())
        measures = ", ".join(f"{k} {v:.3g}" for k, v in about["measures"].items())
        rows.append(
            (
                f"``{name}``",
                checkpoint.role,
                f"{numbers / 1e6:.2f} million",
                f"{file.stat().st_size / 1e6:.1f} MB",
                f"{about['simulator']}, {about['lenses_seen']} lenses",
                f"{about['minutes']:.0f} minutes on {about['hardware']}",
                measures,
                f"``{checkpoint.sha256[:12]}``",
            )
        )
    header = (
        "backend", "role", "parameters", "file", "trained on", "wall time", "validation",
        "sha256",
    )  # fmt: skip
    path.write_text("\n".join(list_table("Shipped weights", header, rows)), encoding="utf-8")

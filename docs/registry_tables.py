"""Writes tables of the built-in plugins, their parameters and weights, from the registries."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

from astrorim.plugins import load_plugins
from astrorim.rim import load_checkpoint

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from astrorim.parameters import Parameter

__all__ = ["write_registry_tables", "write_weights_table"]

BUILTIN = "astrorim-builtin"


def list_table(title: str, header: Sequence[str], rows: Iterable[Sequence[str]]) -> list[str]:
    """Lines of a reStructuredText list table."""
    lines = [f".. list-table:: {title}", "   :header-rows: 1", ""]
    for row in [header, *rows]:
        starts = ["* -", *["  -"] * (len(row) - 1)]
        cells = zip(starts, row, strict=True)
        lines += [f"   {start} {cell}".rstrip() for start, cell in cells]
    return [*lines, ""]


def parameter_row(parameter: Parameter) -> Sequence[str]:
    """One line of a table of parameters."""
    low, high = parameter.support
    prior_low, prior_high = parameter.prior
    return (
        f"``{parameter.name}``",
        f":math:`{parameter.symbol}`",
        parameter.description,
        str(parameter.unit) or "1",
        f"{low:g} to {high:g}",
        f"{prior_low:g} to {prior_high:g}",
    )


def write_registry_tables(folder: Path) -> None:
    """Write ``builtin_names.inc`` and ``builtin_parameters.inc`` into a folder."""
    folder.mkdir(parents=True, exist_ok=True)
    plugins = load_plugins()
    rows = [row for row in plugins.table() if row.owner == BUILTIN]
    names = list_table(
        "Built-in plugins",
        ("kind", "name", "also called"),
        (
            (row.kind, f"``{row.name}``", ", ".join(f"``{alias}``" for alias in row.aliases))
            for row in rows
        ),
    )
    (folder / "builtin_names.inc").write_text("\n".join(names), encoding="utf-8")
    header = ("name", "symbol", "what it is", "unit", "support", "prior")
    tables: list[str] = []
    for registry in (plugins.lens_models, plugins.light_models):
        for entry in registry:
            if entry.owner == BUILTIN and not entry.argument:
                parameters = registry.create(entry.name).parameters
                title = f"Parameters of the {registry.kind} ``{entry.name}``"
                tables += list_table(title, header, map(parameter_row, parameters))
    (folder / "builtin_parameters.inc").write_text("\n".join(tables), encoding="utf-8")


def _kinds(simulators: str) -> str:
    """Names of the simulators, each once."""
    return ", ".join(dict.fromkeys(name.split(" ")[0] for name in simulators.split(", ")))


def _lenses(about: dict[str, Any]) -> int:
    """Lenses seen by a network, in earlier runs too."""
    before = about.get("started_from")
    return int(about["lenses_seen"]) + (_lenses(before) if before else 0)


def _runs(about: dict[str, Any]) -> list[str]:
    """How long the runs were that made a network, the first one first."""
    before = about.get("started_from")
    own = f"{about['minutes']:.0f} minutes on {about['hardware']}"
    return [*(_runs(before) if before else []), own]


def _headlines(measures: dict[str, float]) -> dict[str, float]:
    """All measures, or where there are those of several simulators one of each."""
    if not any(" " in name for name in measures):
        return measures
    found = {}
    for name, value in measures.items():
        kind, measure = name.rsplit(" ", 1)
        if measure in ("theta_E_error", "source_error") and " " not in kind:
            found[f"{kind} {measure}"] = value
    return found


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
        measures = ", ".join(f"{k} {v:.3g}" for k, v in _headlines(about["measures"]).items())
        rows.append(
            (
                f"``{name}``",
                checkpoint.role,
                f"{numbers / 1e6:.2f} million",
                f"{file.stat().st_size / 1e6:.1f} MB",
                f"{_kinds(about['simulator'])}, {_lenses(about)} lenses",
                ", then ".join(_runs(about)),
                measures,
                f"``{checkpoint.sha256[:12]}``",
            )
        )
    header = (
        "backend", "role", "parameters", "file", "trained on", "wall time", "validation",
        "sha256",
    )  # fmt: skip
    path.write_text("\n".join(list_table("Shipped weights", header, rows)), encoding="utf-8")

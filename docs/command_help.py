"""Writes what ``--help`` says for each subcommand."""

from __future__ import annotations

import argparse
import os
from pathlib import Path

from astrorim.cli.main import build_parser

__all__ = ["subcommands", "write_command_help"]

WIDTH = "88"


def subcommands() -> dict[str, argparse.ArgumentParser]:
    """The parser of each subcommand, by name."""
    (commands,) = (
        action
        for action in build_parser()._actions  # noqa: SLF001  (argparse has no other way)
        if isinstance(action, argparse._SubParsersAction)  # noqa: SLF001
    )
    return dict(commands.choices)


def write_command_help(path: Path) -> None:
    """Write one section per subcommand."""
    columns = os.environ.get("COLUMNS")
    os.environ["COLUMNS"] = WIDTH
    lines: list[str] = []
    try:
        for name, parser in subcommands().items():
            title = f"astrorim {name}"
            lines += [title, "=" * len(title), "", ".. code-block:: text", ""]
            lines += [f"    {line}".rstrip() for line in parser.format_help().splitlines()]
            lines.append("")
    finally:
        if columns is None:
            del os.environ["COLUMNS"]
        else:
            os.environ["COLUMNS"] = columns
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("\n".join(lines), encoding="utf-8")

"""``astrorim plugins``: what the installed plugins bring, and which of them failed."""

from __future__ import annotations

import argparse
import json
import warnings
from typing import TYPE_CHECKING

from astrorim.cli.arguments import Subparsers, add_command

if TYPE_CHECKING:
    from astrorim.plugins import Plugins

__all__ = ["add_parser", "plugin_document", "plugin_lines", "run"]

_HEADINGS = ("kind", "name", "owner", "version", "aliases")


def add_parser(commands: Subparsers) -> None:
    """Add the subcommand to the parser.

    Parameters
    ----------
    commands : object
        What ``add_subparsers`` returned.
    """
    parser = add_command(
        commands,
        "plugins",
        run,
        summary="list what plugins bring, and which of them failed",
        description=(
            "List every lens model, light model, simulator, normalizer, PSF and network\n"
            "that plugins register, with the plugin that owns it and its version. A plugin\n"
            "that could not be loaded is listed as FAILED with the reason, and the exit\n"
            "status is 1. ASTRORIM_BLOCK_PLUGINS=name,name leaves plugins out."
        ),
        examples="  astrorim plugins\n  astrorim plugins --json",
    )
    parser.add_argument("--json", action="store_true", help="write JSON instead of a table")


def run(args: argparse.Namespace) -> int:
    """List the plugins.

    Parameters
    ----------
    args : argparse.Namespace
        With ``json``.

    Returns
    -------
    int
        1 if a plugin failed.
    """
    from astrorim.exceptions import PluginWarning
    from astrorim.plugins import load_plugins

    with warnings.catch_warnings():
        # what they say is part of the list
        warnings.simplefilter("ignore", PluginWarning)
        plugins = load_plugins()
    if args.json:
        print(json.dumps(plugin_document(plugins), indent=2))
    else:
        print("\n".join(plugin_lines(plugins)))
    return int(bool(plugins.failures))


def plugin_document(plugins: Plugins) -> dict[str, object]:
    """What plugins bring, as plain JSON types.

    Parameters
    ----------
    plugins : Plugins
        What was loaded.

    Returns
    -------
    dict
        ``plugins``, ``failures`` and ``blocked``.
    """
    return {
        "plugins": [row._asdict() for row in plugins.table()],
        "failures": dict(plugins.failures),
        "blocked": list(plugins.blocked),
    }


def plugin_lines(plugins: Plugins) -> list[str]:
    """What plugins bring, as the lines of a table.

    Parameters
    ----------
    plugins : Plugins
        What was loaded.

    Returns
    -------
    list of str
    """
    rows = [
        (row.kind, row.name, row.owner, row.version, " ".join(row.aliases))
        for row in plugins.table()
    ]
    widths = [max(map(len, column)) for column in zip(_HEADINGS, *rows, strict=True)]
    lines = [
        "  ".join(text.ljust(width) for text, width in zip(row, widths, strict=True)).rstrip()
        for row in (_HEADINGS, *rows)
    ]
    lines += [f"FAILED   {name}: {why}" for name, why in plugins.failures.items()]
    lines += [
        f"BLOCKED  {name}: left out by ASTRORIM_BLOCK_PLUGINS" for name in plugins.blocked
    ]
    return lines

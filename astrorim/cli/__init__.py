"""The command line, ``astrorim``: one small module for each subcommand."""

from __future__ import annotations

from astrorim.cli.main import main

__all__ = ["main"]

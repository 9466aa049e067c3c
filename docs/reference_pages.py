"""Writes one page of the reference per part of the packages, from the source tree."""

from __future__ import annotations

import importlib
import pkgutil
from collections.abc import Iterator
from pathlib import Path

__all__ = ["public_modules", "write_reference_pages"]

PACKAGES = ("astrorim", "astrorim_plugins")
ELSEWHERE = ("astrorim.cli",)
"""Documented on a page of their own: what they offer are commands."""


def public_modules(package: str) -> Iterator[str]:
    """Names of a package and of all modules in it, private ones left out."""
    yield package
    path = importlib.import_module(package).__path__
    for info in pkgutil.walk_packages(path, package + "."):
        private = any(part.startswith("_") for part in info.name.split("."))
        if not private and not info.name.startswith(ELSEWHERE):
            yield info.name


def own_names(module: str) -> tuple[list[str], list[str]]:
    """Public names of a module, and those of them that its package exports too."""
    names = list(getattr(importlib.import_module(module), "__all__", ()))
    parent = importlib.import_module(module.rpartition(".")[0] or module)
    exported = set(getattr(parent, "__all__", ())) if parent.__name__ != module else set()
    elsewhere = [name for name in names if name in exported]
    return names, elsewhere


def write_reference_pages(folder: Path) -> None:
    """Write ``<part>.rst`` for each module or package directly below ours.

    What a package exports is documented under the package's name, once; the modules
    inside add what is theirs alone.
    """
    folder.mkdir(parents=True, exist_ok=True)
    pages: dict[str, list[str]] = {}
    for package in PACKAGES:
        for module in public_modules(package):
            names, elsewhere = own_names(module)
            if not set(names) - set(elsewhere):
                continue
            lines = [f".. automodapi:: {module}", "   :no-heading:"]
            lines += [f"   :skip: {name}" for name in elsewhere]
            title = f"``{module}``"
            page = ".".join(module.split(".")[:2])
            heading = [title, "-" * len(title), ""]
            pages.setdefault(page, []).extend([*heading, *lines, ""])
    for page, lines in pages.items():
        title = f"{page}"
        text = "\n".join([title, "=" * len(title), "", *lines])
        path = folder / f"{page}.rst"
        if not path.exists() or path.read_text(encoding="utf-8") != text:
            path.write_text(text, encoding="utf-8")
    for path in folder.glob("*.rst"):
        if path.stem not in pages:
            path.unlink()

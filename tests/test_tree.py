"""What every module of ours has, and does not have, read from the source text."""

from __future__ import annotations

import ast
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
LONGEST = 500
MODULES = sorted(
    path
    for package in ("astrorim", "astrorim_plugins")
    for path in (ROOT / package).rglob("*.py")
    if path.name != "_version.py"
)
every_module = pytest.mark.parametrize(
    "path", MODULES, ids=lambda path: str(path.relative_to(ROOT))
)


def assigned_names(tree):
    for node in tree.body:
        for target in getattr(node, "targets", [getattr(node, "target", None)]):
            if isinstance(target, ast.Name):
                yield target.id


@every_module
def test_module_is_one_idea_long(path):
    assert len(path.read_text(encoding="utf-8").splitlines()) <= LONGEST


@every_module
def test_module_is_named_after_what_is_inside(path):
    assert path.stem not in {"utils", "helpers", "misc", "common", "tools"}


@every_module
def test_module_says_what_it_holds_and_what_is_public(path):
    tree = ast.parse(path.read_text(encoding="utf-8"))
    assert ast.get_docstring(tree)
    if tree.body[1:]:
        assert "__all__" in set(assigned_names(tree))


@every_module
def test_module_never_asserts(path):
    """Asserts vanish under ``python -O``; bad input is answered by an exception."""
    tree = ast.parse(path.read_text(encoding="utf-8"))
    asserts = [node.lineno for node in ast.walk(tree) if isinstance(node, ast.Assert)]
    if path.name == "testing.py":
        return
    assert asserts == []


def test_every_raises_in_the_tests_gives_the_message_it_expects():
    without = []
    for path in sorted((ROOT / "tests").rglob("*.py")):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if not (isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute)):
                continue
            if ast.unparse(node.func) in {"pytest.raises", "pytest.warns"} and not any(
                keyword.arg == "match" for keyword in node.keywords
            ):
                without.append(f"{path.relative_to(ROOT)}:{node.lineno}")
    assert without == []

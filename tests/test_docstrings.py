"""Docstrings name the parameters that there are, and errors that are raised."""

from __future__ import annotations

import ast
import importlib
import inspect
import textwrap
from pathlib import Path

import pytest
from numpydoc.docscrape import NumpyDocString

ROOT = Path(__file__).parents[1]


def module_name(path):
    parts = path.relative_to(ROOT).with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


def public_callables():
    """Public functions, classes and methods, each with where it is defined."""
    for package in ("astrorim", "astrorim_plugins"):
        for path in sorted((ROOT / package).rglob("*.py")):
            if path.name == "_version.py":
                continue
            module = importlib.import_module(module_name(path))
            for name in getattr(module, "__all__", ()):
                found = getattr(module, name)
                if getattr(found, "__module__", None) != module.__name__:
                    continue
                label = f"{module.__name__}.{name}"
                if inspect.isclass(found):
                    yield pytest.param(found, id=label)
                    for method, member in vars(found).items():
                        function = getattr(member, "__func__", member)
                        if inspect.isfunction(function) and not method.startswith("_"):
                            yield pytest.param(function, id=f"{label}.{method}")
                elif inspect.isfunction(found):
                    yield pytest.param(found, id=label)


CALLABLES = list(public_callables())


def section(found, name):
    return NumpyDocString(inspect.cleandoc(found.__doc__))[name]


def raised_in(found):
    """Names of the exceptions that a function itself raises.

    Left out are nested functions, and what is raised to be caught in the same function.
    """
    names = set()

    def visit(node):
        caught = node.body if isinstance(node, ast.Try) and node.handlers else []
        for child in ast.iter_child_nodes(node):
            if isinstance(child, ast.FunctionDef | ast.Lambda) or child in caught:
                continue
            if isinstance(child, ast.Raise) and isinstance(child.exc, ast.Call):
                names.add(ast.unparse(child.exc.func))
            visit(child)

    visit(ast.parse(textwrap.dedent(inspect.getsource(found))).body[0])
    return {name for name in names if name[0].isupper()}


@pytest.mark.parametrize("found", CALLABLES)
def test_documented_parameters_are_those_of_the_signature(found):
    assert found.__doc__
    documented = {
        name.strip().lstrip("*")
        for parameter in section(found, "Parameters")
        for name in parameter.name.split(",")
    }
    if not documented:
        return
    parameters = inspect.signature(found).parameters
    if not any(parameter.kind is parameter.VAR_KEYWORD for parameter in parameters.values()):
        assert documented - set(parameters) == set()
    if inspect.isfunction(found):
        assert set(parameters) - documented - {"self", "cls"} == set()


@pytest.mark.parametrize("found", [c for c in CALLABLES if inspect.isfunction(c.values[0])])
def test_errors_that_a_function_raises_are_documented(found):
    """One-line docstrings are for what needs no sections."""
    if not (section(found, "Parameters") or section(found, "Returns")):
        return
    documented = {error.type for error in section(found, "Raises")}
    assert raised_in(found) - documented - {"NotImplementedError"} == set()

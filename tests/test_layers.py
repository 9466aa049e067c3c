"""The layer table: imports only point down, proved from the source text."""

from __future__ import annotations

import ast
import json
import shutil
import subprocess
import sys
from pathlib import Path
from typing import NamedTuple

import pytest

ROOT = Path(__file__).parents[1]

LAYERS = (
    "exceptions",
    "parameters",
    "grid",
    "cosmology",
    "quantities",
    "interfaces",
    "observation",
    "preparation",
    "spectra",
    "lensing",
    "plugins",
    "results",
    "rim",
    "inference",
    "converters",
    "interchange",
    "plotting",
    "testing",
    "resources",
    "extension",
    "cli",
)
"""From the bottom to the top; a module imports from its own layer and those before it."""

UPWARD_WHEN_ASKED = {("results", "plotting"), ("results", "converters")}
"""Exceptions, inside functions only: a result draws and writes itself when it is asked to."""

HIGHEST_FOR_BUILTINS = "plugins"
"""The built-in plugins use this layer and what is below it, as strangers should."""

FILES_AND_FIGURES = ("astropy.io", "asdf", "matplotlib", "lenstronomy", "ccdproc", "photutils")

FORBIDDEN_OUTSIDE = {
    "astrorim": ("astrorim_plugins",),
    "astrorim.interfaces": ("astrorim_plugins", *FILES_AND_FIGURES),
    "astrorim.lensing": ("astrorim_plugins", *FILES_AND_FIGURES),
    "astrorim.rim": ("astrorim_plugins", *FILES_AND_FIGURES),
    "astrorim.observation": ("astrorim_plugins", "torch"),
    "astrorim.preparation": ("astrorim_plugins", "torch"),
    "astrorim.spectra": ("astrorim_plugins", "torch"),
    "astrorim.results": ("astrorim_plugins", "torch"),
    "astrorim.converters": ("astrorim_plugins", "torch"),
    "astrorim.plotting": ("astrorim_plugins", "torch"),
    "astrorim_plugins": ("matplotlib",),
    "astrorim_plugins.networks": FILES_AND_FIGURES,
}
"""Packages that a part of ours must not import, the longest matching prefix deciding."""

HEAVY_BUT_DEFERRED = {("astrorim.results", "torch")}
"""Exceptions, inside functions only: masses of a result come from its lens model, whose
functions are torch's; reading a result must not load it."""

MAY_IMPORT_MATPLOTLIB = "astrorim.plotting"


class Import(NamedTuple):
    """One imported module, where, and whether it waits until a function is called.

    What only a type checker sees waits for ever.
    """

    target: str
    line: int
    deferred: bool


def module_name(path, root):
    parts = path.relative_to(root).with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


def imports_in(source, module, *, is_package=False):
    """Every import of a module's source, those in functions and type checks included."""
    found = []

    def visit(node, deferred):
        if isinstance(node, ast.Import):
            found.extend(Import(alias.name, node.lineno, deferred) for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            base = node.module or ""
            if node.level:
                package = module.split(".")
                keep = len(package) - node.level + (1 if is_package else 0)
                base = ".".join([*package[:keep], *filter(None, [node.module])])
            found.extend(
                Import(f"{base}.{alias.name}", node.lineno, deferred) for alias in node.names
            )
        elif isinstance(node, ast.Call):
            name = getattr(node.func, "attr", getattr(node.func, "id", ""))
            first = node.args[0] if node.args else None
            literal = isinstance(first, ast.Constant) and isinstance(first.value, str)
            if name in {"import_module", "__import__"} and literal:
                found.append(Import(first.value, node.lineno, deferred))
        inside = deferred or isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)
        inside |= isinstance(node, ast.If) and ast.unparse(node.test) == "TYPE_CHECKING"
        for child in ast.iter_child_nodes(node):
            visit(child, inside)

    visit(ast.parse(source), deferred=False)
    return found


def layer_of(module):
    parts = module.split(".")
    return parts[1] if parts[0] == "astrorim" and len(parts) > 1 else None


def uses_only_version(source):
    """Whether ``astrorim.__version__`` is all that is taken from the top of the package."""
    attributes = {
        node.attr
        for node in ast.walk(ast.parse(source))
        if isinstance(node, ast.Attribute) and ast.unparse(node.value) == "astrorim"
    }
    return attributes == {"__version__"}


def starts_with(module, prefix):
    return module == prefix or module.startswith(prefix + ".")


def violations(source, module, *, is_package=False):
    """What is wrong with the imports of one module, as sentences."""
    wrong = []
    own = layer_of(module)
    if own is not None and own not in LAYERS:
        return [f"{module}: layer {own!r} is not in the table"]
    prefix = max((p for p in FORBIDDEN_OUTSIDE if starts_with(module, p)), key=len)
    forbidden = FORBIDDEN_OUTSIDE[prefix]
    if starts_with(module, "astrorim") and not starts_with(module, MAY_IMPORT_MATPLOTLIB):
        forbidden = {*forbidden, "matplotlib"}
    for target, line, deferred in imports_in(source, module, is_package=is_package):
        where = f"{module}:{line} imports {target}"
        wrong += [
            f"{where}, forbidden here"
            for package in forbidden
            if starts_with(target, package)
            and not (deferred and (prefix, package) in HEAVY_BUT_DEFERRED)
        ]
        if not starts_with(target, "astrorim") or module == "astrorim":
            continue
        theirs = layer_of(target)
        if theirs == "__version__" or (target == "astrorim" and uses_only_version(source)):
            continue
        if theirs not in LAYERS:
            if own != "cli":
                wrong.append(f"{where}, from the top of the package")
        elif own is None:
            if LAYERS.index(theirs) > LAYERS.index(HIGHEST_FOR_BUILTINS):
                wrong.append(f"{where}, above what built-in plugins may use")
        elif LAYERS.index(theirs) > LAYERS.index(own) and not (
            deferred and (own, theirs) in UPWARD_WHEN_ASKED
        ):
            wrong.append(f"{where}, which is above it")
    return wrong


def sources(root):
    return sorted(
        path
        for package in ("astrorim", "astrorim_plugins")
        for path in (root / package).rglob("*.py")
        if path.name != "_version.py"
    )


def tree_violations(root):
    return [
        sentence
        for path in sources(root)
        for sentence in violations(
            path.read_text(encoding="utf-8"),
            module_name(path, root),
            is_package=path.name == "__init__.py",
        )
    ]


@pytest.mark.parametrize("path", sources(ROOT), ids=lambda p: str(p.relative_to(ROOT)))
def test_imports_point_down(path):
    module = module_name(path, ROOT)
    source = path.read_text(encoding="utf-8")
    assert violations(source, module, is_package=path.name == "__init__.py") == []


@pytest.mark.parametrize(
    "module, line, complaint",
    [
        ("astrorim.lensing.forward", "from astrorim.rim import codec", "above it"),
        ("astrorim.lensing.forward", "from astrorim.plugins import load_plugins", "above it"),
        ("astrorim.lensing.forward", "from ..results import Reconstruction", "above it"),
        ("astrorim.lensing.forward", "import astrorim.cli.demo", "above it"),
        ("astrorim.lensing.forward", "def f():\n    from astrorim import rim", "above it"),
        ("astrorim.lensing.forward", "from astropy.io import fits", "forbidden here"),
        ("astrorim.rim.recurrence", "import lenstronomy.LensModel", "forbidden here"),
        ("astrorim.rim.recurrence", "import matplotlib.pyplot as plt", "forbidden here"),
        ("astrorim.cli.demo", "def f():\n    import matplotlib", "forbidden here"),
        ("astrorim.plugins.manager", "import astrorim_plugins.hooks", "forbidden here"),
        (
            "astrorim.plugins.manager",
            "import importlib\nimportlib.import_module('astrorim_plugins.hooks')",
            "forbidden here",
        ),
        ("astrorim.results.mass", "import torch", "forbidden here"),
        ("astrorim.results.mass", "from astrorim.plotting import figure", "above it"),
        ("astrorim.grid", "from astrorim import LensObservation", "top of the package"),
        ("astrorim.rim.joint", "import astrorim\nastrorim.Reconstruction", "top of the"),
        ("astrorim.converters.grid", "def f():\n    import torch", "forbidden here"),
        ("astrorim_plugins.psfs.moffat", "from astrorim.rim import codec", "built-in plugins"),
        ("astrorim_plugins.networks.unet_gru", "import asdf", "forbidden here"),
        ("astrorim.newcomer", "import math", "not in the table"),
    ],
)
def test_planted_import_is_detected(module, line, complaint):
    (sentence,) = violations(line, module)
    assert complaint in sentence


@pytest.mark.parametrize(
    "module, line",
    [
        ("astrorim.results.mass", "def f():\n    from astrorim.plotting import figure"),
        ("astrorim.results.mass", "def f():\n    import torch"),
        ("astrorim.results.mass", "if TYPE_CHECKING:\n    from torch import Tensor"),
        ("astrorim.rim.joint", "import astrorim\nastrorim.__version__"),
        ("astrorim.cli.demo", "from astrorim import LensObservation"),
        ("astrorim.rim.recurrence", "import torch\nfrom astrorim.lensing import forward"),
        ("astrorim_plugins.psfs.moffat", "from astrorim_plugins.psfs import _radial"),
        ("astrorim.plotting.figure", "from matplotlib.figure import Figure"),
    ],
)
def test_permitted_import_passes(module, line):
    assert violations(line, module) == []


def test_import_planted_in_a_copy_of_the_tree_is_detected(tmp_path):
    for package in ("astrorim", "astrorim_plugins"):
        shutil.copytree(ROOT / package, tmp_path / package)
    before = set(tree_violations(tmp_path))
    with (tmp_path / "astrorim" / "grid.py").open("a", encoding="utf-8") as file:
        file.write("\nfrom astrorim.plugins import load_plugins\n")
    (found,) = set(tree_violations(tmp_path)) - before
    assert found.startswith("astrorim.grid:")
    assert found.endswith("imports astrorim.plugins.load_plugins, which is above it")


def run_python(code):
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True
    )
    return json.loads(done.stdout)


def test_importing_the_package_is_quick_and_loads_nothing_heavy():
    code = (
        "import time, sys, json; start = time.perf_counter(); import astrorim; "
        "seconds = time.perf_counter() - start; "
        "print(json.dumps([seconds, sorted(sys.modules)]))"
    )
    seconds, modules = run_python(code)
    assert not {"torch", "matplotlib", "asdf", "astropy"} & set(modules)
    assert seconds < 1.0


def test_listing_plugins_does_not_load_torch():
    code = (
        "import sys, json; from astrorim import load_plugins; load_plugins().table(); "
        "print(json.dumps(sorted(sys.modules)))"
    )
    assert not {"torch", "matplotlib", "lenstronomy"} & set(run_python(code))

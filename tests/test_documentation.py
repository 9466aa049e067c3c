"""The documentation names what exists, with its real signature, and its code runs."""

from __future__ import annotations

import importlib
import inspect
import re
import sys
import tomllib

import pytest

from astrorim.plugins import load_plugins, specs

HOOKS = [name for name in specs.__all__ if name.startswith("astrorim_register_")]


@pytest.fixture(scope="module")
def page(repository):
    def read(name):
        return (repository / "docs" / f"{name}.rst").read_text(encoding="utf-8")

    return read


@pytest.fixture(scope="module")
def project(repository):
    return tomllib.loads((repository / "pyproject.toml").read_text(encoding="utf-8"))


@pytest.fixture
def docs_module(repository, monkeypatch):
    """Import a module that the documentation is built with."""

    def load(name):
        monkeypatch.syspath_prepend(str(repository / "docs"))
        monkeypatch.delitem(sys.modules, name, raising=False)
        return importlib.import_module(name)

    return load


def code_blocks(text):
    """Python code blocks of a reStructuredText page, in order."""
    pattern = r"^\.\. code-block:: python\n\n((?:(?: {4}.*)?\n)+)"
    blocks = re.findall(pattern, text, re.MULTILINE)
    return [inspect.cleandoc(block) for block in blocks]


@pytest.mark.parametrize("name", HOOKS)
def test_every_hook_is_documented_with_its_signature(name, page):
    signature = inspect.signature(getattr(specs, name))
    rendered = re.sub(r"'", "", f"{name}{signature}")
    assert rendered in page("plugins").splitlines() or f"    {rendered}" in page("plugins")


def test_documented_hooks_exist(page):
    documented = set(re.findall(r"astrorim_register_\w+", page("plugins")))
    assert documented <= set(HOOKS)


def test_every_asdf_tag_is_documented(page):
    from astrorim.extension import get_extensions

    tags = [tag.tag_uri for extension in get_extensions() for tag in extension.tags]
    assert tags
    missing = [tag for tag in tags if f"``{tag}``" not in page("results")]
    assert missing == []


def test_every_subcommand_is_documented(docs_module, tmp_path):
    help_of = docs_module("command_help")
    help_of.write_command_help(tmp_path / "commands.inc")
    text = (tmp_path / "commands.inc").read_text(encoding="utf-8")
    assert set(help_of.subcommands()) >= {
        *("demo", "info", "plugins", "reconstruct", "simulate", "train")
    }
    for name, parser in help_of.subcommands().items():
        assert f"\nastrorim {name}\n" in f"\n{text}"
        assert parser.description
        assert "examples" in parser.format_help()


def test_readme_and_quick_start_tell_the_same(page, repository):
    readme = (repository / "README.md").read_text(encoding="utf-8")
    (block,) = code_blocks(page("quick_start"))
    assert block in readme
    demo = 'pip install -e ".[test]" && astrorim demo --output-dir demo'
    assert demo in readme
    assert demo in page("quick_start")


def test_every_builtin_and_every_parameter_is_in_the_tables(docs_module, tmp_path):
    docs_module("registry_tables").write_registry_tables(tmp_path)
    names = (tmp_path / "builtin_names.inc").read_text(encoding="utf-8")
    parameters = (tmp_path / "builtin_parameters.inc").read_text(encoding="utf-8")
    plugins = load_plugins()
    assert [row.name for row in plugins.table() if f"``{row.name}``" not in names] == []
    for registry in (plugins.lens_models, plugins.light_models):
        for entry in registry:
            # what takes an argument has as many tables as there are arguments
            for parameter in () if entry.argument else registry.create(entry.name).parameters:
                assert parameter.description in parameters


@pytest.fixture(scope="module")
def simulator_pages(repository, tmp_path_factory):
    """Pages of the simulators with few lenses, by name, and the table of all."""
    folder = tmp_path_factory.mktemp("simulators")
    with pytest.MonkeyPatch.context() as patch:
        patch.syspath_prepend(str(repository / "docs"))
        patch.delitem(sys.modules, "simulator_pages", raising=False)
        pages = importlib.import_module("simulator_pages")
        pages.write_simulator_pages(folder, number=2, previewed=1)
        written = {path: path.stat().st_mtime_ns for path in folder.iterdir()}
        pages.write_simulator_pages(folder, number=2, previewed=1)
    again = {path: path.stat().st_mtime_ns for path in folder.iterdir()}
    assert again == written, "figures are drawn again only when something has changed"
    return folder


def test_every_simulator_has_its_page_in_the_index(simulator_pages, page):
    plugins = load_plugins()
    overview = (simulator_pages / "overview.inc").read_text(encoding="utf-8")
    names = [row.name for row in plugins.table() if row.kind == plugins.simulators.kind]
    assert len(names) >= 6
    for name in names:
        assert f"\n   simulators/{name}\n" in overview
        assert plugins.simulators.create(name).description in overview
    assert "simulators/overview.inc" in page("simulators")


def test_every_quantity_and_every_effect_is_on_its_page(simulator_pages):
    from astrorim_plugins.simulators.declaration import EFFECTS
    from astrorim_plugins.simulators.distributions import Cases

    for registered in load_plugins().simulators:
        simulator = load_plugins().simulators.create(registered.name)
        text = (simulator_pages / f"{simulator.name}.rst").read_text(encoding="utf-8")
        for quantity in simulator.declaration:
            distribution = quantity.distribution
            cases = distribution.cases if isinstance(distribution, Cases) else [distribution]
            assert f"   * - ``{quantity.name}``\n" in text
            assert [case for case in cases if f"``{case}``" not in text] == []
        for effect, names in EFFECTS.items():
            has_effect = any(name in simulator.declaration for name in names)
            assert (f"   * - ``{effect}``\n" in text) == has_effect
        for figure in re.findall(r"image:: (\S+)", text):
            assert (simulator_pages / figure).stat().st_size > 0


def test_entry_points_lead_somewhere(project):
    groups = dict(project["project"]["entry-points"])
    groups["console_scripts"] = project["project"]["scripts"]
    for points in groups.values():
        for value in points.values():
            module, _, attribute = value.partition(":")
            found = importlib.import_module(module)
            assert not attribute or callable(getattr(found, attribute))


def test_public_names_are_importable_from_the_top():
    import astrorim

    for name in astrorim.__all__:
        assert getattr(astrorim, name) is not None
    assert set(astrorim.__all__) <= set(dir(astrorim))
    with pytest.raises(AttributeError, match=r"no attribute 'Lens'; its public names are"):
        astrorim.Lens  # noqa: B018


def test_reference_covers_every_public_module(docs_module, tmp_path):
    pages = docs_module("reference_pages")
    pages.write_reference_pages(tmp_path)
    text = "\n".join(path.read_text(encoding="utf-8") for path in tmp_path.iterdir())
    documented = set(re.findall(r"automodapi:: (\S+)", text))
    for package in pages.PACKAGES:
        for module in pages.public_modules(package):
            names, elsewhere = pages.own_names(module)
            assert module in documented or set(names) == set(elsewhere)


def write_example_files(folder):
    """A simulated lens, as the separate files that the quick start reads."""
    import numpy as np
    from astropy.io import fits

    drawn = load_plugins().simulators.create("foundation").simulate(
        1, seed=1_000_000_007, shape=(96, 96), pixel_scale=0.05
    )
    for name, array in {"image": drawn.image, "noise": drawn.noise, "psf": drawn.psf}.items():
        data = array[0].cpu().numpy().astype(np.float32)
        fits.writeto(folder / f"{name}.fits", data)


def test_quick_start_runs_as_written(page, tmp_path, monkeypatch, capsys):
    write_example_files(tmp_path)
    monkeypatch.chdir(tmp_path)
    (block,) = code_blocks(page("quick_start"))
    names = {}
    exec(compile(block, "quick_start.rst", "exec"), names)
    assert (tmp_path / "lens.asdf").stat().st_size > 0
    assert names["profile"].einstein_radius.unit == "arcsec"
    assert names["profile"].einstein_mass.unit == "solMass"
    assert "arcsec" in capsys.readouterr().out

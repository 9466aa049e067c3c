from __future__ import annotations

import sys
import types
from importlib.metadata import EntryPoint

import pytest

from astrorim.exceptions import PluginWarning
from astrorim.interfaces import Normalizer
from astrorim.interfaces.normalizer import LinearScaling
from astrorim.plugins import API_VERSION, Plugins, hookimpl, load_plugins
from astrorim.plugins.specs import ENTRY_POINT_GROUP

BUILTIN = EntryPoint("astrorim-builtin", "astrorim_plugins.hooks", ENTRY_POINT_GROUP)


class Unit(Normalizer):
    name = "unit"

    def fit(self, data, mask=None):
        return LinearScaling(offset=0.0, scale=1.0)


@pytest.fixture
def plugin(monkeypatch):
    """Make an importable plugin of the given functions and return its entry point."""

    def make(name, *functions, **attributes):
        module = types.ModuleType(f"plugin_{name}")
        for function in functions:
            setattr(module, function.__name__, function)
        for attribute, value in attributes.items():
            setattr(module, attribute, value)
        monkeypatch.setitem(sys.modules, module.__name__, module)
        return EntryPoint(name, module.__name__, ENTRY_POINT_GROUP)

    return make


def registers(*names):
    @hookimpl
    def astrorim_register_normalizers(register):
        for name in names:
            register(name, Unit)

    return astrorim_register_normalizers


def load_with_failure(points, name, message):
    with pytest.warns(PluginWarning, match=f"plugin '{name}' is left out: .*{message}"):
        plugins = load_plugins(entry_points=points)
    assert name not in plugins.loaded
    return plugins


def test_builtins_come_through_the_entry_points():
    plugins = load_plugins()
    assert plugins.failures == {}
    assert plugins.lens_models.names() == (
        *("sie", "sis", "epl", "nfw", "shear", "mass-sheet", "lenstronomy"),
    )
    assert plugins.light_models.names() == ("sersic", "multi-gaussian")
    assert plugins.simulators.entry("v1").name == "foundation"
    assert plugins.normalizers.names() == ("robust", "minmax", "percentile")
    assert plugins.psfs.names() == (
        "gaussian",
        "moffat",
        "airy",
        "measured",
        "stars",
        "gridded",
    )
    assert set(plugins.networks.names()) >= {"flow-encoder", "unet-gru"}
    assert plugins.lens_models.owner("sie") == "astrorim-builtin"


@pytest.mark.parametrize(
    "hook, name",
    [
        (hook, entry.name)
        for hook, registry in load_plugins().by_hook().items()
        for entry in registry
        if entry.owner == "astrorim-builtin"
        and not entry.argument
        and entry.name not in {"measured", "stars", "gridded"}
    ],
)
def test_every_builtin_can_be_made_and_goes_by_its_own_name(hook, name):
    assert load_plugins().by_hook()[hook].create(name).name == name


def test_installed_plugins_are_loaded_once():
    assert load_plugins() is load_plugins()


def test_strangers_come_after_the_builtins_whatever_their_names(plugin):
    plugins = load_plugins(entry_points=[plugin("aaa", registers("unit")), BUILTIN])
    assert list(plugins.loaded) == ["astrorim-builtin", "aaa"]
    assert plugins.normalizers.names()[-1] == "unit"
    assert plugins.normalizers.create("unit").fit(None).scale == 1.0


def test_table_lists_kind_name_owner_version_and_aliases():
    rows = load_plugins().table()
    (row,) = [row for row in rows if row.name == "foundation"]
    assert (row.kind, row.owner, row.aliases) == ("simulator", "astrorim-builtin", ("v1",))
    assert row.version[0].isdigit()


def test_plugin_without_a_distribution_has_no_version(plugin):
    (row,) = load_plugins(entry_points=[plugin("a", registers("unit"))]).table()
    assert row.version == "unknown"


def test_plugin_that_cannot_be_imported_does_not_stop_the_rest(plugin):
    missing = EntryPoint("broken", "no_such_module_anywhere", ENTRY_POINT_GROUP)
    points = [missing, plugin("fine", registers("unit"))]
    plugins = load_with_failure(points, "broken", "No module named 'no_such_module_anywhere'")
    assert plugins.failures == {
        "broken": "ModuleNotFoundError: No module named 'no_such_module_anywhere'"
    }
    assert plugins.normalizers.names() == ("unit",)


def test_plugin_that_raises_in_a_hook_leaves_nothing_behind(plugin):
    @hookimpl
    def astrorim_register_normalizers(register):
        register("half", Unit)
        raise RuntimeError("no licence file")

    points = [plugin("bad", astrorim_register_normalizers), plugin("fine", registers("unit"))]
    plugins = load_with_failure(points, "bad", "RuntimeError: no licence file")
    assert plugins.normalizers.names() == ("unit",)


def test_failure_in_a_later_hook_takes_back_the_earlier_ones(plugin):
    @hookimpl
    def astrorim_register_psfs(register):
        register("psf", Unit)

    plugins = load_with_failure(
        [plugin("bad", registers("unit"), astrorim_register_psfs)],
        "bad",
        "must implement astrorim.interfaces.psf.PSF, got",
    )
    assert plugins.table() == []


def test_misspelt_hook_is_reported(plugin):
    @hookimpl
    def astrorim_register_normaliser(register):
        register("unit", Unit)

    points = [plugin("typo", astrorim_register_normaliser), plugin("fine", registers("unit"))]
    plugins = load_with_failure(points, "typo", "unknown hook 'astrorim_register_normaliser'")
    assert list(plugins.loaded) == ["fine"]


def test_hook_with_another_signature_is_reported(plugin):
    @hookimpl
    def astrorim_register_normalizers(registry):
        registry("unit", Unit)

    points = [plugin("args", astrorim_register_normalizers), plugin("fine", registers("unit"))]
    plugins = load_with_failure(points, "args", "PluginValidationError")
    assert "registry" in plugins.failures["args"]
    assert list(plugins.loaded) == ["fine"]


def test_forgotten_decorator_is_reported(plugin):
    def astrorim_register_normalizers(register):
        register("unit", Unit)

    load_with_failure(
        [plugin("bare", astrorim_register_normalizers)], "bare", "implements none of the hooks"
    )


def test_duplicate_is_refused_and_both_owners_are_named(plugin):
    points = [plugin("first", registers("unit")), plugin("second", registers("new", "unit"))]
    plugins = load_with_failure(
        points, "second", "by plugin 'first' and again by plugin 'second'"
    )
    assert plugins.normalizers.names() == ("unit",)
    assert plugins.normalizers.owner("unit") == "first"


def test_two_plugins_of_the_same_name_are_reported(plugin):
    points = [plugin("same", registers("unit")), BUILTIN]
    other = EntryPoint("same", "zzz_other_module", ENTRY_POINT_GROUP)
    with pytest.warns(PluginWarning, match=r"two plugins are called 'same'"):
        plugins = load_plugins(entry_points=[*points, other])
    assert list(plugins.failures) == ["same (zzz_other_module)"]
    assert "same" in plugins.loaded


def test_plugin_for_another_version_of_the_hooks_is_refused(plugin):
    load_with_failure(
        [plugin("old", registers("unit"), ASTRORIM_API_VERSION=API_VERSION + 1)],
        "old",
        f"written for version {API_VERSION + 1} of the plugin hooks",
    )


def test_blocked_plugins_are_left_out_without_a_warning(plugin, monkeypatch):
    monkeypatch.setenv("ASTRORIM_BLOCK_PLUGINS", "first, third")
    points = [plugin("first", registers("unit")), plugin("second", registers("unit"))]
    plugins = load_plugins(entry_points=points)
    assert list(plugins.loaded) == ["second"]
    assert plugins.blocked == ("first", "third")


def test_blocking_applies_to_installed_plugins_too(monkeypatch):
    before = load_plugins()
    monkeypatch.setenv("ASTRORIM_BLOCK_PLUGINS", "astrorim-builtin")
    assert load_plugins().lens_models.names() == ()
    monkeypatch.delenv("ASTRORIM_BLOCK_PLUGINS")
    assert load_plugins() is before


def test_every_hook_fills_a_registry():
    from astrorim.plugins import specs

    hooks = {name for name in specs.__all__ if name.startswith("astrorim_register_")}
    assert set(Plugins().by_hook()) == hooks

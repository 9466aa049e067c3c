from __future__ import annotations

import inspect
import typing

import pytest

from astrorim import interfaces
from astrorim.plugins import Plugins, specs

HOOKS = [name for name in specs.__all__ if name.startswith("astrorim_register_")]


@pytest.mark.parametrize("name", HOOKS)
def test_hook_takes_a_register_typed_with_the_interface_of_its_registry(name):
    hook = getattr(specs, name)
    hints = typing.get_type_hints(hook, {**vars(specs), **vars(interfaces)})
    assert list(inspect.signature(hook).parameters) == ["register"]
    assert typing.get_origin(hints["register"]) is specs.Register
    assert typing.get_args(hints["register"]) == (Plugins().by_hook()[name].interface,)


@pytest.mark.parametrize("name", HOOKS)
def test_hook_is_marked_for_pluggy(name):
    assert hasattr(getattr(specs, name), "astrorim_spec")

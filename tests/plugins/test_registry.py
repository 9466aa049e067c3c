from __future__ import annotations

from abc import ABC, abstractmethod
from typing import ClassVar

import pytest

from astrorim.exceptions import PluginError, UnknownNameError
from astrorim.plugins import Registration, Registry


class Shape(ABC):
    name: ClassVar[str]

    @abstractmethod
    def area(self): ...


class Square(Shape):
    name = "square"

    def __init__(self, *, side=1.0):
        self.side = side

    def area(self):
        return self.side**2


class Nameless(Shape):
    def area(self):
        return 0.0


class Unfinished(Shape):
    name = "unfinished"


class Stranger:
    name = "stranger"


@pytest.fixture
def registry():
    shapes = Registry("shape", Shape)
    shapes.add(Registration("square", Square, "ours", "1.2", ("quad", "v1")))
    return shapes


@pytest.mark.parametrize("name", ["square", "quad", "v1"])
def test_create_hands_options_to_the_factory_under_every_name(registry, name):
    assert registry.create(name, side=3.0).area() == 9.0


def test_names_leave_aliases_out(registry):
    registry.add(Registration("unit", lambda: Square(), "theirs", "2"))
    assert registry.names() == ("square", "unit")
    assert len(registry) == 2
    assert "quad" in registry
    assert "circle" not in registry


def test_owner_and_version_are_kept(registry):
    assert registry.owner("quad") == "ours"
    assert registry.entry("quad").version == "1.2"


def test_unknown_name_lists_what_exists_and_suggests(registry):
    with pytest.raises(
        UnknownNameError, match=r"unknown shape 'sqare'; available: square"
    ) as caught:
        registry.create("sqare")
    assert isinstance(caught.value, LookupError)
    assert caught.value.__notes__ == ["did you mean 'square'?"]


@pytest.mark.parametrize(
    "name, aliases", [("square", ()), ("v1", ()), ("circle", ("quad",)), ("x", ("square",))]
)
def test_taken_name_is_refused_with_both_owners(registry, name, aliases):
    with pytest.raises(
        PluginError, match=r"is registered by plugin 'ours' and again by plugin 'theirs'"
    ):
        registry.add(Registration(name, Square, "theirs", "2", aliases))
    assert registry.names() == ("square",)


def test_name_claimed_twice_by_one_plugin_is_refused(registry):
    twice = [Registration("circle", Square, "theirs", "2")] * 2
    with pytest.raises(PluginError, match=r"'circle' is registered by plugin 'theirs' and"):
        registry.check(twice)


@pytest.mark.parametrize("name", ["", "Sie", "sie+shear", "sis@2", "-x", "a b", 3])
def test_malformed_name_is_refused(name):
    with pytest.raises(PluginError, match="a name must be of lower-case letters"):
        Registration(name, Square, "theirs", "2")


def test_factory_that_cannot_be_called_is_refused():
    with pytest.raises(PluginError, match=r"with 3, which cannot be called"):
        Registration("three", 3, "theirs", "2")


def test_class_without_the_interface_is_refused_when_registered(registry):
    with pytest.raises(PluginError, match=r"must implement .*\.Shape, got .*\.Stranger"):
        registry.add(Registration("stranger", Stranger, "theirs", "2"))


def test_object_without_the_interface_is_refused_when_created(registry):
    registry.add(Registration("stranger", lambda: Stranger(), "theirs", "2"))
    with pytest.raises(PluginError, match=r"'stranger' of plugin 'theirs' must implement"):
        registry.create("stranger")


@pytest.mark.parametrize("cls, missing", [(Unfinished, "area"), (Nameless, "name")])
def test_class_with_gaps_is_refused_and_they_are_named(registry, cls, missing):
    with pytest.raises(PluginError, match=rf"does not define {missing}$"):
        registry.add(Registration("gap", cls, "theirs", "2"))


def test_repr_shows_the_names(registry):
    assert repr(registry) == "<Registry of 1 shapes: square>"

from __future__ import annotations

import pytest

from astrorim.exceptions import UnknownNameError
from astrorim.interfaces import LensModel
from astrorim.plugins import LensModelRegistry, Registration
from astrorim.plugins.lens_models import parse_composite


class Constant(LensModel):
    """Constant potential, for tests of names only."""

    parameters = ()

    def __init__(self, name):
        self.name = name

    def potential(self, x, y, params):
        return 0 * x

    def deflection(self, x, y, params):
        return 0 * x, 0 * y

    def convergence(self, x, y, params):
        return 0 * x


Constant.name = "constant"


@pytest.fixture
def registry():
    models = LensModelRegistry()
    for name in ("one", "two"):
        models.add(
            Registration(name, lambda name=name: Constant(name), "test", "1", (f"{name}-bis",))
        )
    return models


@pytest.mark.parametrize(
    "name, parts",
    [
        ("sie", (("", "sie"),)),
        ("sie+shear", (("", "sie"), ("", "shear"))),
        (" sie + sis @ 2 ", (("", "sie"), ("2", "sis"))),
        ("mass-sheet@halo", (("halo", "mass-sheet"),)),
    ],
)
def test_composite_names_are_split(name, parts):
    assert parse_composite(name) == parts


@pytest.mark.parametrize("name", ["", "+", "sie+", "sie++shear", "@2"])
def test_empty_component_is_refused(name):
    with pytest.raises(ValueError, match=r"names joined by '\+' such as 'sie\+shear', got"):
        parse_composite(name)


@pytest.mark.parametrize("name", ["sis@", "sis@a-b", "sis@2@3"])
def test_malformed_label_is_refused(name):
    with pytest.raises(ValueError, match="label after '@' must be of letters and digits"):
        parse_composite(name)


def test_single_name_gives_the_model_itself(registry):
    assert registry.resolve("one").name == "one"


def test_joined_names_give_their_sum(registry):
    model = registry.resolve("one+two@2")
    assert model.name == "one+two@2"
    assert [(label, part.name) for label, part in model.components] == [
        ("", "one"),
        ("2", "two"),
    ]


def test_single_labelled_name_is_a_sum_so_that_its_parameters_carry_the_label(registry):
    assert registry.resolve("one@a").name == "one@a"


def test_unknown_component_lists_what_exists(registry):
    with pytest.raises(UnknownNameError, match=r"lens model 'three'; available: one, two"):
        registry.resolve("one+three")


def test_canonical_name_replaces_aliases(registry):
    assert registry.canonical_name("one-bis + two-bis@2") == "one+two@2"


@pytest.fixture
def with_argument(registry):
    registry.add(Registration("named", Constant, "test", "1", ("called",), argument="TEXT"))
    return registry


def test_text_after_a_colon_is_handed_to_the_factory(with_argument):
    assert with_argument.resolve("named:Some_Text").name == "Some_Text"
    model = with_argument.resolve("one+named:A@2")
    assert [(label, part.name) for label, part in model.components] == [("", "one"), ("2", "A")]


def test_canonical_name_keeps_the_argument(with_argument):
    assert with_argument.canonical_name("called : A@2+one-bis") == "named:A@2+one"


@pytest.mark.parametrize("name", ["named", "named:", "one+named@2"])
def test_missing_argument_is_refused(with_argument, name):
    for function in (with_argument.resolve, with_argument.canonical_name):
        with pytest.raises(
            ValueError, match="'named' needs a TEXT after a colon, as in 'named:T"
        ):
            function(name)


def test_argument_of_what_takes_none_is_refused(with_argument):
    with pytest.raises(ValueError, match="'one' takes nothing after a colon, got 'one:A'"):
        with_argument.resolve("one:A")


def test_unknown_name_with_an_argument_lists_what_exists(with_argument):
    with pytest.raises(
        UnknownNameError, match=r"model 'nmed'; available: named, one, two"
    ) as e:
        with_argument.resolve("nmed:A")
    assert e.value.__notes__ == ["did you mean 'named'?"]


def test_a_name_with_an_argument_is_in_the_registry(with_argument):
    assert "named:A" in with_argument
    assert with_argument.entry("named:A").usage == "named:TEXT"
    assert with_argument.owner("called:A") == "test"

from __future__ import annotations

import pytest

from astrorim.exceptions import UnknownNameError
from astrorim.plugins import load_plugins


@pytest.fixture
def registry():
    return load_plugins().light_models


@pytest.mark.parametrize("name", ["sersic", "multi-gaussian"])
def test_single_name_gives_the_model_itself(registry, name):
    assert type(registry.resolve(name)) is type(registry.create(name))


def test_joined_names_give_their_sum(registry):
    model = registry.resolve(" multi-gaussian + sersic @ disk ")
    assert [(label, part.name) for label, part in model.components] == [
        ("", "multi-gaussian"),
        ("disk", "sersic"),
    ]


def test_single_labelled_name_is_a_sum_so_that_its_parameters_carry_the_label(registry):
    assert registry.resolve("sersic@a").linear_names == ("amplitude_a",)


def test_canonical_name_keeps_components_and_labels(registry):
    assert registry.canonical_name(" sersic + sersic @ 2 ") == "sersic+sersic@2"


def test_unknown_component_lists_what_exists(registry):
    with pytest.raises(UnknownNameError, match=r"light model 'shear'; available: multi-g.*, s"):
        registry.resolve("sersic+shear")


@pytest.mark.parametrize("name", ["", "sersic+", "@2"])
def test_empty_component_is_refused(registry, name):
    message = r"a light model must be a name, or names joined by '\+' such as 'sersic\+sersic'"
    with pytest.raises(ValueError, match=message):
        registry.resolve(name)


def test_malformed_label_is_refused(registry):
    with pytest.raises(ValueError, match="letters and digits, as in 'sersic@2', got"):
        registry.canonical_name("sersic@a-b")

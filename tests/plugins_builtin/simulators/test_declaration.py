"""Declarations: names, parameters, and draws from streams of their own."""

from __future__ import annotations

import math

import astropy.units as u
import pytest
import torch

from astrorim.parameters import Parameter
from astrorim.plugins import load_plugins
from astrorim_plugins.simulators.declaration import (
    EFFECTS,
    Declaration,
    Quantity,
    Visibility,
    draw_quantities,
)
from astrorim_plugins.simulators.distributions import (
    Cases,
    Chance,
    Fixed,
    OneOf,
    Uniform,
)
from astrorim_plugins.simulators.random_streams import RandomStreams

NONE = u.dimensionless_unscaled

KIND = Quantity("kind", "k", NONE, OneOf(("a", "b"), (0.5, 0.5)), "kind")
SIZE = Quantity(
    "size", "s", u.arcsec, Cases("kind", (Uniform(0, 1), Uniform(5, 6))), "by kind", 3
)
TURN = Quantity("turn", "t", u.rad, Uniform(0, math.pi), "an angle", 1, math.pi)
GAIN = Quantity("gain", "g", NONE, Fixed(1.5), "always the same")


@pytest.fixture
def declaration():
    return Declaration((KIND, SIZE, TURN, GAIN), "sie", 1.0, Visibility())


@pytest.fixture
def streams():
    return RandomStreams(3, torch.arange(100))


@pytest.fixture(params=sorted(load_plugins().simulators.names()))
def simulator(request):
    return load_plugins().simulators.create(request.param)


def test_quantities_are_found_by_name(declaration):
    assert declaration["size"] is SIZE
    assert "size" in declaration
    assert "mass" not in declaration
    assert list(declaration) == [KIND, SIZE, TURN, GAIN]


def test_an_unknown_quantity_is_answered_with_those_that_exist(declaration):
    with pytest.raises(KeyError, match="no quantity 'mass'; declared: kind, size, turn, gain"):
        declaration["mass"]


def test_a_name_that_occurs_twice_is_refused():
    with pytest.raises(ValueError, match=r"unique names, got twice \['turn'\]"):
        Declaration((TURN, KIND, TURN), "sie", 1.0, Visibility())


def test_parameters_have_the_interval_as_prior(declaration):
    kind, size, turn = declaration.parameters
    assert (kind.name, size.name, turn.name) == ("kind", "size", "turn")
    assert size.prior == (0, 6)
    assert size.unit == u.arcsec
    assert size.support == (-math.inf, math.inf)
    assert turn.period == math.pi
    assert turn.support == turn.prior == (0, math.pi)


def test_what_never_varies_is_no_parameter():
    assert GAIN.parameter is None


def test_draws_depend_on_what_stands_before(declaration, streams):
    drawn = declaration.draw(streams)
    assert {name: tuple(value.shape) for name, value in drawn.items()} == {
        "kind": (100, 1),
        "size": (100, 3),
        "turn": (100, 1),
        "gain": (100, 1),
    }
    assert torch.equal(drawn["size"] > 2, (drawn["kind"] == 1).expand(-1, 3))


def test_a_quantity_more_leaves_the_others_as_they_were(streams):
    few = draw_quantities(streams, (KIND, SIZE))
    many = draw_quantities(streams, (TURN, KIND, GAIN, SIZE))
    for name, value in few.items():
        assert torch.equal(many[name], value)


def test_other_parameters_come_from_their_prior(declaration, streams):
    slope = Parameter("slope", "s", NONE, (1, 3), (1.8, 2.2), "slope")
    drawn = declaration.draw(streams, [slope])["slope"]
    assert drawn.shape == (100, 1)
    assert 1.8 < float(drawn.min()) < 1.85
    assert 2.15 < float(drawn.max()) < 2.2


def test_every_quantity_says_what_it_is(simulator):
    for quantity in simulator.declaration:
        assert quantity.description
        assert quantity.symbol
        assert quantity.count >= 1
        low, high = quantity.distribution.interval
        assert low <= high
        if quantity.period is not None:
            assert quantity.unit == u.rad
            assert high - low == quantity.period


def test_parameters_of_a_simulator_are_those_of_its_declaration(simulator):
    declared = {q.name: q for q in simulator.declaration}
    for parameter in simulator.parameters:
        quantity = declared[parameter.name]
        assert parameter.unit == quantity.unit
        assert parameter.prior == quantity.distribution.interval


def test_cases_are_one_for_each_name(simulator):
    for quantity in simulator.declaration:
        if isinstance(quantity.distribution, Cases):
            which = simulator.declaration[quantity.distribution.by].distribution
            assert len(which.names) == len(quantity.distribution.cases), quantity.name


def test_instruments_are_one_for_each_case(simulator):
    if "instrument" in simulator.declaration:
        names = simulator.declaration["instrument"].distribution.names
        assert names == tuple(i.name for i in simulator.declaration.instruments)
    else:
        assert len(simulator.declaration.instruments) == 1


def test_effects_name_quantities_that_some_simulator_declares():
    declared = set()
    for name in load_plugins().simulators.names():
        declared |= {q.name for q in load_plugins().simulators.create(name).declaration}
    for effect, names in EFFECTS.items():
        assert set(names) <= declared, effect


def test_every_chance_of_an_effect_can_be_left_out(simulator):
    """What a simulator may or may not have, but for parts of the source, is an effect."""
    switches = {name for names in EFFECTS.values() for name in names}
    parts_of_the_source = {"has_clumps", "has_knots", "has_disk"}
    for quantity in simulator.declaration:
        if quantity.name.startswith("has_") and isinstance(quantity.distribution, Chance):
            assert quantity.name in switches | parts_of_the_source

"""The number of steps that pays best is found and kept."""

from __future__ import annotations

import math

import pytest

from astrorim.inference.step_number import StepNumber


def tried(acceptance_of, rounds=60, **options):
    steps = StepNumber(0.5 * math.pi, 0.8, **options)
    numbers = []
    for _ in range(rounds):
        numbers.append(steps.num_steps)
        steps.update(acceptance_of(steps.num_steps))
    return steps, numbers


@pytest.mark.parametrize("wanted", [1, 3, 8])
def test_enough_steps_for_the_acceptance_are_found(wanted):
    """Trajectories of fewer steps are refused, those of more cost more."""
    steps, numbers = tried(lambda number: 0.95 if number >= wanted else 0.1)
    assert steps.best() == wanted
    assert sum(abs(number - wanted) <= 1 for number in numbers[-20:]) > 10


def test_the_better_of_two_numbers_is_not_always_the_more_accepted_one():
    """0.8^4 / 1 is more than 0.9^4 / 2."""
    steps, _ = tried({1: 0.8, 2: 0.9}.get, rounds=1)
    steps.num_steps = 2
    steps.update(0.9)
    assert steps.best() == 1


def test_trajectories_that_are_always_refused_have_an_end():
    _, numbers = tried(lambda _: 0.0)
    assert max(numbers) == 32


def test_it_begins_with_as_many_as_told_and_keeps_them_untried():
    steps, numbers = tried(lambda _: 0.9, rounds=0, num_steps=5)
    assert (steps.num_steps, steps.best(), numbers) == (5, 5, [])

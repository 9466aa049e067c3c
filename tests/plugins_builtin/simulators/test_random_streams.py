from __future__ import annotations

import numpy as np
import pytest
import scipy.stats
import torch

from astrorim.plugins import load_plugins
from astrorim_plugins.simulators.random_streams import (
    RandomStreams,
    box_muller,
    philox4x32,
    stream_number,
    unit_interval,
)

# Known answers of the Random123 distribution (file kat_vectors, philox4x32 10 rounds).
KNOWN_ANSWERS = [
    ((0, 0, 0, 0), (0, 0), (0x6627E8D5, 0xE169C58D, 0xBC57AC4C, 0x9B00DBD8)),
    (
        (0xFFFFFFFF,) * 4,
        (0xFFFFFFFF,) * 2,
        (0x408F276D, 0x41C83B0E, 0xA20BC7C6, 0x6D5451FD),
    ),
    (
        (0x243F6A88, 0x85A308D3, 0x13198A2E, 0x03707344),
        (0xA4093822, 0x299F31D0),
        (0xD16CFE09, 0x94FDCCEB, 0x5001E420, 0x24126EA1),
    ),
]


@pytest.mark.parametrize("counter, key, expected", KNOWN_ANSWERS)
def test_philox_gives_the_published_answers(counter, key, expected):
    words = philox4x32(tuple(torch.tensor([word]) for word in counter), key)
    assert tuple(int(word) for word in words) == expected


def streams(seed=3, start=0, number=8):
    return RandomStreams(seed, torch.arange(start, start + number))


def test_a_lens_has_the_same_numbers_in_every_batch():
    whole = streams(number=8).uniform({"a": 5, "b": 1})
    part = streams(start=5, number=1).uniform({"b": 1, "a": 5})
    for name in ("a", "b"):
        assert torch.equal(whole[name][5:6], part[name])


def test_longer_requests_begin_with_the_same_words():
    assert torch.equal(streams().words({"a": 9})["a"][:, :3], streams().words({"a": 3})["a"])


def test_seed_stream_and_index_each_change_the_numbers():
    words = {
        (seed, name, start): streams(seed, start, 1).words({name: 4})[name].tolist()
        for seed in (3, 4, 3 + 2**32)
        for name in ("a", "b")
        for start in (0, 1, 2**32)
    }
    assert len({str(value) for value in words.values()}) == len(words)


def test_uniform_numbers_are_uniform_and_open():
    values = streams(number=2000).uniform({"a": 10})["a"]
    assert 0 < float(values.min())
    assert float(values.max()) < 1
    assert scipy.stats.kstest(values.flatten().numpy(), "uniform").pvalue > 0.01


def test_the_largest_and_smallest_words_stay_inside_the_open_interval():
    ends = unit_interval(torch.tensor([0, 2**32 - 1]))
    assert float(ends[0]) == 2.0**-33
    assert float(ends[1]) == 1 - 2.0**-33


def test_normal_numbers_are_standard_normal():
    values = box_muller(streams(number=200).words({"a": 500})["a"])
    assert values.dtype == torch.float32
    assert scipy.stats.kstest(values.flatten().numpy(), "norm").pvalue > 0.01


def test_the_two_halves_of_box_muller_are_uncorrelated():
    values = box_muller(streams(number=200).words({"a": 500})["a"]).numpy()
    cosines, sines = values[:, :250].ravel(), values[:, 250:].ravel()
    assert abs(np.corrcoef(cosines, sines)[0, 1]) < 0.02
    assert abs(np.corrcoef(cosines**2, sines**2)[0, 1]) < 0.02


@pytest.mark.parametrize("simulator", ["foundation", "expanded", "realistic"])
def test_names_of_a_population_have_different_numbers(simulator):
    declaration = load_plugins().simulators.create(simulator).declaration
    names = [q.name for q in declaration] + ["photon_noise", "pixel_read_noise"]
    assert len({stream_number(name) for name in names}) == len(names)


def test_another_namespace_has_other_numbers():
    first, second = (
        RandomStreams(1, torch.arange(3), name).uniform({"a": 4})["a"] for name in ("", "x/")
    )
    assert not bool((first == second).any())


@pytest.mark.parametrize("seed", [-1, 2**64, 0.5])
def test_a_seed_out_of_range_is_refused(seed):
    with pytest.raises(ValueError, match=r"seed must be an integer from 0 to 2\^64 - 1, got"):
        RandomStreams(seed, torch.arange(2))


def test_a_negative_index_is_refused():
    with pytest.raises(ValueError, match="index must not be negative, got -1"):
        RandomStreams(1, torch.tensor([-1]))


def test_an_index_of_another_type_is_refused():
    with pytest.raises(ValueError, match="index must be an int64 tensor"):
        RandomStreams(1, torch.tensor([0.0]))

from __future__ import annotations

import argparse

import pytest

from astrorim.cli import arguments
from astrorim.exceptions import ObservationError


@pytest.mark.parametrize(
    "message, said",
    [
        ("pass unit=, for example unit='adu'", "pass --unit, for example --unit 'adu'"),
        ('pass pixel_scale="0.05 arcsec"', 'pass --pixel-scale "0.05 arcsec"'),
        ("pass uncertainty= a FITS file", "pass --noise a FITS file"),
        ("got unit=5", "got --unit 5"),
        ("pass overwrite=True to replace it", "pass --overwrite to replace it"),
        ("band and unit", "band and unit"),
    ],
)
def test_keyword_arguments_become_options(message, said):
    assert arguments.in_options(ObservationError(message)) == said


def test_notes_and_lines_are_joined():
    error = ValueError("first\nsecond")
    error.add_note("third")
    assert arguments.in_options(error) == "first second third"


def test_an_error_without_words_gives_its_kind():
    assert arguments.in_options(MemoryError()) == "MemoryError"


@pytest.mark.parametrize("text", ["nan", "inf", "0", "-1", "much"])
def test_positive_number_refuses(text):
    with pytest.raises(argparse.ArgumentTypeError, match=r"must be a number above 0, got"):
        arguments.positive_number(text)


@pytest.mark.parametrize("text", ["1.5", "-1", ""])
def test_natural_number_refuses(text):
    with pytest.raises(argparse.ArgumentTypeError, match="must be an integer of at least 0"):
        arguments.natural_number(text)


@pytest.mark.parametrize("text", ["0.05", "0.05 kg", "-1 arcsec", "nan arcsec"])
def test_pixel_scale_refuses(text):
    with pytest.raises(argparse.ArgumentTypeError, match="must be a positive angle with its"):
        arguments.pixel_scale(text)


def test_shards_are_counted_from_one():
    assert arguments.fraction_of_work("2/8") == (2, 8)


@pytest.mark.parametrize("text", ["0/2", "3/2", "1", "a/b", "1/2/3"])
def test_impossible_shard_is_refused(text):
    with pytest.raises(argparse.ArgumentTypeError, match="must be i/n with i from 1 to n"):
        arguments.fraction_of_work(text)

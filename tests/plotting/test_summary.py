"""Numbers with their bounds, as text."""

from __future__ import annotations

import math

import pytest

from astrorim.plotting.summary import format_interval


@pytest.mark.parametrize(
    "numbers, text",
    [
        ((1.25, 1.2434, 1.2566), r"$1.2500^{+0.0066}_{-0.0066}$"),
        ((120.0, 90.0, 160.0), r"$120^{+40}_{-30}$"),
        ((1.0, 0.9, 0.95), "$1.00$ [0.90, 0.95]"),
        ((1.0, 1.0, 1.0), "$1.0^{+0.0}_{-0.0}$"),
        ((0.123456, -math.inf, math.inf), "$0.1235$"),
    ],
)
def test_format(numbers, text):
    assert format_interval(*numbers) == text

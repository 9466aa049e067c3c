from __future__ import annotations

import numpy as np
import pytest
import scipy.stats
import torch

from astrorim_plugins.simulators.noise import (
    SMALL_RATE,
    noise_deviation,
    observe,
    poisson_quantile,
)
from astrorim_plugins.simulators.random_streams import RandomStreams, box_muller

NUMBER = 400_000


def normals(name, number=NUMBER, index=0):
    words = RandomStreams(11, torch.tensor([index])).words({name: number})[name]
    return box_muller(words)[0]


@pytest.mark.parametrize("rate", [0.05, 1.0, 7.3, 29.9, 30.1, 100.0, 3000.0])
def test_poisson_numbers_have_the_moments_and_shape_of_poisson(rate):
    drawn = poisson_quantile(torch.full((NUMBER,), rate), normals("poisson")).numpy()
    assert np.array_equal(drawn, np.round(drawn))
    # Five standard errors.
    assert drawn.mean() == pytest.approx(rate, abs=5 * (rate / NUMBER) ** 0.5)
    error = rate * (2 / NUMBER + 1 / (rate * NUMBER)) ** 0.5
    assert drawn.var() == pytest.approx(rate, abs=5 * error)
    k = np.arange(drawn.max() + 1)
    realised = np.searchsorted(np.sort(drawn), k, side="right") / NUMBER
    distance = np.abs(realised - scipy.stats.poisson.cdf(k, rate)).max()
    assert distance < 1.95 / NUMBER**0.5  # Kolmogorov-Smirnov, one in a thousand


@pytest.mark.parametrize("rate", [30.5, 60.0, 250.0])
def test_the_expansion_is_the_exact_quantile_almost_everywhere(rate):
    z = torch.linspace(-4.5, 4.5, 20001, dtype=torch.float64)
    drawn = poisson_quantile(torch.full_like(z, rate), z).numpy()
    exact = scipy.stats.poisson.ppf(scipy.stats.norm.cdf(z.numpy()), rate)
    assert np.abs(drawn - exact).max() <= 1
    weight = scipy.stats.norm.pdf(z.numpy())
    assert np.average(drawn != exact, weights=weight) < 2e-3


def test_small_rates_are_the_exact_quantile():
    z = torch.linspace(-5, 5, 5001, dtype=torch.float64)
    for rate in (0.0, 0.3, 4.0, SMALL_RATE - 0.1):
        drawn = poisson_quantile(torch.full_like(z, rate), z).numpy()
        exact = scipy.stats.poisson.ppf(scipy.stats.norm.cdf(z.numpy()), rate)
        assert np.array_equal(drawn, exact)


def test_the_deviation_is_the_scatter_of_repeated_exposures():
    expected = torch.full((1, 1, NUMBER), 40.0)
    gain, read_noise = torch.tensor([[[1.5]]]), torch.tensor([[[1.8]]])
    image = observe(
        expected,
        gain,
        read_noise,
        normals("photon")[None, None],
        normals("read")[None, None],
    )
    deviation = float(noise_deviation(expected[..., :1], gain, read_noise))
    assert float(image.mean()) == pytest.approx(40.0, abs=5 * deviation / NUMBER**0.5)
    assert float(image.std()) == pytest.approx(deviation, rel=5 / (2 * NUMBER) ** 0.5)
